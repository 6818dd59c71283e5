// EventBridge Scheduler: schedules, and what each sends when its time has come.
import { randomUUID } from 'node:crypto';
import { ServiceError } from '../endpoint/service.ts';
import type { ClockEntry, ScheduleClock } from './schedule-clock.ts';
import { timetableOf } from './schedule-expression.ts';
import type { Targets } from './targets.ts';

export interface ScheduleDefinition {
  arn: string;
  name: string;
  groupName: string;
  groupArn: string;
  description?: string;
  expression: string;
  timeZone: string;
  enabled: boolean;
  /** Kept to by starting at its begin. */
  windowMinutes?: number;
  startDate?: Date;
  endDate?: Date;
  /** Once it has fired for the last time. */
  deletesItself?: boolean;
  target: {
    arn: string;
    roleArn: string;
    /** With `<aws.scheduler.…>` in it. */
    input: string;
    maximumRetryAttempts: number;
    maximumEventAgeSeconds: number;
    deadLetterArn?: string;
  };
}

const PRINCIPAL = 'scheduler.amazonaws.com';

export class Scheduler {
  readonly #clock: ScheduleClock;
  readonly #targets: Targets;
  readonly #schedules = new Map<string, { schedule: ScheduleDefinition; entry?: ClockEntry }>();
  readonly #groups = new Map<string, string>();
  /** Test lever: each start is delivered twice, as the service may. */
  deliverTwice = false;

  constructor(clock: ScheduleClock, targets: Targets) {
    this.#clock = clock;
    this.#targets = targets;
  }

  /** @throws ServiceError ValidationException, ConflictException */
  create(schedule: ScheduleDefinition): void {
    const key = keyOf(schedule);
    if (this.#schedules.has(key))
      throw new ServiceError('ConflictException', `Schedule ${key} already exists.`, 409);
    this.#targets.check(schedule.target.arn);
    const startsAt = schedule.startDate ?? this.#clock.now();
    const timetable = timetableOf(schedule.expression, schedule.timeZone, startsAt);
    const entry: ClockEntry = {
      timetable: (after) => {
        const next = timetable(new Date(Math.max(after.getTime(), startsAt.getTime())));
        return next && schedule.endDate && next > schedule.endDate ? undefined : next;
      },
      fire: async (scheduledAt) => {
        await this.#fire(schedule, scheduledAt);
        // What it started may have deleted it.
        if (schedule.deletesItself && !entry.timetable(scheduledAt)) this.#remove(keyOf(schedule));
      },
    };
    this.#schedules.set(key, { schedule, ...(schedule.enabled && { entry }) });
    if (schedule.enabled) this.#clock.add(entry);
  }

  /** @throws ServiceError ResourceNotFoundException */
  delete({ groupName, name }: Pick<ScheduleDefinition, 'groupName' | 'name'>): void {
    this.find(groupName, name);
    this.#remove(keyOf({ groupName, name }));
  }

  #remove(key: string): void {
    const entry = this.#schedules.get(key)?.entry;
    if (entry) this.#clock.remove(entry);
    this.#schedules.delete(key);
  }

  createGroup(name: string, arn: string): void {
    this.#groups.set(name, arn);
  }

  /** @throws ServiceError ResourceNotFoundException */
  groupArn(name: string): string {
    const arn = this.#groups.get(name);
    if (!arn)
      throw new ServiceError('ResourceNotFoundException', `Schedule group ${name} does not exist.`, 404);
    return arn;
  }

  /** A moment of real time, at which this clock may stand elsewhere: as far from its now. */
  momentOf(real: Date): Date {
    return new Date(this.#clock.now().getTime() + real.getTime() - Date.now());
  }

  list(): ScheduleDefinition[] {
    return [...this.#schedules.values()].map(({ schedule }) => schedule);
  }

  /** @throws ServiceError ResourceNotFoundException */
  find(groupName: string, name: string): ScheduleDefinition {
    const found = this.#schedules.get(keyOf({ groupName, name }))?.schedule;
    if (!found) throw new ServiceError('ResourceNotFoundException', `Schedule ${name} does not exist.`, 404);
    return found;
  }

  /** When the schedule fires next, by the schedules' clock. */
  nextTime({ expression, timeZone, startDate }: ScheduleDefinition): Date | undefined {
    const now = this.#clock.now();
    return timetableOf(expression, timeZone, startDate ?? now)(now);
  }

  async #fire(schedule: ScheduleDefinition, scheduledAt: Date): Promise<void> {
    for (let copies = this.deliverTwice ? 2 : 1; copies > 0; copies--) {
      const id = randomUUID();
      const { target, groupArn } = schedule;
      await this.#targets.deliver(
        {
          targetArn: target.arn,
          input: withContext(target.input, schedule, scheduledAt, id),
          principal: PRINCIPAL,
          sourceArn: groupArn,
          roleArn: target.roleArn,
          id,
        },
        { attempts: target.maximumRetryAttempts, deadLetterArn: target.deadLetterArn },
      );
    }
  }
}

function keyOf({ groupName, name }: { groupName: string; name: string }): string {
  return `${groupName}/${name}`;
}

function withContext(input: string, schedule: ScheduleDefinition, scheduledAt: Date, id: string): string {
  return input
    .replaceAll('<aws.scheduler.schedule-arn>', schedule.arn)
    .replaceAll('<aws.scheduler.scheduled-time>', scheduledAt.toISOString().replace('.000Z', 'Z'))
    .replaceAll('<aws.scheduler.execution-id>', id)
    .replaceAll('<aws.scheduler.attempt-number>', '1');
}

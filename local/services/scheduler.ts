// EventBridge Scheduler: schedules, what each sends when its time has come, and the part of its API that looks at them.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type Operation, type RestJsonService, type RestRoute, ServiceError } from '../endpoint/service.ts';
import { operation } from './operation.ts';
import type { ScheduleClock } from './schedule-clock.ts';
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
  startDate?: Date;
  endDate?: Date;
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
  readonly #schedules = new Map<string, ScheduleDefinition>();
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
    this.#schedules.set(key, schedule);
    if (!schedule.enabled) return;
    this.#clock.add({
      timetable: (after) => {
        const next = timetable(new Date(Math.max(after.getTime(), startsAt.getTime())));
        return next && schedule.endDate && next > schedule.endDate ? undefined : next;
      },
      fire: (scheduledAt) => this.#fire(schedule, scheduledAt),
    });
  }

  list(): ScheduleDefinition[] {
    return [...this.#schedules.values()];
  }

  /** @throws ServiceError ResourceNotFoundException */
  find(groupName: string, name: string): ScheduleDefinition {
    const found = this.#schedules.get(keyOf({ groupName, name }));
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

export function schedulerService(scheduler: Scheduler): RestJsonService {
  const route = (path: string, name: string, made: Operation<never>): RestRoute => ({
    method: 'GET',
    path,
    operation: name,
    ...made,
  });
  const getSchedule = operation(
    z.strictObject({ Name: z.string(), groupName: z.string().default('default') }),
    async ({ Name, groupName }, context) => {
      const schedule = scheduler.find(groupName, Name);
      context.authorize('scheduler:GetSchedule', schedule.arn);
      return describe(schedule);
    },
  );
  const listSchedules = operation(
    z.strictObject({
      ScheduleGroup: z.string().optional(),
      NamePrefix: z.string().default(''),
      State: z.enum(['ENABLED', 'DISABLED']).optional(),
      MaxResults: z.string().optional(),
    }),
    async ({ ScheduleGroup, NamePrefix, State }, context) => {
      context.authorize('scheduler:ListSchedules', '*');
      const found = scheduler
        .list()
        .filter((each) => ScheduleGroup === undefined || each.groupName === ScheduleGroup)
        .filter((each) => each.name.startsWith(NamePrefix))
        .filter((each) => State === undefined || stateOf(each) === State);
      return { Schedules: found.map(summary) };
    },
  );
  return {
    protocol: 'rest-json',
    signingName: 'scheduler',
    routes: [
      route('/schedules/{Name}', 'GetSchedule', getSchedule),
      route('/schedules', 'ListSchedules', listSchedules),
    ],
  };
}

function stateOf({ enabled }: ScheduleDefinition): string {
  return enabled ? 'ENABLED' : 'DISABLED';
}

function summary(schedule: ScheduleDefinition) {
  const { arn, name, groupName, target } = schedule;
  return {
    Arn: arn,
    Name: name,
    GroupName: groupName,
    State: stateOf(schedule),
    Target: { Arn: target.arn },
  };
}

function describe(schedule: ScheduleDefinition) {
  const { target } = schedule;
  return {
    ...summary(schedule),
    Description: schedule.description,
    ScheduleExpression: schedule.expression,
    ScheduleExpressionTimezone: schedule.timeZone,
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: {
      Arn: target.arn,
      RoleArn: target.roleArn,
      Input: target.input,
      DeadLetterConfig: target.deadLetterArn ? { Arn: target.deadLetterArn } : undefined,
      RetryPolicy: {
        MaximumRetryAttempts: target.maximumRetryAttempts,
        MaximumEventAgeInSeconds: target.maximumEventAgeSeconds,
      },
    },
  };
}

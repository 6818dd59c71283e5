// Scheduled times at which nothing began: reckoned from each schedule's own expression, told once, counted by a metric.
// A schedule is watched from the first sweep that sees it as it is deployed.
import type { DeployedConfiguration, Schedule } from '../../contracts/configuration.ts';
import { ScheduleMissed } from '../../contracts/errors.ts';
import { START_GRACE_MINUTES } from '../../contracts/limits.ts';
import { MISSED_RUNS_METRIC } from '../../contracts/metrics.ts';
import { MISSED } from '../../contracts/runs.ts';
import { rateOf, timetableOf } from '../../contracts/timetable.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { emitMetric } from './metrics.ts';

/** The rest is told by the next sweep. */
const TIMES_AT_ONCE = 100;

/** @returns how many times were missed and not yet reported */
export async function reportMissed(
  ports: StepPorts,
  { clusterId, cluster }: DeployedConfiguration,
): Promise<number> {
  let missed = 0;
  for (const schedule of cluster.schedules) {
    const checkedUntil = await watchedFrom(ports, clusterId, schedule);
    if (checkedUntil === undefined) continue;
    const due = await dueTimes(ports, clusterId, schedule, checkedUntil);
    for (const time of due) {
      const scheduledTime = time.toISOString();
      if (await ports.catalog.isScheduleClaimed(clusterId, schedule.name, scheduledTime)) continue;
      // Told twice where this is killed in between, rather than not at all.
      await ports.notifier.publish(mailOf(clusterId, schedule, scheduledTime));
      await ports.catalog.claimSchedule(clusterId, schedule.name, scheduledTime, MISSED);
      missed++;
    }
    const last = due.at(-1);
    if (last) await watch(ports, clusterId, schedule, last);
  }
  if (cluster.schedules.length > 0) {
    emitMetric(ports, MISSED_RUNS_METRIC, { clusterId, unit: 'Count', value: missed });
  }
  return missed;
}

/** Undefined: not to be watched (yet). */
async function watchedFrom(
  ports: StepPorts,
  clusterId: string,
  schedule: Schedule,
): Promise<Date | undefined> {
  const known = await ports.catalog.readWatch(clusterId, schedule.name);
  if (known?.definition === definitionOf(schedule)) {
    return schedule.enabled ? new Date(known.checkedUntil) : undefined;
  }
  await watch(ports, clusterId, schedule, ports.clock.now());
  return undefined;
}

function watch({ catalog }: StepPorts, clusterId: string, schedule: Schedule, until: Date): Promise<void> {
  const definition = definitionOf(schedule);
  return catalog.putWatch(clusterId, schedule.name, { definition, checkedUntil: until.toISOString() });
}

/** A disabled schedule that is enabled again begins anew. */
function definitionOf({ expression, timezone, enabled }: Schedule): string {
  return JSON.stringify({ expression, timezone, enabled });
}

/** Times that began a run by now, if they began one. */
async function dueTimes(
  { catalog, clock }: StepPorts,
  clusterId: string,
  { name, expression, timezone, windowMinutes }: Schedule,
  checkedUntil: Date,
): Promise<Date[]> {
  // Twice the grace: a run that is begun at the last moment has claimed its time by then.
  const until = clock.now().getTime() - (windowMinutes + 2 * START_GRACE_MINUTES) * 60_000;
  let known = checkedUntil;
  if (rateOf(expression) !== undefined) {
    // Only EventBridge knows what a rate counts from: here it is the last time that is known of it.
    const newest = await catalog.newestSchedule(clusterId, name);
    if (newest) known = new Date(Math.max(known.getTime(), Date.parse(newest)));
  }
  const timetable = timetableOf(expression, timezone, known);
  const times: Date[] = [];
  for (let next = timetable(known); next && next.getTime() <= until; next = timetable(next)) {
    if (times.push(next) >= TIMES_AT_ONCE) break;
  }
  return times;
}

function mailOf(clusterId: string, schedule: Schedule, scheduledTime: string) {
  const { name, kind, expression, timezone, windowMinutes } = schedule;
  const text = [
    `The ${kind} backup of cluster "${clusterId}" that the schedule "${name}" was to begin at ${scheduledTime} did not begin: no run came within ${windowMinutes} minutes.`,
    `Schedule: ${expression}, ${timezone}`,
    `What to do now:\n  See the dead-letter queue, and in EventBridge Scheduler whether the schedule is there and enabled.\n  ${ScheduleMissed.traits.hint}`,
  ].join('\n\n');
  return {
    subject: `[ringvault] ${clusterId}: backup MISSED ${scheduledTime} (${name})`,
    text: `${text}\n`,
    attributes: { clusterId, workflow: 'backup', status: 'MISSED' },
  };
}

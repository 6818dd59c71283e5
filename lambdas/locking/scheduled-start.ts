// A start by schedule: whether its window is over, and what becomes of it where another run has the cluster. It waits or is
// skipped, as the schedule says; either way history and mail tell.
import type { Lock } from '../../adapters/ports.ts';
import {
  type DeployedConfiguration,
  MOST_WINDOW_MINUTES,
  type Schedule,
} from '../../contracts/configuration.ts';
import {
  ClusterBusy,
  errorFrom,
  InvalidRequest,
  type RingvaultError,
  RunSuperseded,
  ScheduleMissed,
  tellError,
} from '../../contracts/errors.ts';
import { LOOK_AGAIN_SECONDS, START_GRACE_MINUTES } from '../../contracts/limits.ts';
import type { RunRecord, RunRef } from '../../contracts/runs.ts';
import type { StepOutput } from '../../contracts/steps.ts';
import { keepRecord } from '../recording/keep-record.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { begunRecord } from './begin-run.ts';

type Starting = Pick<RunRef, 'runId' | 'clusterId' | 'workflow' | 'executionArn' | 'startedAt'>;

export interface ScheduledStart {
  run: Starting;
  request: Record<string, unknown>;
  schedule: Schedule;
  scheduledTime: string;
}

/** Why a scheduled start is CANCELLED. */
const NOT_BEGUN: readonly string[] = [ClusterBusy, ScheduleMissed, RunSuperseded].map(
  ({ errorName }) => errorName,
);

/** @returns undefined for a start that no schedule made @throws InvalidRequest */
export function scheduledStart(
  { cluster }: DeployedConfiguration,
  run: Starting,
  request: { schedule?: string | undefined; scheduledTime?: string | undefined },
): ScheduledStart | undefined {
  const { schedule: name, scheduledTime } = request;
  if (name === undefined) return undefined;
  const schedule = cluster.schedules.find((each) => each.name === name);
  if (schedule && scheduledTime) return { run, request: { ...request }, schedule, scheduledTime };
  const known = cluster.schedules.map((each) => each.name).join(', ') || 'there is none';
  throw new InvalidRequest(
    schedule
      ? 'scheduledTime: got none, expected the time of the schedule'
      : `schedule: got "${name}", expected one of the cluster: ${known}`,
  );
}

/** @throws ScheduleMissed where the window is over, RunSuperseded where the next time of the schedule waits, too */
export async function requireInTime(ports: StepPorts, start: ScheduledStart): Promise<void> {
  const { run, schedule, scheduledTime } = start;
  const lock = await ports.catalog.readLock(run.clusterId);
  // A retry of a claim that succeeded: the run has begun.
  if (lock?.executionArn === run.executionArn) return;
  const later = (await waitingRuns(ports, run.clusterId)).find(
    ({ request }) =>
      request['schedule'] === schedule.name && isAfter(request['scheduledTime'], scheduledTime),
  );
  if (later) {
    await cancelStart(
      ports,
      start,
      new RunSuperseded(`the run of ${scheduledTime} waited until that of ${later.request['scheduledTime']}`),
    );
  }
  const endsAt = Date.parse(scheduledTime) + (schedule.windowMinutes + START_GRACE_MINUTES) * 60_000;
  const now = ports.clock.now();
  if (now.getTime() <= endsAt) return;
  const held = lock ? `; the cluster is held by ${lock.workflow} run ${lock.runId}` : '';
  await cancelStart(
    ports,
    start,
    new ScheduleMissed(
      `schedule "${schedule.name}", ${scheduledTime}: got no begin until ${now.toISOString()}, expected one within ${schedule.windowMinutes} minutes${held}`,
    ),
  );
}

/** @throws ClusterBusy where the schedule skips */
export async function waitForCluster(
  ports: StepPorts,
  start: ScheduledStart,
  busy: RingvaultError,
): Promise<StepOutput<'ClaimRun'>> {
  if (start.schedule.overlap === 'skip') return cancelStart(ports, start, busy);
  await ports.catalog.putWaitingRun(begunRecord(start.run, 'INITIALIZED', start.request));
  return { outcome: 'waiting', seconds: LOOK_AGAIN_SECONDS };
}

/** Runs that wait for a cluster. None waits longer than a window. */
export function waitingRuns(
  { catalog, clock }: Pick<StepPorts, 'catalog' | 'clock'>,
  clusterId: string,
): Promise<RunRecord[]> {
  const longest = (2 * MOST_WINDOW_MINUTES + START_GRACE_MINUTES) * 60_000;
  const since = new Date(clock.now().getTime() - longest).toISOString();
  return catalog.listRuns(clusterId, { status: 'INITIALIZED', since });
}

/** What a start was cancelled with, for a retry: the record may have got to the vault alone. */
export async function refuseCancelled(ports: StepPorts, kept: RunRecord | undefined): Promise<void> {
  if (kept?.status !== 'CANCELLED' || !kept.error || !NOT_BEGUN.includes(kept.error.errorName)) return;
  await ports.catalog.putEndedRun(kept);
  throw errorFrom(kept.error);
}

async function cancelStart(ports: StepPorts, start: ScheduledStart, error: RingvaultError): Promise<never> {
  const endedAt = ports.clock.now().toISOString();
  const begun = begunRecord(start.run, 'INITIALIZED', start.request);
  await keepRecord(ports, { ...begun, status: 'CANCELLED', endedAt, error: tellError(error) });
  throw error;
}

export function heldBy({ clusterId, workflow, runId, executionArn }: Lock): RingvaultError {
  return new ClusterBusy(`cluster "${clusterId}" is held by ${workflow} run ${runId} (${executionArn})`);
}

function isAfter(time: unknown, other: string): boolean {
  return typeof time === 'string' && Date.parse(time) > Date.parse(other);
}

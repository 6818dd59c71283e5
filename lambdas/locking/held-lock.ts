// The cluster's lock, from a step's side: whether this run still holds it, and whether its holder is still executed.
import type { Lock } from '../../adapters/ports.ts';
import { RunEnded } from '../../contracts/errors.ts';
import { startOfRun } from '../../contracts/identifiers.ts';
import { MACHINE_TIMEOUT_SECONDS } from '../../contracts/limits.ts';
import type { RunRef } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

const LEASE_MARGIN_SECONDS = 86_400;
/** Step Functions' DescribeExecution is eventually consistent: it may not know yet what has just begun. */
const UNKNOWN_YET_MS = 5 * 60_000;

const EXECUTED = ['RUNNING', 'PENDING_REDRIVE'];

/** Past it no execution that started then can be running, so that nothing needs renewing. */
export function leaseOf(startedAt: string): string {
  const seconds = MACHINE_TIMEOUT_SECONDS + LEASE_MARGIN_SECONDS;
  return new Date(Date.parse(startedAt) + seconds * 1_000).toISOString();
}

/** @throws RunEnded */
export async function requireLock({ catalog }: Pick<StepPorts, 'catalog'>, run: RunRef): Promise<void> {
  const lock = await catalog.readLock(run.clusterId);
  if (lock?.runId === run.runId && lock.fence === run.fence) return;
  const holder = lock ? `run ${lock.runId} (fence ${lock.fence})` : 'nobody';
  throw new RunEnded(
    `got cluster "${run.clusterId}" held by ${holder}, expected by run ${run.runId} (fence ${run.fence})`,
  );
}

/** Whether the lock's holder may still be at work. */
export async function isExecuted(
  { executions, clock }: Pick<StepPorts, 'executions' | 'clock'>,
  lock: Pick<Lock, 'executionArn' | 'runId'>,
): Promise<boolean> {
  const execution = await executions.status(lock.executionArn);
  if (execution) return EXECUTED.includes(execution.status);
  return clock.now().getTime() - Date.parse(startOfRun(lock.runId)) < UNKNOWN_YET_MS;
}

// SweepRuns: by schedule, starts Recover for runs that nobody executes, and emits the age of each newest backup.
import { BACKUP_AGE_METRIC } from '../contracts/metrics.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { isExecuted } from './locking/held-lock.ts';
import { newestSealed } from './vault/sealed-backups.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** One cluster's failure does not keep the others from being swept; the first is thrown at the end. */
export async function sweepRuns(
  _input: StepInput<'SweepRuns'>,
  ports: StepPorts,
): Promise<StepOutput<'SweepRuns'>> {
  const recovered: string[] = [];
  const failures: unknown[] = [];
  for (const clusterId of Object.keys(ports.clusters)) {
    const swept = await Promise.allSettled([recoverStale(ports, clusterId), emitAge(ports, clusterId)]);
    for (const part of swept) if (part.status === 'rejected') failures.push(part.reason);
    const [stale] = swept;
    if (stale.status === 'fulfilled' && stale.value) recovered.push(stale.value);
  }
  if (failures.length > 0) throw failures[0];
  return { recovered };
}

async function recoverStale(ports: StepPorts, clusterId: string): Promise<string | undefined> {
  const lock = await ports.catalog.readLock(clusterId);
  if (!lock || (await isExecuted(ports, lock))) return undefined;
  await ports.executions.start('recover', { executionArn: lock.executionArn });
  ports.log.warn({ run: lock.runId, clusterId }, 'stale run found, Recover started');
  return lock.runId;
}

async function emitAge(ports: StepPorts, clusterId: string): Promise<void> {
  const newest = await newestSealed(ports, clusterId);
  if (!newest) return;
  const { namespace, name, dimension } = BACKUP_AGE_METRIC;
  const now = ports.clock.now().getTime();
  ports.emitMetrics({
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        { Namespace: namespace, Dimensions: [[dimension]], Metrics: [{ Name: name, Unit: 'Seconds' }] },
      ],
    },
    [dimension]: clusterId,
    [name]: Math.max(0, Math.round((now - Date.parse(newest.snapshotAt)) / 1_000)),
  });
}

export const handler = defineStep('SweepRuns', sweepRuns);

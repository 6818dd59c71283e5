// SweepRuns: by schedule, starts Recover for runs that nobody executes, reports scheduled times that began no run, and emits
// the age of each newest backup.
import { BACKUP_AGE_METRIC } from '../contracts/metrics.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { isExecuted } from './locking/held-lock.ts';
import { waitingRuns } from './locking/scheduled-start.ts';
import { emitMetric } from './reporting/metrics.ts';
import { reportMissed } from './reporting/missed-runs.ts';
import { latestSealed } from './vault/sealed-backups.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** One cluster's failure does not keep the others from being swept; the first is thrown at the end. */
export async function sweepRuns(
  _input: StepInput<'SweepRuns'>,
  ports: StepPorts,
): Promise<StepOutput<'SweepRuns'>> {
  const recovered: string[] = [];
  let missed = 0;
  const failures: unknown[] = [];
  for (const [clusterId, deployed] of Object.entries(ports.clusters)) {
    const swept = await Promise.allSettled([
      recoverStale(ports, clusterId),
      reportMissed(ports, deployed),
      emitAge(ports, clusterId),
    ]);
    for (const part of swept) if (part.status === 'rejected') failures.push(part.reason);
    const [stale, unseen] = swept;
    if (stale.status === 'fulfilled') recovered.push(...stale.value);
    if (unseen.status === 'fulfilled') missed += unseen.value;
  }
  if (failures.length > 0) throw failures[0];
  return { recovered, missed };
}

/** Of who holds the cluster, and of scheduled runs that wait for it. */
async function recoverStale(ports: StepPorts, clusterId: string): Promise<string[]> {
  const lock = await ports.catalog.readLock(clusterId);
  const waiting = await waitingRuns(ports, clusterId);
  const stale: string[] = [];
  for (const { runId, executionArn } of [...(lock ? [lock] : []), ...waiting]) {
    if (await isExecuted(ports, { runId, executionArn })) continue;
    await ports.executions.start('recover', { executionArn });
    ports.log.warn({ run: runId, clusterId }, 'stale run found, Recover started');
    stale.push(runId);
  }
  return stale;
}

async function emitAge(ports: StepPorts, clusterId: string): Promise<void> {
  const newest = await latestSealed(ports, clusterId);
  if (!newest) return;
  const age = ports.clock.now().getTime() - Date.parse(newest.snapshotAt);
  emitMetric(ports, BACKUP_AGE_METRIC, {
    ...{ clusterId, unit: 'Seconds', value: Math.max(0, Math.round(age / 1_000)) },
  });
}

export const handler = defineStep('SweepRuns', sweepRuns);

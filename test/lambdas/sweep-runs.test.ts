import { describe, expect, it } from 'vitest';
import { sweepRuns } from '../../lambdas/sweep-runs.ts';
import { completedBackup } from './support/backup.ts';
import { CLUSTER, claimedRun, configuration, newWorld, START } from './support/world.ts';

describe('SweepRuns', () => {
  it('starts Recover for a run that nobody executes, and for no other', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    expect(await sweepRuns({}, world)).toEqual({ recovered: [] });
    world.executions.known.set(run.executionArn, { status: 'TIMED_OUT', startedAt: START });
    expect(await sweepRuns({}, world)).toEqual({ recovered: [run.runId] });
    expect(world.executions.started).toEqual([
      { workflow: 'recover', input: { executionArn: run.executionArn } },
    ]);
  });

  it('emits the age of each cluster’s newest sealed backup, and none where there is none', async () => {
    const world = newWorld();
    await sweepRuns({}, world);
    expect(world.metrics).toEqual([]);
    await completedBackup(world);
    world.clock.advance(3_620_000);
    await sweepRuns({}, world);
    expect(world.metrics).toEqual([
      {
        _aws: {
          Timestamp: START.getTime() + 3_620_000,
          CloudWatchMetrics: [
            {
              Namespace: 'Ringvault',
              Dimensions: [['ClusterId']],
              Metrics: [{ Name: 'BackupAge', Unit: 'Seconds' }],
            },
          ],
        },
        ClusterId: CLUSTER,
        BackupAge: 3_600,
      },
    ]);
  });

  it('sweeps every cluster before it fails for one', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    world.executions.known.set(run.executionArn, { status: 'ABORTED', startedAt: START });
    const { readLock } = world.catalog;
    world.catalog.readLock = (clusterId) =>
      clusterId === 'broken' ? Promise.reject(new Error('broken')) : readLock(clusterId);
    const clusters = { broken: { ...configuration, clusterId: 'broken' }, ...world.clusters };
    await expect(sweepRuns({}, { ...world, clusters })).rejects.toThrow('broken');
    expect(world.executions.started).toHaveLength(1);
  });
});

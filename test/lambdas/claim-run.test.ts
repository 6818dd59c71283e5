import { describe, expect, it } from 'vitest';
import { claimRun } from '../../lambdas/claim-run.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, claimedRun, executionOf, newWorld, START, type World } from './support/world.ts';

function claim(world: World, request: unknown, name = 'one', workflow: 'backup' | 'restore' = 'backup') {
  const execution = executionOf(name, workflow);
  return claimRun({ workflow, request, execution }, world);
}

describe('ClaimRun', () => {
  it('takes the cluster and begins the history', async () => {
    const world = newWorld();
    const claimed = await claim(world, { clusterId: CLUSTER, requestedBy: 'o’brien; $(x)' });
    if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome);
    expect(claimed.run.runId).toMatch(/^20261121t020000z-[0-9a-f]{8}$/);
    expect(claimed.run.fence).toBe(1);
    expect(claimed.request).toEqual({ clusterId: CLUSTER, kind: 'snapshot', requestedBy: 'o’brien; $(x)' });
    expect(claimed.policy).toEqual({
      heartbeatSeconds: 120,
      actionTimeoutSeconds: 86_400,
      hostsAtOnce: 1_000,
    });
    expect(world.vault.objects.has(claimed.run.configurationKey)).toBe(true);
    expect(await world.catalog.readRun(CLUSTER, claimed.run.runId)).toMatchObject({ status: 'STARTED' });
    const lock = await world.catalog.readLock(CLUSTER);
    expect(Date.parse(lock?.leaseUntil ?? '')).toBeGreaterThan(START.getTime() + 21 * 86_400_000);
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const request = { clusterId: CLUSTER, scheduledTime: '2026-11-21T02:00:00Z' };
      return { world: newWorld(), step: (ports) => claim(ports, request) };
    }));

  it('refuses a request with all that is wrong with it', async () => {
    const request = { clusterId: 'No!', kind: 'hourly', extra: 1 };
    const refused = claim(newWorld(), request);
    await expect(refused).rejects.toMatchObject({ name: 'InvalidRequest' });
    await expect(refused).rejects.toThrow(/clusterId: .*\nkind: .*\n.*extra/);
    await expect(claim(newWorld(), 'text')).rejects.toMatchObject({ name: 'InvalidRequest' });
    await expect(
      claim(newWorld(), { operation: 'undo', clusterId: CLUSTER, backupId: 'latest' }, 'r', 'restore'),
    ).rejects.toThrow(/backupId/);
    await expect(
      claim(newWorld(), { operation: 'rewind', clusterId: CLUSTER }, 'r', 'restore'),
    ).rejects.toThrow('operation: got "rewind", expected "restore"|"undo"|"release"');
  });

  it('refuses a cluster that is not deployed, names of built-in properties too', async () => {
    for (const clusterId of ['other', 'constructor']) {
      await expect(claim(newWorld(), { clusterId })).rejects.toMatchObject({ name: 'UnknownCluster' });
    }
  });

  it('runs a scheduled time once', async () => {
    const world = newWorld();
    const request = { clusterId: CLUSTER, scheduledTime: '2026-11-21T02:00:00Z' };
    const first = await claim(world, request);
    const runId = first.outcome === 'claimed' ? first.run.runId : '';
    expect(await claim(world, request, 'two')).toEqual({ outcome: 'already-run', runId });
  });

  it('refuses a second run, naming the first', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const second = claim(world, { clusterId: CLUSTER }, 'two');
    await expect(second).rejects.toMatchObject({ name: 'ClusterBusy' });
    await expect(second).rejects.toThrow(run.runId);
  });

  it('hands a run that is not executed any more to Recover', async () => {
    const world = newWorld();
    const { executionArn } = await claimedRun(world);
    world.executions.known.set(executionArn, { status: 'ABORTED', startedAt: START });
    expect(await claim(world, { clusterId: CLUSTER }, 'two')).toEqual({ outcome: 'stale', executionArn });
  });

  it('believes that an execution is unknown only after a while', async () => {
    const world = newWorld();
    const { executionArn } = await claimedRun(world);
    world.executions.known.delete(executionArn);
    await expect(claim(world, { clusterId: CLUSTER }, 'two')).rejects.toMatchObject({ name: 'ClusterBusy' });
    world.clock.advance(600_000);
    expect(await claim(world, { clusterId: CLUSTER }, 'two')).toMatchObject({ outcome: 'stale' });
  });

  it('does not take the cluster for a run that has ended', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    await world.catalog.release(run);
    if (record) await world.catalog.putEndedRun({ ...record, status: 'CANCELLED' });
    await expect(claim(world, { clusterId: CLUSTER })).rejects.toMatchObject({ name: 'RunEnded' });
    expect(await world.catalog.readLock(CLUSTER)).toBeUndefined();
  });
});

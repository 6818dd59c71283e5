import { describe, expect, it } from 'vitest';
import type { AskedWorkflow, RunStatus } from '../../contracts/runs.ts';
import { claimRun } from '../../lambdas/claim-run.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import {
  CLUSTER,
  claimedRun,
  executionOf,
  newWorld,
  START,
  scheduledWorld,
  type World,
} from './support/world.ts';

function claim(world: World, request: unknown, name = 'one', workflow: AskedWorkflow = 'backup') {
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

describe('a scheduled start', () => {
  const daily = { name: 'daily', kind: 'snapshot', expression: 'cron(0 2 * * ? *)', windowMinutes: 30 };
  const at = (scheduledTime: string) => ({ clusterId: CLUSTER, schedule: 'daily', scheduledTime });
  const request = at('2026-11-21T02:00:00Z');
  const MINUTE = 60_000;
  const only = async (world: World, status: RunStatus) => {
    const [run, ...more] = await world.catalog.listRuns(CLUSTER, { status });
    expect(more).toEqual([]);
    return run;
  };

  /** A world whose cluster is held by a manual run. */
  async function held(schedule: object = daily) {
    const world = scheduledWorld(schedule);
    const holder = await claimedRun(world, { name: 'holder', workflow: 'restore' });
    return { world, holder };
  }

  it('waits for a cluster that is held, INITIALIZED, then takes it', async () => {
    const { world, holder } = await held();
    expect(await claim(world, request)).toEqual({ outcome: 'waiting', seconds: 30 });
    expect(await only(world, 'INITIALIZED')).toMatchObject({ kind: 'snapshot', request });
    world.clock.advance(20 * MINUTE);
    expect(await claim(world, request)).toMatchObject({ outcome: 'waiting' });
    await world.catalog.release(holder);
    const claimed = await claim(world, request);
    expect(claimed).toMatchObject({ outcome: 'claimed' });
    expect(
      (await world.catalog.listRuns(CLUSTER, { workflow: 'backup' })).map(({ status }) => status),
    ).toEqual(['STARTED']);
  });

  it('that has the cluster keeps it, though its window ends while its claim is tried again', async () => {
    const world = scheduledWorld(daily);
    const claimed = await claim(world, request);
    world.clock.advance(24 * 60 * MINUTE);
    expect(await claim(world, request)).toEqual(claimed);
  });

  it('is missed once its window is over: CANCELLED by name, also where it is tried again', async () => {
    const { world, holder } = await held();
    await claim(world, request);
    world.clock.advance(35 * MINUTE + 1);
    const missed = claim(world, request);
    await expect(missed).rejects.toMatchObject({ name: 'ScheduleMissed' });
    await expect(missed).rejects.toThrow(holder.runId);
    await world.catalog.release(holder);
    await expect(claim(world, request)).rejects.toMatchObject({ name: 'ScheduleMissed' });
    expect(await only(world, 'CANCELLED')).toMatchObject({ error: { errorName: 'ScheduleMissed' } });
    expect(await world.catalog.readLock(CLUSTER)).toBeUndefined();
  });

  it('that is delivered too late is missed, though the cluster is free', async () => {
    const world = scheduledWorld(daily);
    world.clock.advance(35 * MINUTE + 1);
    await expect(claim(world, request)).rejects.toMatchObject({ name: 'ScheduleMissed' });
    expect(await world.catalog.readLock(CLUSTER)).toBeUndefined();
  });

  it('is skipped where its schedule says so: CANCELLED as ClusterBusy', async () => {
    const { world, holder } = await held({ ...daily, overlap: 'skip' });
    const skipped = claim(world, request);
    await expect(skipped).rejects.toMatchObject({ name: 'ClusterBusy' });
    await expect(skipped).rejects.toThrow(holder.runId);
    expect(await only(world, 'CANCELLED')).toMatchObject({ error: { errorName: 'ClusterBusy' } });
    const record = world.layout.runRecord(CLUSTER, (await only(world, 'CANCELLED'))?.runId ?? '');
    expect(world.vault.objects.has(record)).toBe(true);
  });

  it('gives way to the next time of its schedule: two that wait are one', async () => {
    const { world, holder } = await held();
    const next = at('2026-11-21T02:10:00Z');
    await claim(world, request);
    await claim(world, next, 'two');
    await world.catalog.release(holder);
    await expect(claim(world, request)).rejects.toMatchObject({ name: 'RunSuperseded' });
    expect(await only(world, 'CANCELLED')).toMatchObject({ request });
    expect(await claim(world, next, 'two')).toMatchObject({ outcome: 'claimed' });
  });

  it('runs once a schedule and time, and another schedule of the same time runs, too', async () => {
    const world = scheduledWorld(daily, { ...daily, name: 'other' });
    const first = await claim(world, request);
    const runId = first.outcome === 'claimed' ? first.run.runId : '';
    expect(await claim(world, request, 'again')).toEqual({ outcome: 'already-run', runId });
    expect(await claim(world, { ...request, schedule: 'other' }, 'two')).toMatchObject({
      outcome: 'waiting',
    });
  });

  it('is not waited for by a person: ClusterBusy at once, and nothing in the history', async () => {
    const { world } = await held();
    await expect(claim(world, { clusterId: CLUSTER })).rejects.toMatchObject({ name: 'ClusterBusy' });
    expect(await world.catalog.listRuns(CLUSTER, { workflow: 'backup' })).toEqual([]);
  });

  it('of a schedule that there is not is refused, with those that there are', async () => {
    const refused = claim(scheduledWorld(daily), { ...request, schedule: 'weekly' });
    await expect(refused).rejects.toThrow('schedule: got "weekly", expected one of the cluster: daily');
    await expect(claim(scheduledWorld(daily), { clusterId: CLUSTER, schedule: 'daily' })).rejects.toThrow(
      'scheduledTime',
    );
  });

  it.each(['queue', 'skip'])('%s: comes to the same end wherever it is killed', (overlap) =>
    expectSameEndWhereverKilled(async () => {
      const { world } = await held({ ...daily, overlap });
      const step = async (ports: World) =>
        claim(ports, request).catch((error: Error) => {
          if (error.message === 'killed') throw error;
          return error.name;
        });
      return { world, step: (ports) => step(ports as World) };
    }),
  );
});

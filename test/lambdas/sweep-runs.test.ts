import { describe, expect, it } from 'vitest';
import { claimRun } from '../../lambdas/claim-run.ts';
import { sweepRuns } from '../../lambdas/sweep-runs.ts';
import { completedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import {
  CLUSTER,
  claimedRun,
  configuration,
  executionOf,
  newWorld,
  START,
  scheduledWorld,
  type World,
} from './support/world.ts';

describe('SweepRuns', () => {
  it('starts Recover for a run that nobody executes, and for no other', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    expect(await sweepRuns({}, world)).toEqual({ recovered: [], missed: 0 });
    world.executions.known.set(run.executionArn, { status: 'TIMED_OUT', startedAt: START });
    expect(await sweepRuns({}, world)).toEqual({ recovered: [run.runId], missed: 0 });
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

describe('missed runs', () => {
  const HOUR = 3_600_000;
  const daily = {
    name: 'daily',
    kind: 'snapshot',
    expression: 'cron(0 4 * * ? *)',
    timezone: 'Europe/Berlin',
  };
  /** By the clock of the world, 02:00 UTC, in Berlin 03:00. */
  async function watched(...schedules: object[]) {
    const world = scheduledWorld(...schedules);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 0 });
    return world;
  }
  const told = ({ notifier }: World) => notifier.published.map(({ subject }) => subject);

  it('are told once, when the window and a grace are over, and counted', async () => {
    const world = await watched(daily);
    world.clock.advance(HOUR + 70 * 60_000 - 1);
    expect(await sweepRuns({}, world)).toEqual({ recovered: [], missed: 0 });
    world.clock.advance(1);
    expect(await sweepRuns({}, world)).toEqual({ recovered: [], missed: 1 });
    expect(told(world)).toEqual(['[ringvault] demo: backup MISSED 2026-11-21T03:00:00.000Z (daily)']);
    const [mail] = world.notifier.published;
    expect(mail?.attributes).toEqual({ clusterId: CLUSTER, workflow: 'backup', status: 'MISSED' });
    expect(mail?.text).toContain('cron(0 4 * * ? *), Europe/Berlin');
    expect(world.metrics.at(-1)).toMatchObject({ ClusterId: CLUSTER, MissedRuns: 1 });
    expect(await sweepRuns({}, world)).toEqual({ recovered: [], missed: 0 });
    expect(world.metrics.at(-1)).toMatchObject({ MissedRuns: 0 });
  });

  it('are none where a run has the time, whatever became of it, nor before the schedule was deployed', async () => {
    const world = await watched(daily);
    await world.catalog.claimSchedule(CLUSTER, 'daily', '2026-11-21T03:00:00Z', 'x');
    world.clock.advance(5 * HOUR);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 0 });
    expect(told(world)).toEqual([]);
  });

  it('are all found after an outage of the sweep itself', async () => {
    const world = await watched(daily);
    world.clock.advance(72 * HOUR);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 3 });
  });

  it('are none of a schedule that is disabled, and begin anew with one that was changed', async () => {
    const world = await watched({ ...daily, enabled: false });
    world.clock.advance(48 * HOUR);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 0 });
    const enabled = { ...scheduledWorld(daily).clusters };
    expect(await sweepRuns({}, { ...world, clusters: enabled })).toMatchObject({ missed: 0 });
    world.clock.advance(24 * HOUR);
    expect(await sweepRuns({}, { ...world, clusters: enabled })).toMatchObject({ missed: 1 });
  });

  it('of a rate are counted from the last time that is known of it', async () => {
    const rate = { name: 'often', kind: 'snapshot', expression: 'rate(2 hours)', windowMinutes: 30 };
    const world = await watched(rate);
    world.clock.advance(HOUR);
    await world.catalog.claimSchedule(CLUSTER, 'often', '2026-11-21T02:55:00Z', 'x');
    world.clock.advance(2 * HOUR);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 0 });
    world.clock.advance(HOUR);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 1 });
    expect(told(world).join()).toContain('2026-11-21T04:55:00.000Z');
    world.clock.advance(2 * HOUR);
    expect(await sweepRuns({}, world)).toMatchObject({ missed: 1 });
  });

  it('are not begun any more once they are reported', async () => {
    const world = await watched(daily);
    world.clock.advance(5 * HOUR);
    await sweepRuns({}, world);
    const request = { clusterId: CLUSTER, schedule: 'daily', scheduledTime: '2026-11-21T03:00:00Z' };
    const late = claimRun({ workflow: 'backup', request, execution: executionOf('late') }, world);
    expect(await late).toEqual({ outcome: 'already-run', runId: 'missed' });
  });

  it('come to the same end wherever a sweep is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = await watched(daily);
      world.clock.advance(5 * HOUR);
      return { world, step: async (ports) => void (await sweepRuns({}, ports)) };
    }));
});

it('starts Recover for a scheduled run that waited and is not executed any more', async () => {
  const world = scheduledWorld({ name: 'daily', kind: 'snapshot', expression: 'cron(0 2 * * ? *)' });
  await claimedRun(world);
  const request = { clusterId: CLUSTER, schedule: 'daily', scheduledTime: START.toISOString() };
  const execution = executionOf('waits');
  expect(await claimRun({ workflow: 'backup', request, execution }, world)).toMatchObject({
    outcome: 'waiting',
  });
  world.executions.known.set(execution.arn, { status: 'ABORTED', startedAt: START });
  expect((await sweepRuns({}, world)).recovered).toHaveLength(1);
  expect(world.executions.started).toEqual([{ workflow: 'recover', input: { executionArn: execution.arn } }]);
});

// FailRun, NotifyRun, ReportRefusal, ReleaseRun: how a run's end is told.
import { describe, expect, it } from 'vitest';
import { ClusterBusy, DataRot } from '../../contracts/errors.ts';
import { failRun } from '../../lambdas/fail-run.ts';
import { notifyRun } from '../../lambdas/notify-run.ts';
import { releaseRun } from '../../lambdas/release-run.ts';
import { reportRefusal } from '../../lambdas/report-refusal.ts';
import { completedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, claimedRun, executionOf, hosts, newWorld } from './support/world.ts';

const rot = { errorName: 'DataRot', message: 'rotten', hint: DataRot.traits.hint };
const [first, second] = hosts.map(({ instanceId }) => instanceId);

describe('FailRun', () => {
  const exceeded = { Error: 'States.ExceedToleratedFailureThreshold', Cause: 'too many' };

  it('tells the first cause in time, with host and phase, and keeps it with the run', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const failed = { status: 'FAILED' as const, phase: 'upload' };
    await world.catalog.putNode(run, { instanceId: second ?? '', ...failed, error: rot });
    world.clock.advance(1_000);
    await world.catalog.putNode(run, {
      instanceId: first ?? '',
      ...failed,
      error: { ...rot, errorName: 'VaultDenied' },
    });
    const told = await failRun({ run, error: { ...exceeded, Step: 'UploadEachNode' } }, world);
    expect(told).toEqual({ ...rot, message: `upload on ${second}: rotten` });
    expect(await world.catalog.readRun(CLUSTER, run.runId)).toMatchObject({
      ...{ status: 'STARTED', error: told, failedStep: 'UploadEachNode' },
    });
  });

  it('tells a step’s own error as it is, and a map’s where no node kept one', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const told = await failRun({ run, error: { Error: 'DataRot', Cause: `rotten\n${rot.hint}` } }, world);
    expect(told).toEqual(rot);
    expect(await failRun({ run, error: exceeded }, world)).toMatchObject({ errorName: 'UnexpectedError' });
  });

  it('leaves a run that has ended as it is', async () => {
    const world = newWorld();
    const run = await completedBackup(world);
    await failRun({ run, error: { Error: 'DataRot', Cause: 'x' } }, world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    expect(record?.status).toBe('COMPLETED');
    expect(record?.error).toBeUndefined();
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const run = await claimedRun(world);
      return { world, step: (ports) => failRun({ run, error: { Error: 'DataRot', Cause: 'x' } }, ports) };
    }));
});

describe('NotifyRun', () => {
  it('tells a completed backup with each node and what to do with it', async () => {
    const world = newWorld();
    const run = await completedBackup(world);
    await world.catalog.amendRun(CLUSTER, run.runId, { warnings: ['clearing failed'] });
    await notifyRun({ run, warnings: ['nobody was asked'] }, world);
    const [mail] = world.notifier.published;
    expect(mail?.subject).toBe(`[ringvault] demo: backup COMPLETED ${run.runId}`);
    expect(mail?.subject.length).toBeLessThan(100);
    expect(mail?.attributes).toEqual({ clusterId: CLUSTER, workflow: 'backup', status: 'COMPLETED' });
    expect(mail?.text).toContain('Kind:            snapshot');
    expect(mail?.text).toContain(
      `  ${first} (host ID ${hosts[0]?.hostId}): COMPLETED its upload: 27 files, 2.9 KiB, of which 100 B were uploaded`,
    );
    expect(mail?.text).toContain('  - clearing failed\n  - nobody was asked');
    expect(mail?.text).toContain(`ringvault restore demo --backup ${run.runId}`);
  });

  it('tells a failure with its cause and hint', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    if (record) await world.catalog.putEndedRun({ ...record, status: 'FAILED', error: rot });
    await notifyRun({ run, aboutRunId: run.runId, warnings: [] }, world);
    const text = world.notifier.published[0]?.text ?? '';
    expect(text).toContain('DataRot: rotten');
    expect(text).toContain(`What to do now:\n  ${rot.hint}`);
  });

  it('tells in words what became of each node, the failed first, and how long it took', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    const times = { startedAt: '2026-11-21T02:00:00.000Z', endedAt: '2026-11-21T02:01:05.000Z' };
    const nodes = [
      { instanceId: 'i-00000001', status: 'CANCELLED' as const, phase: 'discover' },
      { instanceId: 'i-00000002', status: 'CANCELLED' as const, phase: 'snapshot-1', ...times },
      { instanceId: 'i-00000003', status: 'FAILED' as const, phase: 'upload', ...times, error: rot },
    ];
    if (record) await world.catalog.putEndedRun({ ...record, status: 'FAILED', error: rot, nodes });
    await notifyRun({ run, warnings: [] }, world);
    expect(world.notifier.published[0]?.text).toContain(
      [
        'Nodes:',
        '  i-00000003: FAILED in upload, after 1 min 5 s: DataRot: rotten',
        '  i-00000001: CANCELLED before it was begun',
        '  i-00000002: CANCELLED in snapshot-1, because the run ended, after 1 min 5 s',
      ].join('\n'),
    );
  });

  it('stays below what SNS takes with 1,000 nodes that failed', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    const nodes = Array.from({ length: 1_000 }, (_, index) => ({
      ...{ instanceId: `i-${(0x10000000 + index).toString(16)}`, status: 'FAILED' as const, phase: 'upload' },
      error: { ...rot, message: 'x'.repeat(1_000) },
    }));
    if (record) await world.catalog.putEndedRun({ ...record, status: 'FAILED', nodes });
    await notifyRun({ run, warnings: [] }, world);
    const text = world.notifier.published[0]?.text ?? '';
    expect(text).toContain('… and 900 more');
    expect(Buffer.byteLength(text)).toBeLessThan(256 * 1024);
  });

  it('refuses a run that nobody knows', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const aboutRunId = '20200101t000000z-00000000';
    await expect(notifyRun({ run, aboutRunId, warnings: [] }, world)).rejects.toMatchObject({
      name: 'UnknownRun',
    });
  });
});

describe('ReportRefusal', () => {
  const error = {
    Error: 'ClusterBusy',
    Cause: JSON.stringify({ errorMessage: `held\n${ClusterBusy.traits.hint}` }),
  };
  const refusal = {
    workflow: 'backup' as const,
    request: { clusterId: CLUSTER },
    execution: executionOf('x'),
    error,
  };
  const told = { errorName: 'ClusterBusy', message: 'held', hint: ClusterBusy.traits.hint };

  it('tells people and the Fail state', async () => {
    const world = newWorld();
    expect(await reportRefusal(refusal, world)).toEqual(told);
    expect(world.notifier.published[0]).toMatchObject({
      subject: '[ringvault] demo: backup REFUSED ClusterBusy',
      text: expect.stringContaining(ClusterBusy.traits.hint),
    });
  });

  it('tells everybody of a start whose cluster is not deployed, by an ID that every filter passes', async () => {
    for (const request of [{}, { clusterId: 'dmeo' }, { clusterId: 'constructor' }, null]) {
      const world = newWorld();
      await reportRefusal({ ...refusal, request }, world);
      const [mail] = world.notifier.published;
      expect(mail?.attributes).toEqual({ clusterId: 'unknown', workflow: 'backup', status: 'REFUSED' });
      expect(mail?.text).toContain(`Asked for: ${JSON.stringify(request)}`);
    }
  });

  it('tells the Fail state even where no mail goes out, and whatever was asked for', async () => {
    const world = newWorld();
    world.notifier.publish = () => Promise.reject(new Error('SNS is down'));
    expect(await reportRefusal({ ...refusal, request: null }, world)).toEqual(told);
  });
});

describe('ReleaseRun', () => {
  it('keeps warnings, gives the lock back once, and never another run’s', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    expect(await releaseRun({ run, warnings: ['late'] }, world)).toEqual({ released: true });
    expect((await world.catalog.readRun(CLUSTER, run.runId))?.warnings).toEqual(['late']);
    const next = await claimedRun(world, { name: 'two', at: 60 });
    expect(await releaseRun({ run, warnings: [] }, world)).toEqual({ released: false });
    expect(await world.catalog.readLock(CLUSTER)).toMatchObject({ runId: next.runId });
  });
});

// ClaimRecovery, PlanRecovery and RecordRun of a Recover run: the one end for whatever was left behind.
import { describe, expect, it } from 'vitest';
import type { SwapState } from '../../contracts/actions.ts';
import { recoveryPlan } from '../../contracts/plans.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { claimRecovery } from '../../lambdas/claim-recovery.ts';
import { claimRun } from '../../lambdas/claim-run.ts';
import { discoverHosts } from '../../lambdas/discover-hosts.ts';
import { planRecovery } from '../../lambdas/plan-recovery.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { releaseRun } from '../../lambdas/release-run.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { answer } from './support/answers.ts';
import { completedBackup, sealedBackup, uploadedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { completedRestore, plannedRestore } from './support/restore.ts';
import {
  CLUSTER,
  claimedRun,
  executionOf,
  hosts,
  newWorld,
  START,
  scheduledWorld,
  type World,
} from './support/world.ts';

function stop(world: World, run: RunRef, status = 'ABORTED') {
  world.executions.known.set(run.executionArn, { status, startedAt: START });
}

const at = (seconds: number) => new Date(START.getTime() + seconds * 1_000).toISOString();
const recovery = (name = 'recover-1', seconds = 5_000) => ({
  ...executionOf(name, 'Recover'),
  startedAt: at(seconds),
});

function claim(world: World, executionArn: string, execution = recovery()) {
  world.executions.known.set(execution.arn, { status: 'RUNNING', startedAt: START });
  return claimRecovery({ request: { executionArn }, execution }, world);
}

async function claimed(world: World, executionArn: string, execution = recovery()) {
  const answered = await claim(world, executionArn, execution);
  if (answered.outcome !== 'claimed') throw new Error(answered.outcome);
  return answered;
}

const ended = (swap: SwapState) => ({ swap, cassandra: 'up' as const, cleared: [] });

async function planned(world: World, subject: RunRef, swaps: Array<SwapState | undefined> = []) {
  const { run, subject: found } = await claimed(world, subject.executionArn);
  const { hostsKey, unreachable } = await discoverHosts({ run, tolerateUnreachable: true }, world);
  const answers = swaps.map((swap) => swap && ended(swap));
  await answer<'end-run'>(world, run, 'end-run', answers);
  const plan = await planRecovery({ run, subject: found, hostsKey, unreachable }, world);
  return { run, plan, subject: found };
}

async function recovered(world: World, subject: RunRef, swaps: Array<SwapState | undefined> = []) {
  const { run, plan } = await planned(world, subject, swaps);
  const told = { runId: subject.runId, status: plan.status };
  await recordRun({ run, planKey: plan.planKey, status: 'COMPLETED', recovered: told, warnings: [] }, world);
  return { run, plan, history: await world.catalog.readRun(CLUSTER, subject.runId) };
}

describe('ClaimRecovery', () => {
  it('takes over the lock of a run that is not executed any more', async () => {
    const world = newWorld();
    const subject = await claimedRun(world);
    stop(world, subject);
    const { run, subject: found } = await claimed(world, subject.executionArn);
    expect(found).toEqual({ runId: subject.runId, workflow: 'backup', executionArn: subject.executionArn });
    expect(run).toMatchObject({ workflow: 'recover', fence: subject.fence + 1 });
    expect(await world.catalog.readLock(CLUSTER)).toMatchObject({
      runId: run.runId,
      subjectRunId: subject.runId,
    });
    expect(await world.catalog.readRun(CLUSTER, run.runId)).toMatchObject({ recoveredRunId: subject.runId });
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const subject = await claimedRun(world);
      stop(world, subject);
      return { world, step: (ports) => claim(ports, subject.executionArn) };
    }));

  it('waits for a run that is about to end, and refuses one that goes on', async () => {
    const world = newWorld();
    const subject = await claimedRun(world);
    await expect(claim(world, subject.executionArn)).rejects.toMatchObject({ name: 'ClusterBusy' });
    expect(await world.catalog.readLock(CLUSTER)).toMatchObject({ runId: subject.runId });
    const { status } = world.executions;
    let asked = 0;
    world.executions.status = async (arn) => {
      if (++asked === 3) stop(world, subject, 'FAILED');
      return status(arn);
    };
    expect(await claim(world, subject.executionArn)).toMatchObject({ outcome: 'claimed' });
  });

  it('finds nothing to recover of a run that ended, of a stranger, and once another Recover has it', async () => {
    const world = newWorld();
    const done = await completedBackup(world);
    const nothing = { outcome: 'nothing-to-recover' };
    expect(await claim(world, done.executionArn)).toEqual(nothing);
    expect(await claim(world, executionOf('stranger').arn)).toEqual(nothing);
    const subject = await claimedRun(world, { name: 'two', at: 60 });
    expect(await claim(world, done.executionArn)).toEqual(nothing);
    stop(world, subject);
    await claimed(world, subject.executionArn);
    expect(await claim(world, subject.executionArn, recovery('recover-2', 5_001))).toEqual(nothing);
  });

  it('ends the history of a scheduled run that waited, and leaves who has the cluster alone', async () => {
    const world = scheduledWorld({ name: 'daily', kind: 'snapshot', expression: 'cron(0 2 * * ? *)' });
    const holder = await claimedRun(world);
    const execution = executionOf('waits');
    const request = { clusterId: CLUSTER, schedule: 'daily', scheduledTime: START.toISOString() };
    world.executions.known.set(execution.arn, { status: 'RUNNING', startedAt: START });
    await claimRun({ workflow: 'backup', request, execution }, world);
    const status = async () =>
      (await world.catalog.listRuns(CLUSTER, { kind: 'snapshot' })).map((run) => run.status).sort();
    expect(await claim(world, execution.arn)).toEqual({ outcome: 'nothing-to-recover' });
    expect(await status()).toEqual(['INITIALIZED', 'STARTED']);
    world.executions.known.set(execution.arn, { status: 'ABORTED', startedAt: START });
    await claim(world, execution.arn);
    expect(await claim(world, execution.arn)).toEqual({ outcome: 'nothing-to-recover' });
    expect(await status()).toEqual(['CANCELLED', 'STARTED']);
    expect(await world.catalog.readLock(CLUSTER)).toMatchObject({ runId: holder.runId });
  });

  it('recovers the subject of a Recover run that died, and ends its history', async () => {
    const world = newWorld();
    const subject = await claimedRun(world);
    stop(world, subject);
    const first = await claimed(world, subject.executionArn);
    stop(world, first.run, 'FAILED');
    const second = await claimed(world, first.run.executionArn, recovery('recover-2', 6_000));
    expect(second.subject.runId).toBe(subject.runId);
    const told = { runId: subject.runId, status: 'CANCELLED' as const };
    await recordRun({ run: second.run, status: 'COMPLETED', recovered: told, warnings: [] }, world);
    const statusOf = async (runId: string) => (await world.catalog.readRun(CLUSTER, runId))?.status;
    expect(await statusOf(subject.runId)).toBe('CANCELLED');
    expect(await statusOf(first.run.runId)).toBe('FAILED');
    expect(await statusOf(second.run.runId)).toBe('COMPLETED');
  });

  it('begins the history of a run that was killed right after it took the lock', async () => {
    const world = newWorld();
    const putRun = world.catalog.putRun;
    world.catalog.putRun = () => Promise.reject(new Error('killed'));
    await expect(claimedRun(world)).rejects.toThrow('killed');
    world.catalog.putRun = putRun;
    const lock = await world.catalog.readLock(CLUSTER);
    world.executions.known.set(lock?.executionArn ?? '', { status: 'ABORTED', startedAt: START });
    const { subject } = await claimed(world, lock?.executionArn ?? '');
    expect(await world.catalog.readRun(CLUSTER, subject.runId)).toMatchObject({
      status: 'STARTED',
      startedAt: at(0),
    });
  });
});

describe('PlanRecovery of a backup', () => {
  it('is COMPLETED where it is sealed, whatever happened to its execution', async () => {
    const world = newWorld();
    const { run } = await sealedBackup(world);
    stop(world, run);
    const { plan, history } = await recovered(world, run);
    expect(plan).toMatchObject({ status: 'COMPLETED', direction: 'none', seedsKey: '', othersKey: '' });
    expect(history).toMatchObject({ status: 'COMPLETED', backupId: run.runId, files: 81 });
  });

  it.each([
    ['ABORTED', 'CANCELLED'],
    ['TIMED_OUT', 'FAILED'],
    ['FAILED', 'FAILED'],
  ])('of an execution %s is %s', async (execution, status) => {
    const world = newWorld();
    const { run } = await uploadedBackup(world);
    await world.catalog.putNode(run, {
      instanceId: hosts[0]?.instanceId ?? '',
      status: 'STARTED',
      phase: 'upload',
    });
    stop(world, run, execution);
    const { history, run: own } = await recovered(world, run);
    expect(history).toMatchObject({ status, endedAt: at(0) });
    expect(history?.error === undefined).toBe(status === 'CANCELLED');
    expect(await world.catalog.listNodes(run.runId)).toMatchObject([
      { status: 'CANCELLED', phase: 'upload' },
      { status: 'CANCELLED', phase: 'discover' },
      { status: 'CANCELLED', phase: 'discover' },
    ]);
    expect(await releaseRun({ run: own, warnings: [] }, world)).toEqual({ released: true });
  });

  it('says on which hosts its snapshots may be left: unreachable, silent or with the node down', async () => {
    const world = newWorld();
    const { run: subject } = await uploadedBackup(world);
    stop(world, subject);
    const { run, subject: found } = await claimed(world, subject.executionArn);
    const [first, second, third] = hosts.map((host) => host.instanceId);
    world.hosts.listHosts = async () =>
      hosts.map(({ instanceId }, index) => ({ instanceId, online: index > 0, pingStatus: 'Online' }));
    const discovered = await discoverHosts({ run, tolerateUnreachable: true }, world);
    const down = { swap: 'none' as const, cassandra: 'down' as const, cleared: [] };
    await answer<'end-run'>(world, run, 'end-run', [undefined, down, undefined]);
    const { hostsKey, unreachable } = discovered;
    const { planKey } = await planRecovery({ run, subject: found, hostsKey, unreachable }, world);
    const told = { runId: subject.runId, status: 'CANCELLED' as const };
    await recordRun({ run, planKey, status: 'COMPLETED', recovered: told, warnings: [] }, world);
    const left = expect.stringContaining(`(ringvault-${subject.runId}-1, ringvault-${subject.runId}-2)`);
    const warnings = (await world.catalog.readRun(CLUSTER, subject.runId))?.warnings ?? [];
    expect(warnings).toEqual([left, left, left]);
    expect(warnings[0]).toContain(`${first} was not online`);
    expect(warnings[1]).toContain(`the node of ${second} was down`);
    expect(warnings[2]).toContain(`${third} did not answer`);
  });

  it('keeps the cause that FailRun found', async () => {
    const world = newWorld();
    const { run } = await uploadedBackup(world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    const error = { errorName: 'DataRot', message: 'm', hint: 'h' };
    if (record) await world.catalog.putRun(run, { ...record, error });
    stop(world, run, 'FAILED');
    expect((await recovered(world, run)).history).toMatchObject({ status: 'FAILED', error });
  });
});

describe('PlanRecovery of a restore', () => {
  async function stoppedRestore(phase: string, restore: Parameters<typeof plannedRestore>[1] = {}) {
    const world = newWorld();
    await completedBackup(world);
    if (restore?.request?.['operation']) await completedRestore(world);
    const { run } = await plannedRestore(world, { at: 600, ...restore });
    for (const { instanceId, hostId } of hosts) {
      await world.catalog.putNode(run, { instanceId, hostId, status: 'STARTED', phase });
    }
    stop(world, run);
    return { world, run };
  }

  it.each<[SwapState[], string]>([
    [['placed', 'placed', 'placed'], 'forward'],
    [['placed', 'none', 'none'], 'back'],
    [['placed', 'partly-placed', 'placed'], 'back'],
    [['put-back', 'placed', 'none'], 'back'],
    [['put-back', 'partly-put-back', 'none'], 'back'],
    [['none', 'none', 'none'], 'none'],
    [['put-back', 'none', 'put-back'], 'back'],
  ])('brings %j all %s, and starts every node', async (swaps, direction) => {
    const { world, run } = await stoppedRestore('place');
    const { plan } = await planned(world, run, swaps);
    expect(plan).toMatchObject({ status: 'CANCELLED', direction });
    expect(await readHosts(world, plan.nodesKey)).toEqual(hosts);
    expect(await readHosts(world, plan.seedsKey)).toEqual(hosts.slice(0, 1));
    expect(await readHosts(world, plan.othersKey)).toEqual(hosts.slice(1));
    expect(await readDocument(world, plan.planKey, recoveryPlan)).toMatchObject({ restoreRunId: run.runId });
  });

  it('is not undoable once it is back, and is once it is forward', async () => {
    const back = await stoppedRestore('place');
    expect((await recovered(back.world, back.run, ['placed', 'none', 'none'])).history?.undo).toBeUndefined();
    const forward = await stoppedRestore('start');
    const { history } = await recovered(forward.world, forward.run, ['placed', 'placed', 'placed']);
    expect(history).toMatchObject({ status: 'CANCELLED', undo: 'possible' });
  });

  it('refuses to choose while a host that may be swapped does not answer', async () => {
    for (const phase of ['stop', 'place']) {
      const { world, run } = await stoppedRestore(phase);
      const refused = planned(world, run, ['none', undefined, 'none']);
      await expect(refused).rejects.toMatchObject({ name: 'RecoveryIncomplete' });
      await expect(refused).rejects.toThrow(hosts[1]?.instanceId);
    }
  });

  it.each(['stop-clients', 'settle-writes'])(
    'lets clients in again after %s, on the hosts that answer',
    async (phase) => {
      const { world, run } = await stoppedRestore(phase);
      const { plan, history } = await recovered(world, run, ['none', undefined, 'none']);
      const lists = [...(await readHosts(world, plan.seedsKey)), ...(await readHosts(world, plan.othersKey))];
      expect(plan.direction).toBe('none');
      expect(lists.map(({ instanceId }) => instanceId)).toEqual([hosts[0]?.instanceId, hosts[2]?.instanceId]);
      expect(history?.warnings.join()).toMatch(/i-00000000000000002 did not answer.*nodetool enablebinary/);
    },
  );

  it('leaves nodes alone that were never stopped, reachable or not', async () => {
    const { world, run } = await stoppedRestore('download');
    const { plan } = await planned(world, run, ['none', undefined, 'none']);
    expect(plan).toMatchObject({ direction: 'none', seedsKey: '', othersKey: '' });
    expect(plan.nodesKey).toBe('');
  });

  it.each<[SwapState[], string, number]>([
    [['none', 'none', 'none'], 'none', 2],
    [['placed', 'none', 'none'], 'back', 2],
    [['placed', 'placed', 'placed'], 'forward', 3],
  ])('with %j starts the nodes that served before, all %s', async (swaps, direction, started) => {
    const down = { more: { 1: { cassandra: 'down' as const } } };
    const { world, run } = await stoppedRestore('place', down);
    const { plan, history } = await recovered(world, run, swaps);
    const lists = [...(await readHosts(world, plan.seedsKey)), ...(await readHosts(world, plan.othersKey))];
    expect(plan.direction).toBe(direction);
    expect(lists).toHaveLength(started);
    expect(await readHosts(world, plan.nodesKey)).toHaveLength(3);
    const told = history?.warnings.join().includes(`${hosts[1]?.instanceId} was down before the restore`);
    expect(told).toBe(started === 2);
  });

  it.each<[string, string, SwapState[], RegExp]>([
    ['restore', 'download', ['none', 'none', 'none'], /serves the data from before the restore$/],
    ['restore', 'place', ['placed', 'none', 'none'], /serves the data from before the restore$/],
    ['restore', 'start', ['placed', 'placed', 'placed'], /serves the restored data.*ringvault undo demo \w+/],
    ['undo', 'describe', ['placed', 'placed', 'placed'], /serves the restored data.*ringvault undo demo \w+/],
    ['undo', 'put-back', ['put-back', 'placed', 'placed'], /serves the data from before restore \w+/],
  ])('says which data is live after a %s that ended at %s with %j', async (operation, phase, swaps, says) => {
    const restore = operation === 'undo' ? { name: 'undo', at: 900, request: { operation } } : {};
    const { world, run } = await stoppedRestore(phase, restore);
    const { history } = await recovered(world, run, swaps);
    expect(history?.warnings).toEqual([expect.stringMatching(says)]);
  });

  it('says that nothing was changed by a restore that came to no plan', async () => {
    const world = newWorld();
    const run = await claimedRun(world, { workflow: 'restore' });
    stop(world, run, 'FAILED');
    const swaps: SwapState[] = ['none', 'none', 'none'];
    expect((await recovered(world, run, swaps)).history?.warnings).toEqual([
      expect.stringContaining('Nothing was changed'),
    ]);
  });

  it('ends a half-done undo undone, and says so of the restore', async () => {
    const { world, run } = await stoppedRestore('put-back', {
      name: 'undo',
      at: 900,
      request: { operation: 'undo' },
    });
    const { plan, history } = await recovered(world, run, ['put-back', 'placed', 'placed']);
    expect(plan).toMatchObject({ direction: 'back' });
    const restore = await world.catalog.readRun(CLUSTER, history?.restoreRunId ?? '');
    expect(restore).toMatchObject({ workflow: 'restore', undo: 'undone' });
  });

  it('knows an undo that was put back everywhere for undone, and says nothing of one where a host knows nothing', async () => {
    const undo = { name: 'undo', at: 900, request: { operation: 'undo' } };
    const { world, run } = await stoppedRestore('start', undo);
    await expect(planned(world, run, ['none', 'put-back', 'put-back'])).rejects.toMatchObject({
      name: 'RecoveryIncomplete',
      message: expect.stringMatching(/got nothing of restore .* on i-00000000000000001/),
    });
    const again = await stoppedRestore('start', undo);
    const { plan, history } = await recovered(again.world, again.run, ['put-back', 'put-back', 'put-back']);
    expect(plan.direction).toBe('back');
    const restore = await again.world.catalog.readRun(CLUSTER, history?.restoreRunId ?? '');
    expect(restore).toMatchObject({ undo: 'undone' });
  });

  it('holds nobody up where an undo was refused because a host knows nothing of the restore', async () => {
    const undo = { name: 'undo', at: 900, request: { operation: 'undo' } };
    const { world, run } = await stoppedRestore('check-undo', undo);
    const { plan, history } = await recovered(world, run, ['none', 'placed', 'placed']);
    expect(plan).toMatchObject({ direction: 'none', seedsKey: '', othersKey: '' });
    const restore = await world.catalog.readRun(CLUSTER, history?.restoreRunId ?? '');
    expect(restore).toMatchObject({ undo: 'possible' });
  });

  it.each<[SwapState | undefined, string, RegExp]>([
    [undefined, 'released', /still kept on 2 of 3 hosts.*did not say/],
    ['placed', 'possible', /^$/],
  ])('takes a host that was asked to release and says %s for %s', async (first, undo, says) => {
    const release = { name: 'release', at: 900, request: { operation: 'release' } };
    const { world, run } = await stoppedRestore('release-old', release);
    const { history } = await recovered(world, run, [first, 'placed', 'placed']);
    expect(history?.warnings.join('; ')).toMatch(says);
    expect(await world.catalog.readRun(CLUSTER, history?.restoreRunId ?? '')).toMatchObject({ undo });
  });

  it('asks for a release again where it was ended while files were deleted', async () => {
    const release = { name: 'release', at: 900, request: { operation: 'release' } };
    const { world, run } = await stoppedRestore('release-old', release);
    const { history } = await recovered(world, run, ['released', 'released', 'released']);
    expect(history?.warnings.join()).toMatch(/may be there in part still: release it again by its run ID/);
  });

  it('leaves the restore undoable where the undo had not begun', async () => {
    const { world, run } = await stoppedRestore('stop', {
      name: 'undo',
      at: 900,
      request: { operation: 'undo' },
    });
    const { plan, history } = await recovered(world, run, ['placed', 'placed', 'placed']);
    expect(plan).toMatchObject({ direction: 'forward' });
    expect(await world.catalog.readRun(CLUSTER, history?.restoreRunId ?? '')).toMatchObject({
      undo: 'possible',
    });
  });

  it('stops nothing for a release, and says what is still kept', async () => {
    const release = { name: 'release', at: 900, request: { operation: 'release' } };
    const { world, run } = await stoppedRestore('release-old', release);
    const { plan, history } = await recovered(world, run, ['released', 'placed', undefined]);
    expect(plan).toMatchObject({ direction: 'none', seedsKey: '', othersKey: '' });
    expect(history?.warnings.join()).toContain('still kept on 1 of 3 hosts');
    const restoreRunId = history?.restoreRunId ?? '';
    expect(await world.catalog.readRun(CLUSTER, restoreRunId)).toMatchObject({ undo: 'released' });
  });

  it('plans and records the same wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const { world, run: subject } = await stoppedRestore('place');
      const { run, subject: found } = await claimed(world, subject.executionArn);
      const { hostsKey } = await discoverHosts({ run, tolerateUnreachable: true }, world);
      await answer<'end-run'>(world, run, 'end-run', [ended('placed'), ended('none'), ended('none')]);
      const step = async (ports: World) => {
        const { planKey, status } = await planRecovery(
          { run, subject: found, hostsKey, unreachable: [] },
          ports,
        );
        const told = { runId: subject.runId, status };
        return recordRun({ run, planKey, status: 'COMPLETED', recovered: told, warnings: [] }, ports);
      };
      return { world, step };
    }));
});

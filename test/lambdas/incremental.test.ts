// Incremental backups as the steps see them: what they go on from, gaps, the seal, and the restore of a chain.
import { describe, expect, it } from 'vitest';
import type { ActionOutput } from '../../contracts/actions.ts';
import { actionDocument } from '../../contracts/actions.ts';
import { clusterConfiguration } from '../../contracts/configuration.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { clusterManifest } from '../../contracts/manifests.ts';
import { backupPlan, restorePlan } from '../../contracts/plans.ts';
import { checkIncrements } from '../../lambdas/check-increments.ts';
import { planRestore } from '../../lambdas/plan-restore.ts';
import { sealBackup } from '../../lambdas/seal-backup.ts';
import { startAction } from '../../lambdas/start-action.ts';
import { readDocument, serialize, sha256Of } from '../../lambdas/vault/documents.ts';
import { answerCollected, answerUploads, headerOf } from './support/answers.ts';
import { completedBackup, plannedBackup, sealedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { completedRestore, describedRestore, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, hosts, newWorld, type World } from './support/world.ts';

const incremental = (name: string, at: number, more: object = {}) => ({
  ...{ name, at, request: { kind: 'incremental', ...more } },
});
const linkTo = (world: World, backupId: string) => ({
  backupId,
  manifestSha256: sha256Of(world.vault.objects.get(world.layout.clusterManifest(CLUSTER, backupId)) ?? ''),
});
const manifestOf = (world: World, backupId: string) =>
  readDocument(world, world.layout.clusterManifest(CLUSTER, backupId), clusterManifest);

async function planned(world: World, claim: object) {
  const { planKey, kind } = await plannedBackup(world, claim);
  return { kind, plan: await readDocument(world, planKey, backupPlan) };
}

describe('PlanBackup', () => {
  it('goes on from the newest of the newest base’s chain', async () => {
    const world = newWorld();
    await completedBackup(world, { name: 'old' });
    const base = await completedBackup(world, { name: 'base', at: 60 });
    const first = await completedBackup(world, incremental('first', 120));
    const { kind, plan } = await planned(world, incremental('second', 180));
    expect({ kind, base: plan.base, previous: plan.previous, gaps: plan.gaps }).toEqual({
      ...{
        kind: 'incremental',
        base: linkTo(world, base.runId),
        previous: linkTo(world, first.runId),
        gaps: [],
      },
    });
  });

  it('never goes on from a backup that was not sealed', async () => {
    const world = newWorld();
    await plannedBackup(world, { name: 'unsealed' }).then(({ run }) => world.catalog.release(run));
    const { plan } = await planned(world, incremental('first', 60));
    expect({ base: plan.base, gaps: plan.gaps }).toEqual({
      base: undefined,
      gaps: [expect.stringMatching(/no completed backup/)],
    });
  });

  it('goes on from the one that is named, and tells what another chain took since', async () => {
    const world = newWorld();
    const old = await completedBackup(world, { name: 'old' });
    await completedBackup(world, { name: 'base', at: 60 });
    const other = await completedBackup(world, incremental('first', 120));
    const { plan } = await planned(world, incremental('second', 180, { base: old.runId }));
    expect(plan.base).toEqual(linkTo(world, old.runId));
    expect(plan.gaps).toEqual([expect.stringContaining(other.runId)]);
  });

  it.each([
    ['is not there', () => '20200101t000000z-00000000', 'UnknownBackup'],
    ['is an incremental', (increment: string) => increment, 'InvalidRequest'],
  ])('refuses a base that %s', async (_what, base, name) => {
    const world = newWorld();
    await completedBackup(world, { name: 'base' });
    const increment = await completedBackup(world, incremental('first', 60));
    const refused = plannedBackup(world, incremental('second', 120, { base: base(increment.runId) }));
    await expect(refused).rejects.toMatchObject({ name });
  });

  it('tells a node that the base does not have', async () => {
    const world = newWorld();
    const { run } = await sealedBackup(world, { name: 'base' });
    const key = world.layout.clusterManifest(CLUSTER, run.runId);
    const manifest = await manifestOf(world, run.runId);
    world.vault.objects.set(key, Buffer.from(serialize({ ...manifest, nodes: manifest.nodes.slice(1) })));
    await world.catalog.release(run);
    const { plan } = await planned(world, incremental('first', 60));
    expect(plan.gaps).toEqual([expect.stringContaining(`does not have the node ${hosts[0]?.hostId}`)]);
  });

  it('tells a chain that is as long as it may be', async () => {
    const cluster = clusterConfiguration.parse({
      ...configuration.cluster,
      incremental: { longestChain: 2 },
    });
    const world = { ...newWorld(), clusters: { [CLUSTER]: { ...configuration, cluster } } };
    const base = await completedBackup(world, { name: 'base' });
    await completedBackup(world, incremental('first', 60));
    await completedBackup(world, incremental('second', 120));
    const { plan } = await planned(world, incremental('third', 180));
    expect(plan.gaps).toEqual([expect.stringContaining(`${base.runId} has 2 incrementals`)]);
  });

  it('tells a restore and an undo that came in between, and no dry run', async () => {
    const world = newWorld();
    await completedBackup(world, { name: 'base' });
    await completedRestore(world, { name: 'dry', at: 60, request: { dryRun: true } });
    const restore = await completedRestore(world, { name: 'restore', at: 120 });
    const undo = await completedRestore(world, { name: 'undo', at: 180, request: { operation: 'undo' } });
    const { plan } = await planned(world, incremental('first', 240));
    expect(plan.gaps.sort()).toEqual([
      expect.stringContaining(`restore ${restore.runId} came in between`),
      expect.stringContaining(`undo ${undo.runId} came in between`),
    ]);
  });

  it('tells a restore that came while the run waited for the cluster', async () => {
    const world = newWorld();
    await completedBackup(world, { name: 'base' });
    const restore = await completedRestore(world, { name: 'restore', at: 300 });
    const { plan } = await planned(world, incremental('waited', 60));
    expect(plan.gaps).toEqual([expect.stringContaining(`restore ${restore.runId} came in between`)]);
  });

  it.each([
    ['the only one there is', {}],
    ['the one that is named', { named: true }],
  ])(
    'tells a base that was taken of other tables: %s',
    async (_what, { named = false }: { named?: boolean }) => {
      const world = newWorld();
      const keyspaces = { include: ['app'] };
      const { runId } = await completedBackup(world, { name: 'base', request: { keyspaces } });
      const { plan } = await planned(world, incremental('first', 60, named ? { base: runId } : {}));
      expect(plan.gaps).toEqual([expect.stringContaining(`${runId} was taken of other tables`)]);
    },
  );

  it('passes over an increment of none of its nodes, and tells one that lacks some', async () => {
    const world = newWorld();
    const [first, second] = hosts.map(({ instanceId }) => instanceId);
    const base = await completedBackup(world, { name: 'base' });
    const own = await completedBackup(world, incremental('own', 60, { nodes: [first] }));
    const other = await planned(world, incremental('other', 120, { nodes: [second] }));
    expect(other.plan).toMatchObject({ previous: linkTo(world, base.runId), gaps: [] });
    const run = (await world.catalog.listRuns(CLUSTER))[0];
    const lock = await world.catalog.readLock(CLUSTER);
    if (run && lock) await world.catalog.release({ ...lock, startedAt: run.startedAt, configurationKey: '' });
    const { plan } = await planned(world, incremental('all', 180));
    expect(plan.gaps).toEqual(
      hosts
        .slice(1)
        .map(({ hostId }) => expect.stringMatching(new RegExp(`${own.runId}.*without the node ${hostId}`))),
    );
  });

  it('does not fail for a manifest that cannot be read, and tells that it may have taken something', async () => {
    const world = newWorld();
    await completedBackup(world, { name: 'base' });
    const { runId } = await completedBackup(world, { name: 'newer', at: 60 });
    world.vault.objects.set(
      world.layout.clusterManifest(CLUSTER, runId),
      Buffer.from('{"formatVersion": 9}'),
    );
    const { plan } = await planned(world, incremental('first', 120));
    expect(plan.gaps).toEqual([expect.stringMatching(new RegExp(`${runId}, .*not readable`))]);
  });

  it('names the objects of the whole chain as stored', async () => {
    const world = newWorld();
    const base = await completedBackup(world, { name: 'base' });
    const first = await completedBackup(world, incremental('first', 60));
    const { plan } = await planned(world, { name: 'next', at: 120 });
    expect(plan.nodes.map(({ previous }) => previous.map(({ backupId }) => backupId))).toEqual(
      hosts.map(() => [base.runId, first.runId]),
    );
  });
});

type Collected = Record<number, Partial<ActionOutput<'collect-increments'>>>;

async function collected(more: Collected = {}, onGap: 'base' | 'fail' = 'base') {
  const world = newWorld();
  const cluster = { ...configuration.cluster, incremental: { onGap } };
  Object.assign(world.clusters, { [CLUSTER]: { ...configuration, cluster } });
  await completedBackup(world, { name: 'base' });
  const { run, planKey } = await plannedBackup(world, incremental('first', 60));
  await answerCollected(world, run, 1, more);
  const input = { run, planKey, round: 1 };
  return { world, input, plan: () => readDocument(world, planKey, backupPlan) };
}

describe('CheckIncrements', () => {
  it('goes on where no host tells a gap', async () => {
    const { world, input, plan } = await collected();
    expect(await checkIncrements(input, world)).toEqual({ outcome: 'consistent', spreadMs: 490 });
    expect((await plan()).kind).toBe('incremental');
  });

  it('makes it a whole backup where one does, and says why', async () => {
    const { world, input, plan } = await collected({ 1: { gaps: ['app.users was truncated'] } });
    expect(await checkIncrements(input, world)).toMatchObject({ outcome: 'base-needed' });
    const { kind, base, previous, warnings } = await plan();
    expect({ kind, base, previous }).toEqual({ kind: 'snapshot', base: undefined, previous: undefined });
    expect(warnings).toEqual([
      `A whole backup was taken, not an incremental: ${hosts[1]?.instanceId}: app.users was truncated`,
    ]);
  });

  it('fails instead where policy says so, naming every reason', async () => {
    const gaps = { 0: { gaps: ['one'] }, 2: { gaps: ['two', 'three'] } };
    const { world, input, plan } = await collected(gaps, 'fail');
    const refused = checkIncrements(input, world);
    await expect(refused).rejects.toMatchObject({ name: 'IncrementalGap' });
    await expect(refused).rejects.toThrow(/one; i-.*: two; three/);
    expect((await plan()).kind).toBe('incremental');
  });

  it('is a base where there is none yet, whatever policy says', async () => {
    const world = newWorld();
    const cluster = { ...configuration.cluster, incremental: { onGap: 'fail' as const } };
    Object.assign(world.clusters, { [CLUSTER]: { ...configuration, cluster } });
    const { run, planKey } = await plannedBackup(world, incremental('first', 0));
    await answerCollected(world, run, 1, {});
    expect(await checkIncrements({ run, planKey, round: 1 }, world)).toMatchObject({
      outcome: 'base-needed',
    });
  });

  it('is taken again after a change of the schema', async () => {
    const schemaVersion = '22222222-1111-4111-8111-111111111111';
    const { world, input } = await collected({ 0: { schemaVersion, gaps: ['one'] } });
    expect(await checkIncrements(input, world)).toMatchObject({ outcome: 'retake' });
    await answerCollected(world, input.run, 2, { 0: { schemaVersion } });
    await expect(checkIncrements({ ...input, round: 2 }, world)).rejects.toMatchObject({
      name: 'SchemaChanged',
    });
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const { world, input } = await collected({ 0: { gaps: ['one'] } });
      return { world, step: (ports) => checkIncrements(input, ports) };
    }));
});

describe('an incremental', () => {
  it('is sealed with what it goes on from, and shows what was written before the first node began', async () => {
    const world = newWorld();
    const base = await completedBackup(world, { name: 'base' });
    const { run, planKey } = await plannedBackup(world, incremental('first', 60));
    const times = headerOf(run, 1).snapshot;
    await answerCollected(world, run);
    await answerUploads(world, run, { 1: { snapshot: { ...times, askedAt: '2026-11-21T02:00:10.000Z' } } });
    await sealBackup({ run, planKey, spreadMs: 0 }, world);
    expect(await manifestOf(world, run.runId)).toMatchObject({
      kind: 'incremental',
      base: linkTo(world, base.runId),
      previous: linkTo(world, base.runId),
      snapshotAt: '2026-11-21T02:00:10.000Z',
    });
  });

  it('is sealed without a file where nothing was written, and its history says so', async () => {
    const world = newWorld();
    await completedBackup(world, { name: 'base' });
    const tables = headerOf({ runId: '20261121t020000z-00000000', clusterId: CLUSTER }, 0).tables;
    const empty = {
      ...{
        tables: tables.map((table) => ({ ...table, files: 0, bytes: 0, sstables: 0 })),
        files: 0,
        bytes: 0,
      },
      listing: {
        ...headerOf({ runId: '20261121t020000z-00000000', clusterId: CLUSTER }, 0).listing,
        lines: 0,
      },
    };
    const run = await completedBackup(world, incremental('first', 60), { 0: empty, 1: empty, 2: empty });
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    expect(record).toMatchObject({ kind: 'incremental', files: 0 });
    expect(record?.warnings).toContainEqual(expect.stringMatching(/Nothing was written/));
  });

  it('is collected from what is planned, uploaded as such, and released by the header that was sealed', async () => {
    const world = newWorld();
    const base = await completedBackup(world, { name: 'base' });
    const { run, planKey } = await sealedBackup(world, incremental('first', 60));
    const [host] = hosts;
    if (!host) throw new Error('a host');
    const policy = { heartbeatSeconds: 120, actionTimeoutSeconds: 3_600, hostsAtOnce: 10 };
    const inputOf = async (action: 'collect-increments' | 'upload' | 'release-increments') => {
      const asked = { run, host, action, phase: action, planKey, parameters: {}, policy, taskToken: 'token' };
      await startAction(asked, world);
      const key = world.layout.action(host.instanceArn, actionIdOf(run.runId, action));
      return (await readDocument(world, key, actionDocument)).input;
    };
    expect(await inputOf('collect-increments')).toMatchObject({ baseId: base.runId, previousId: base.runId });
    expect(await inputOf('upload')).toMatchObject({ kind: 'incremental', incrementalBackups: true });
    const [node] = (await manifestOf(world, run.runId)).nodes;
    const { headerSha256, listingSha256, instanceArn } = node ?? {};
    expect(await inputOf('release-increments')).toEqual({
      source: { clusterId: CLUSTER, backupId: run.runId, instanceArn, headerSha256, listingSha256 },
    });
  });
});

describe('PlanRestore', () => {
  async function chain() {
    const world = newWorld();
    const base = await completedBackup(world, { name: 'base' });
    const first = await completedBackup(world, incremental('first', 60));
    const second = await completedBackup(world, incremental('second', 120));
    return { world, base, first, second };
  }

  it('plans the newest with all that it goes on from, the base first', async () => {
    const { world, base, first, second } = await chain();
    const { planKey, summary } = await plannedRestore(world);
    expect(summary).toMatchObject({ backupId: second.runId, goesOnFrom: [base.runId, first.runId] });
    const plan = await readDocument(world, planKey, restorePlan);
    expect(plan.backupId).toBe(second.runId);
    for (const node of plan.nodes) {
      expect(node.sources.map(({ backupId }) => backupId)).toEqual([base.runId, first.runId, second.runId]);
      expect(node.bytes).toBe(6_000);
    }
  });

  it('plans the base alone where only the snapshot is asked for', async () => {
    const { world, base, first } = await chain();
    const request = { backupId: first.runId, snapshotOnly: true };
    const { planKey } = await plannedRestore(world, { request });
    const plan = await readDocument(world, planKey, restorePlan);
    expect(plan.backupId).toBe(base.runId);
    expect(plan.nodes.map(({ sources }) => sources.map(({ backupId }) => backupId))).toEqual(
      hosts.map(() => [base.runId]),
    );
  });

  it('does not take an incremental for whole whose manifest does not say what it goes on from', async () => {
    const { world, second } = await chain();
    const { previous: _, ...manifest } = await manifestOf(world, second.runId);
    const key = world.layout.clusterManifest(CLUSTER, second.runId);
    world.vault.objects.set(key, Buffer.from(serialize(manifest)));
    const refused = planRestore(await describedRestore(world), world);
    await expect(refused).rejects.toMatchObject({ name: 'InvalidDocument' });
  });

  it.each(['gone', 'another'])('refuses a chain of which a link is %s', async (what) => {
    const { world, base } = await chain();
    const key = world.layout.clusterManifest(CLUSTER, base.runId);
    if (what === 'gone') world.vault.objects.delete(key);
    else {
      const manifest = await manifestOf(world, base.runId);
      world.vault.objects.set(key, Buffer.from(serialize({ ...manifest, snapshotSpreadMs: 1 })));
    }
    const refused = planRestore(await describedRestore(world), world);
    await expect(refused).rejects.toMatchObject({ name: 'BackupDamaged' });
    await expect(refused).rejects.toThrow(base.runId);
  });
});

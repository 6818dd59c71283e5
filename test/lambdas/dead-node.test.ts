// One node brought back with its identity on a host that has none: what is planned, what refuses it, and its recovery.
import { describe, expect, it } from 'vitest';
import type { SwapState } from '../../contracts/actions.ts';
import { type RestorePlan, restorePlan } from '../../contracts/plans.ts';
import { restoreRequest } from '../../contracts/requests.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { checkDead } from '../../lambdas/check-dead.ts';
import { claimRecovery } from '../../lambdas/claim-recovery.ts';
import { discoverHosts } from '../../lambdas/discover-hosts.ts';
import { failAction } from '../../lambdas/fail-action.ts';
import { planRecovery } from '../../lambdas/plan-recovery.ts';
import { directionOf } from '../../lambdas/planning/swap-direction.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answer, answerDescribe, headerOf, ring, schema, USERS_ID } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import { answerPlaced, completedRestore, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, executionOf, hosts, newWorld, START, type World } from './support/world.ts';

const [first, second, dead] = hosts;
if (!first || !second || !dead) throw new Error('three hosts');
const OTHER_VERSION = '22222222-2222-4222-8222-222222222222';
const deadNode = { node: dead.hostId, newInstanceId: dead.instanceId };

/** As the hosts tell it: the third is new, and the two others miss its node. */
const EMPTY_HOST = {
  ...{ cassandra: 'down' as const, downReason: 'nobody listens', hostId: undefined, clusterName: undefined },
  ...{ datacenter: undefined, rack: undefined, address: undefined, cassandraVersion: undefined },
  ...{ readableFormats: undefined, schemaVersion: undefined, ringDigest: undefined, notUpNormal: undefined },
};
const missing = { notUpNormal: ['10.0.0.3 (DN)'] };
const LOST = { 0: missing, 1: missing, 2: EMPTY_HOST };
const DOWN = { cassandra: 'down' as const };
type Answers = NonNullable<NonNullable<Parameters<typeof plannedRestore>[1]>['more']>;

const system = (table: string, digit: string, keyspace = 'system') => ({
  ...{ keyspace, table, tableId: digit.repeat(32), files: 9, bytes: 500, sstables: 1 },
});

async function backedUp(): Promise<World> {
  const world = newWorld();
  const run = { runId: '', clusterId: CLUSTER };
  const { tables, listing } = headerOf(run, 0);
  const all = [
    ...tables,
    ...[system('local', '1'), system('paxos', '2'), system('batches', '3')],
    system('tables', '4', 'system_schema'),
  ];
  const header = { tables: all, files: 63, bytes: 5_000, listing: { ...listing, lines: 63 } };
  await completedBackup(world, {}, { 0: header, 1: header, 2: header });
  return world;
}

interface Planned {
  more?: Answers;
  request?: object;
  live?: object;
  name?: string;
  at?: number;
}

async function planned(
  world: World,
  { more = LOST, request = {}, live = {}, name = 'restore', at = 600 }: Planned = {},
) {
  const asked = { request: { deadNode, ...request }, more, live, name, at };
  const answered = await plannedRestore(world, asked);
  return { ...answered, plan: await readDocument(world, answered.planKey, restorePlan) };
}

describe('a dead node', () => {
  it('gets all that it had on the new host: its own tables, and the schema of the others', async () => {
    const world = await backedUp();
    const { plan, ...answered } = await planned(world);
    expect(answered).toMatchObject({ deadNode: true, quietKey: '', schemaNodeKey: '' });
    expect(answered.summary).toMatchObject({ bringsBack: [`${dead.hostId} on ${dead.instanceId}`] });
    expect(plan.nodes).toMatchObject([{ instanceId: dead.instanceId, hostId: dead.hostId, bytes: 3_500 }]);
    expect(plan.tables.map(({ keyspace, table }) => `${keyspace}.${table}`)).toEqual([
      ...['app.Orders', 'app.users', 'system_auth.roles', 'system.local'],
    ]);
    expect(plan.deadNode).toEqual({
      others: [first, second].map(({ instanceId, instanceArn }) => ({ instanceId, instanceArn })),
      ...{ readableFormats: ['nb'], clusterName: 'Demo', notAfter: '2026-12-01T02:00:20.000Z' },
    });
    expect(plan.warnings.join('; ')).toMatch(
      /the node is repaired at the end; .* before 2026-12-01T02:00:20/,
    );
  });

  it('is repaired in full at the end, unless that is not wanted', async () => {
    const world = await backedUp();
    const { plan, repairKey, run } = await planned(world);
    expect(await readHosts(world, repairKey)).toMatchObject([{ instanceId: dead.instanceId }]);
    expect(plan.repair).toEqual({ primaryRange: false });
    const [host] = await readHosts(world, repairKey);
    if (!host) throw new Error('a host');
    const planKey = world.layout.plan(CLUSTER, run.runId);
    const asked = { run, host, planKey, parameters: {}, cluster: configuration.cluster };
    expect(await actionInputs.repair(asked, world)).toEqual({ keyspaces: [], primaryRange: false });
    expect(await actionInputs.start(asked, world)).toEqual({ awaitsSchema: true });
    for (const action of ['place', 'check-restore'] as const)
      expect(await actionInputs[action](asked, world)).toMatchObject({
        newHost: { readableFormats: ['nb'] },
      });
    await world.catalog.release(run);
    const unrepaired = await plannedRestore(world, {
      ...{ name: 'unrepaired', at: 900, more: LOST, request: { deadNode, repair: false } },
    });
    expect(unrepaired.repairKey).toBe('');
  });

  it('may be named by the instance that it was on', async () => {
    const { plan } = await planned(await backedUp(), {
      request: { deadNode: { ...deadNode, node: dead.instanceId } },
    });
    expect(plan.nodes[0]?.hostId).toBe(dead.hostId);
  });

  it('gets no table that was dropped or truncated since: the repair would spread it', async () => {
    const world = await backedUp();
    const at = (time: string) => ({ truncatedAt: { [USERS_ID]: time } });
    const tablesOf = async (name: string, when: number, more: Answers, live = {}) => {
      const { plan, run } = await planned(world, { more, live, name, at: when });
      await world.catalog.release(run);
      return plan;
    };
    const earlier = await tablesOf('earlier', 600, {
      ...LOST,
      1: { ...missing, ...at('2026-11-21T02:00:19.999Z') },
    });
    expect(earlier.tables.map(({ table }) => table)).toContain('users');
    const since = await tablesOf('since', 900, {
      ...LOST,
      1: { ...missing, ...at('2026-11-21T02:00:21.000Z') },
    });
    expect(since.tables.map(({ table }) => table)).not.toContain('users');
    expect(since.warnings.join()).toMatch(/left to the repair: app\.users/);
    const dropped = { schema: { ...schema, tables: schema.tables.filter(({ id }) => id !== USERS_ID) } };
    const gone = await tablesOf('gone', 1_200, LOST, dropped);
    expect(gone.tables.map(({ table }) => table)).not.toContain('users');
  });

  it('does not come back beside counters without a word: it would count on from what it had', async () => {
    const world = newWorld();
    const counting = schema.tables.map((table) => ({
      ...table,
      columns: table.columns.map((column) =>
        column.name === 'value' ? { ...column, type: 'counter' } : column,
      ),
    }));
    const live = { schema: { ...schema, tables: counting } };
    await completedBackup(world, {}, {}, live);
    await expect(planned(world, { live })).rejects.toMatchObject({
      name: 'CountersAtRisk',
      message: expect.stringContaining('app.users'),
    });
    await releaseLock(world);
    const request = { ignoreCounters: true };
    expect((await planned(world, { live, request, name: 'though', at: 900 })).deadNode).toBe(true);
  });

  it('does not come back from a backup that the cluster was restored to another state after', async () => {
    const world = newWorld();
    const { runId } = await completedBackup(world);
    const newer = await completedBackup(world, { name: 'newer', at: 60 });
    await completedRestore(world, { name: 'back', at: 300, request: { backupId: runId } });
    await expect(planned(world, { request: { backupId: newer.runId } })).rejects.toMatchObject({
      name: 'RestoredSince',
      message: expect.stringMatching(/got restore .* \(COMPLETED\) after it/),
    });
    await releaseLock(world);
    // What it was restored to is what it goes on from.
    const { plan } = await planned(world, { request: { backupId: runId }, name: 'same', at: 900 });
    expect(plan.backupId).toBe(runId);
  });

  it('is neither placed nor repaired once its replicas may have forgotten deletions', async () => {
    const world = await backedUp();
    const { run, planKey } = await planned(world);
    const asked = { run, host: dead, planKey, parameters: {}, cluster: configuration.cluster };
    await world.clock.sleep(11 * 86_400_000);
    for (const action of ['place', 'repair'] as const)
      await expect(actionInputs[action](asked, world)).rejects.toMatchObject({ name: 'GcGracePassed' });
  });

  it('takes what an earlier restore kept for undo with its host: no undo, and a release of the others', async () => {
    const world = await backedUp();
    const earlier = await completedRestore(world, { name: 'earlier', at: 300 });
    const { run, planKey } = await planned(world, {
      request: { backupId: (await world.catalog.readRun(CLUSTER, earlier.runId))?.backupId },
    });
    await answerPlaced(world, run);
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    await world.catalog.release(run);
    const undo = { operation: 'undo', restoreRunId: earlier.runId };
    await expect(plannedRestore(world, { name: 'undo', at: 900, request: undo })).rejects.toMatchObject({
      name: 'TopologyMismatch',
      message: expect.stringMatching(/was not restored there/),
    });
    await releaseLock(world);
    const release = await plannedRestore(world, {
      ...{ name: 'release', at: 1_200, request: { ...undo, operation: 'release' } },
    });
    const { nodes, warnings } = await readDocument(world, release.planKey, restorePlan);
    expect(nodes.map(({ hostId }) => hostId)).toEqual([first.hostId, second.hostId]);
    expect(warnings.join()).toMatch(new RegExp(`${dead.hostId}, which was not restored there`));
  });

  it('is asked about once more before it is started', async () => {
    const world = await backedUp();
    const { run, planKey, witnessesKey } = await planned(world);
    expect((await readHosts(world, witnessesKey)).map(({ instanceId }) => instanceId)).toEqual([
      ...[first.instanceId, second.instanceId],
    ]);
    const answers = (more: Answers) => answerDescribe(world, run, 'describe-before-start', more);
    // Another that is down meanwhile does no harm.
    await answers({ ...LOST, 0: { notUpNormal: ['10.0.0.2 (DN)', '10.0.0.3 (DN)'] }, 1: DOWN });
    expect(await checkDead({ run, planKey }, world)).toEqual({});
    await answers({ ...LOST, 1: { notUpNormal: [] } });
    await expect(checkDead({ run, planKey }, world)).rejects.toMatchObject({ name: 'NodeNotDead' });
    await answers({ 0: DOWN, 1: DOWN, 2: EMPTY_HOST });
    await expect(checkDead({ run, planKey }, world)).rejects.toMatchObject({ name: 'NodeDown' });
  });

  it.each<{ swap: SwapState; phase: string; direction: string; starts: boolean; says: RegExp }>([
    { swap: 'none', phase: 'place', direction: 'none', starts: false, says: /has no node: do not start/ },
    { swap: 'partly-placed', phase: 'place', direction: 'back', starts: false, says: /has no node: do not/ },
    { swap: 'placed', phase: 'place', direction: 'back', starts: false, says: /has no node: do not start/ },
    {
      swap: 'placed',
      phase: 'start',
      direction: 'forward',
      starts: true,
      says: /perhaps not repaired: nodetool/,
    },
    { swap: 'released', phase: 'repair', direction: 'forward', starts: true, says: /perhaps not repaired/ },
  ])(
    'whose run dies is started by Recover only where it was: $swap in $phase',
    async ({ swap, phase, direction, starts, says }) => {
      const world = await backedUp();
      const { run } = await planned(world);
      await world.catalog.putNode(run, { instanceId: dead.instanceId, status: 'STARTED', phase });
      const swaps = [undefined, undefined, swap];
      const { plan, history } = await recoveredRun(world, run, swaps);
      expect(plan.direction).toBe(direction);
      expect([plan.seedsKey, plan.othersKey].some((key) => key !== '')).toBe(starts);
      expect(history?.warnings.join()).toMatch(says);
      expect(history?.warnings.join()).not.toMatch(/start it yourself/);
      expect(history?.undo).toBeUndefined();
    },
  );

  it.each<{ where: string; more: Answers; name: string; message: RegExp }>([
    {
      where: 'its host is there',
      more: { 0: missing, 1: missing },
      ...{ name: 'NodeNotDead', message: /\(up\), expected it on no host/ },
    },
    {
      where: 'its host is there, and down',
      more: { ...LOST, 1: { ...EMPTY_HOST, hostId: dead.hostId } },
      ...{ name: 'NodeNotDead', message: /\(down\), expected it on no host/ },
    },
    {
      where: 'the new host is its own, and not empty yet',
      more: { ...LOST, 2: { ...EMPTY_HOST, hostId: dead.hostId } },
      ...{ name: 'HostNotEmpty', message: /which is down; expected a host whose Cassandra was not started/ },
    },
    {
      where: 'a node sees it Up',
      more: { ...LOST, 1: { notUpNormal: [] } },
      ...{ name: 'NodeNotDead', message: new RegExp(`got Up by ${second.instanceId}`) },
    },
    {
      where: 'another node is down',
      more: { ...LOST, 1: { notUpNormal: ['10.0.0.3 (DN)', '10.0.0.1 (DN)'] } },
      ...{ name: 'NodeDown', message: /10\.0\.0\.1 \(DN\)/ },
    },
    {
      where: 'the new host has another node',
      more: { ...LOST, 2: { ...EMPTY_HOST, hostId: OTHER_VERSION } },
      ...{ name: 'HostNotEmpty', message: /got node 2222/ },
    },
    {
      where: 'the new host is guarded',
      more: { ...LOST, 2: { ...EMPTY_HOST, restoreAllowed: false } },
      ...{ name: 'RestoreNotAllowed', message: /guard/ },
    },
    {
      where: 'nobody is up',
      more: { 0: DOWN, 1: DOWN, 2: EMPTY_HOST },
      ...{ name: 'NodeDown', message: /expected all but the dead one/ },
    },
  ])('is not brought back where $where', async ({ more, name, message }) => {
    const world = await backedUp();
    await expect(planned(world, { more })).rejects.toMatchObject({
      name,
      message: expect.stringMatching(message),
    });
  });

  it('is not brought back on a host that is none of the cluster’s, nor as a node that the backup does not have', async () => {
    for (const other of [{ newInstanceId: 'i-0123456789abcdef0' }, { node: OTHER_VERSION }]) {
      await expect(
        planned(await backedUp(), { request: { deadNode: { ...deadNode, ...other } } }),
      ).rejects.toMatchObject({ name: 'NothingSelected' });
    }
  });

  it('is not brought back into a ring that has changed, or once its deletions may be forgotten', async () => {
    const nodes = ring.nodes.map((node, index) => (index === 0 ? { ...node, tokens: ['7', '8'] } : node));
    await expect(planned(await backedUp(), { live: { ring: { ...ring, nodes } } })).rejects.toMatchObject({
      name: 'TopologyMismatch',
    });
    const world = await backedUp();
    await world.clock.sleep(11 * 86_400_000);
    await expect(planned(world)).rejects.toMatchObject({ name: 'GcGracePassed' });
  });

  it('is whole once it has its host ID and everyone one schema; it replaced nothing', async () => {
    const world = await backedUp();
    // Dropped since, and not missed.
    const live = { schema: { ...schema, tables: [], statements: [] } };
    const { run, planKey } = await planned(world, { live });
    await answerPlaced(world, run);
    await answerDescribe(world, run, 'describe-after', {}, live);
    await answerBack(world, run, planKey);
    expect(await verifyRestore({ run, planKey }, world)).toMatchObject({ nodes: 1 });
    await answerDescribe(world, run, 'describe-after', { 0: { schemaVersion: OTHER_VERSION } }, live);
    await expect(verifyRestore({ run, planKey }, world)).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringMatching(/SchemaDisagreement/),
    });
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    expect((await world.catalog.readRun(CLUSTER, run.runId))?.undo).toBeUndefined();
  });

  it('that is released already when its run is killed is whole', () => {
    expect(directionOf(['released'])).toBe('forward');
  });

  it('that cannot be repaired is a warning, and no failure', async () => {
    const world = await backedUp();
    const { run } = await planned(world);
    const error = { Error: 'NodetoolFailed', Cause: 'nodetool repair -full: exit code 2: no neighbours' };
    await failAction({ run, host: dead, action: 'repair', phase: 'repair', error }, world);
    expect(await world.catalog.readNode(run.runId, dead.instanceId)).not.toMatchObject({ status: 'FAILED' });
    expect((await world.catalog.readRun(CLUSTER, run.runId))?.warnings.join()).toMatch(
      /repair on i-.*nodetool repair -full: exit code 2/,
    );
  });
});

/** The bytes that the plan expects were placed. */
async function answerBack(world: World, run: { runId: string }, planKey: string): Promise<void> {
  const { nodes }: RestorePlan = await readDocument(world, planKey, restorePlan);
  const bytes = nodes[0]?.bytes ?? 0;
  await answerPlaced(world, run, { files: 36, bytes });
}

async function releaseLock(world: World): Promise<void> {
  const lock = await world.catalog.readLock(CLUSTER);
  if (lock) await world.catalog.release({ ...lock, startedAt: START.toISOString(), configurationKey: '' });
}

/** Brought to its end by Recover, whose hosts say how the swap stands. */
async function recoveredRun(world: World, subject: RunRef, swaps: Array<SwapState | undefined>) {
  world.executions.known.set(subject.executionArn, { status: 'ABORTED', startedAt: START });
  const execution = { ...executionOf('recover', 'Recover'), startedAt: '2026-11-21T03:30:00.000Z' };
  world.executions.known.set(execution.arn, { status: 'RUNNING', startedAt: START });
  const asked = { request: { executionArn: subject.executionArn }, execution };
  const claimed = await claimRecovery(asked, world);
  if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome);
  const { run } = claimed;
  const { hostsKey, unreachable } = await discoverHosts({ run, tolerateUnreachable: true }, world);
  const ended = swaps.map((swap) => swap && { swap, cassandra: 'down' as const, cleared: [] });
  await answer<'end-run'>(world, run, 'end-run', ended);
  const plan = await planRecovery({ run, subject: claimed.subject, hostsKey, unreachable }, world);
  const recovered = { runId: subject.runId, status: plan.status };
  await recordRun({ run, planKey: plan.planKey, status: 'COMPLETED', recovered, warnings: [] }, world);
  return { plan, history: await world.catalog.readRun(CLUSTER, subject.runId) };
}

describe('a request for it', () => {
  it.each([
    { nodes: [dead.hostId] },
    { datacenter: 'dc1' },
    { keyspaces: { include: ['app'] } },
    { keyspaces: { include: ['app'] }, online: true },
    { sourceCluster: 'other' },
    { onlyBackedUpDatacenters: true },
  ])('says nothing else to choose by: %j', (more) => {
    const request = { clusterId: CLUSTER, deadNode };
    expect(restoreRequest.safeParse(request).success).toBe(true);
    expect(restoreRequest.safeParse({ ...request, ...more }).success).toBe(false);
  });
});

describe('repair after any other restore', () => {
  it('is of what was restored, on one node after another; of primary ranges where it was all nodes', async () => {
    const world = await backedUp();
    const request = { repair: true, keyspaces: { include: ['app.Orders'] } };
    const { plan, run, planKey, repairKey } = await plannedWith(world, request);
    expect(await readHosts(world, repairKey)).toHaveLength(3);
    expect(plan.repair).toEqual({ primaryRange: true });
    const asked = { run, host: first, planKey, parameters: {}, cluster: configuration.cluster };
    expect(await actionInputs.repair(asked, world)).toEqual({
      keyspaces: [{ keyspace: 'app', tables: ['Orders'] }],
      primaryRange: true,
    });
    expect(await actionInputs.start(asked, world)).toEqual({ awaitsSchema: false });
    await world.catalog.release(run);
    const ofOne = await plannedWith(world, { repair: true, nodes: [first.instanceId] }, 'one', 900);
    expect(ofOne.plan.repair).toEqual({ primaryRange: false });
    expect(ofOne.plan.warnings.join()).toMatch(/The restored nodes are repaired at the end/);
    expect(ofOne.plan.warnings.join()).not.toMatch(/Repair afterwards/);
  });

  it('is not done where nobody asked', async () => {
    const { plan, repairKey } = await plannedWith(await backedUp(), {});
    expect([plan.repair, repairKey]).toEqual([undefined, '']);
  });
});

async function plannedWith(world: World, request: object, name = 'restore', at = 600) {
  const answered = await plannedRestore(world, { name, at, request: { ...request } });
  return { ...answered, plan: await readDocument(world, answered.planKey, restorePlan) };
}

// One node brought back with its identity on a host that has none: what is planned, what refuses it, and its recovery.
import { describe, expect, it } from 'vitest';
import { restorePlan } from '../../contracts/plans.ts';
import { restoreRequest } from '../../contracts/requests.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { checkDead } from '../../lambdas/check-dead.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { answerDescribe, ring, schema, USERS_ID } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import {
  type Answers,
  backedUp,
  DOWN,
  deadNode,
  EMPTY_HOST,
  LOST,
  missing,
  NODES,
  OTHER_VERSION,
  planned,
  releaseLock,
} from './support/dead-node.ts';
import { answerPlaced, completedRestore, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, newWorld, type World } from './support/world.ts';

const [first, second, dead] = NODES;

/** The tables' values are counters. */
const counting = {
  ...schema,
  tables: schema.tables.map((table) => ({
    ...table,
    columns: table.columns.map((column) =>
      column.name === 'value' ? { ...column, type: 'counter' } : column,
    ),
  })),
};

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
      ...{ readableFormats: ['nb'], clusterName: 'Demo' },
    });
    expect(plan.notAfter).toBe('2026-12-01T02:00:20.000Z');
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

  it('does not mind counters, nor deletions, of a table that was dropped since', async () => {
    const world = newWorld();
    const short = schema.statements.map((each) =>
      each.name === 'users'
        ? { ...each, statement: `${each.statement.slice(0, -1)} AND gc_grace_seconds = 1;` }
        : each,
    );
    const counting = schema.tables.map((table) =>
      table.id === USERS_ID
        ? { ...table, columns: table.columns.map((column) => ({ ...column, type: 'counter' })) }
        : table,
    );
    await completedBackup(world, {}, {}, { schema: { ...schema, tables: counting, statements: short } });
    const live = {
      schema: {
        ...schema,
        tables: schema.tables.filter(({ id }) => id !== USERS_ID),
        statements: schema.statements.filter(({ name }) => name !== 'users'),
      },
    };
    const { plan } = await planned(world, { live });
    expect(plan.notAfter).toBe('2026-12-01T02:00:20.000Z');
  });

  it('does not come back beside counters without a word: it would count on from what it had', async () => {
    const world = newWorld();
    const live = { schema: counting };
    await completedBackup(world, {}, {}, live);
    await expect(planned(world, { live })).rejects.toMatchObject({
      name: 'CountersAtRisk',
      message: expect.stringContaining('app.users'),
    });
    await releaseLock(world);
    const request = { ignoreCounters: true };
    expect((await planned(world, { live, request, name: 'though', at: 900 })).deadNode).toBe(true);
  });

  describe('under a new host ID', () => {
    const replaced = { request: { deadNode: { ...deadNode, newHostId: true } } };

    it('gets what it had but for who it was, and takes the tokens of the one at its address', async () => {
      const world = await backedUp();
      const { plan, run, planKey, summary } = await planned(world, replaced);
      expect(plan.tables.map(({ keyspace, table }) => `${keyspace}.${table}`)).toEqual([
        ...['app.Orders', 'app.users', 'system_auth.roles'],
      ]);
      expect(plan.deadNode?.replaces).toBe('10.0.0.3');
      expect(summary).toMatchObject({ newHostId: true });
      expect(plan.warnings.join()).toMatch(
        /it has a new host ID: backups from before name a node that is no more/,
      );
      const asked = { run, host: dead, planKey, parameters: {}, cluster: configuration.cluster };
      expect(await actionInputs.start(asked, world)).toEqual({ awaitsSchema: true, replaces: '10.0.0.3' });
    });

    it('comes though other members have changed since, but not with other tokens than it had', async () => {
      const world = await backedUp();
      const [one, two, three] = ring.nodes;
      if (!one || !two || !three) throw new Error('three members');
      const other = { ...ring, nodes: [one, { ...two, hostId: OTHER_VERSION, tokens: ['7'] }, three] };
      const more = { ...LOST, 1: { ...missing, hostId: OTHER_VERSION } };
      await expect(planned(world, { more, live: { ring: other } })).rejects.toMatchObject({
        name: 'TopologyMismatch',
      });
      await releaseLock(world);
      const { plan } = await planned(world, {
        ...replaced,
        more,
        live: { ring: other },
        name: 'new',
        at: 900,
      });
      expect(plan.nodes).toMatchObject([{ instanceId: dead.instanceId, hostId: dead.hostId }]);
      await releaseLock(world);
      const moved = { ...ring, nodes: [one, two, { ...three, tokens: ['8'] }] };
      const elsewhere = planned(world, { ...replaced, live: { ring: moved }, name: 'moved', at: 1_200 });
      await expect(elsewhere).rejects.toMatchObject({ name: 'TopologyMismatch' });
    });

    it('counts anew, beside what the one before had counted', async () => {
      const world = newWorld();
      const live = { schema: counting };
      await completedBackup(world, {}, {}, live);
      expect((await planned(world, { ...replaced, live })).deadNode).toBe(true);
    });
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

  it('comes back though a restore since was begun, and taken back by Recover', async () => {
    const world = newWorld();
    const { runId } = await completedBackup(world);
    const { run } = await plannedRestore(world, { name: 'begun', at: 300 });
    await world.catalog.putNode(run, { instanceId: first.instanceId, status: 'STARTED', phase: 'stop' });
    await releaseLock(world);
    expect((await planned(world, { name: 'dead', at: 900 })).plan.backupId).toBe(runId);
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
    const others = { ...ring, nodes: ring.nodes.slice(0, 2) };
    await answerDescribe(world, run, 'describe-before-start', LOST, { ring: others });
    await expect(checkDead({ run, planKey }, world)).rejects.toMatchObject({
      name: 'TopologyMismatch',
      message: expect.stringMatching(/others own its tokens by now/),
    });
    await answers({ 0: DOWN, 1: DOWN, 2: EMPTY_HOST });
    await expect(checkDead({ run, planKey }, world)).rejects.toMatchObject({ name: 'NodeDown' });
  });

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
});

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

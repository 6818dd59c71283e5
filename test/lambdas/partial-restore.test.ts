// Restores of a part of a backup: what was chosen is planned and nothing else, and what stays loses no write.
import { describe, expect, it } from 'vitest';
import { unquoted } from '../../contracts/cql.ts';
import { restorePlan } from '../../contracts/plans.ts';
import type { SchemaView } from '../../contracts/ring.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answer, answerDescribe, ORDERS_ID, schema, USERS_ID } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import { completedRestore, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, hosts, newWorld, type World } from './support/world.ts';

const [firstHost, secondHost] = hosts;
if (!firstHost || !secondHost) throw new Error('two hosts');

const orders = { keyspaces: { include: ['app.Orders'] } };

async function backedUp(): Promise<World> {
  const world = newWorld();
  await completedBackup(world);
  return world;
}

async function planned(world: World, request: Record<string, unknown>, more = {}) {
  const answered = await plannedRestore(world, { request, ...more });
  return { ...answered, plan: await readDocument(world, answered.planKey, restorePlan) };
}

/** A live schema that lost a table. */
const without = (name: string): SchemaView => ({
  ...schema,
  tables: schema.tables.filter((table) => table.name !== name),
  statements: schema.statements.filter((each) => unquoted(each.name) !== name),
});

function withGrace(seconds: number): SchemaView {
  const statements = schema.statements.map((each) =>
    unquoted(each.name) === 'Orders'
      ? {
          ...each,
          statement: `${each.statement} AND comment = 'gc_grace_seconds = 99999999' AND gc_grace_seconds = ${seconds}`,
        }
      : each,
  );
  return { ...schema, statements };
}

describe('a restore of chosen tables', () => {
  it('is of these alone, and settles the writes of the others first', async () => {
    const world = await backedUp();
    const { plan, quietKey, nodesKey, run } = await planned(world, orders);
    expect(plan.tables.map(({ table }) => table)).toEqual(['Orders']);
    expect(plan).toMatchObject({ settlesWrites: true, mayFailToDrain: false, selection: orders });
    expect(plan.nodes.map(({ bytes }) => bytes)).toEqual([1_000, 1_000, 1_000]);
    expect(plan.warnings.join('; ')).toMatch(/not restored, left as they are: app\.users/);
    expect(await readHosts(world, quietKey)).toEqual(await readHosts(world, nodesKey));
    const [host] = await readHosts(world, nodesKey);
    if (!host) throw new Error('a host');
    const asked = { run, host, planKey: world.layout.plan(run.clusterId, run.runId), parameters: {} };
    const input = { ...asked, cluster: configuration.cluster };
    expect(await actionInputs.stop(input, world)).toEqual({ mayFailToDrain: false, mayLeaveHints: false });
    expect(await actionInputs.place(input, world)).toMatchObject({ tables: [{ tableId: ORDERS_ID }] });
  });

  it('settles nothing where all tables are restored', async () => {
    const { plan, quietKey } = await planned(await backedUp(), {});
    expect([plan.settlesWrites, quietKey]).toEqual([false, '']);
  });

  it('re-creates what was chosen and dropped, and nothing that was not chosen', async () => {
    const world = await backedUp();
    const chosen = await planned(world, orders, { live: { schema: without('Orders') } });
    expect(chosen.plan.statements.map(({ name }) => name)).toEqual(['"Orders"']);
    await world.catalog.release(chosen.run);
    const other = await planned(world, orders, {
      name: 'other',
      at: 900,
      live: { schema: without('users') },
    });
    expect(other.plan).toMatchObject({ statements: [] });
  });

  it('is refused while a member of the ring is away: hints for it could not be delivered', async () => {
    const world = await backedUp();
    const refused = planned(world, orders, { more: { 1: { notUpNormal: ['10.0.0.9 (DN)'] } } });
    await expect(refused).rejects.toMatchObject({ name: 'NodeDown' });
    await expect(refused).rejects.toThrow(/got ring members 10\.0\.0\.9 \(DN\).*app\.users/);
  });

  it('is refused where all nodes are down, too: the other tables may have writes in commit logs alone', async () => {
    const down = { cassandra: 'down' as const };
    const refused = planned(await backedUp(), orders, { more: { 0: down, 1: down, 2: down } });
    await expect(refused).rejects.toMatchObject({ name: 'NodeDown' });
  });

  it.each([
    ['keyspaces', { keyspaces: { include: ['shop'] } }],
    ['tables', { keyspaces: { exclude: ['*'] } }],
    ['nodes', { nodes: ['i-0badc0de'] }],
    ['a datacenter', { datacenter: 'dc9' }],
    ['tables to leave out', { keyspaces: { exclude: ['app.Order'] } }],
  ])('refuses %s that the backup does not have', async (_what, request) => {
    await expect(planned(await backedUp(), request)).rejects.toMatchObject({ name: 'NothingSelected' });
  });

  it('is verified by what was chosen: another table that went meanwhile is not its affair', async () => {
    const world = await backedUp();
    const { run, planKey } = await planned(world, orders);
    const placed = { tables: 1, files: 9, bytes: 1_000 };
    await answer<'place'>(world, run, 'place', [placed, placed, placed]);
    const downloaded = { files: 9, bytes: 1_000, downloadedBytes: 1_000 };
    await answer<'download'>(world, run, 'download', [downloaded, downloaded, downloaded]);
    await answerDescribe(world, run, 'describe-after', {}, { schema: without('users') });
    expect(await verifyRestore({ run, planKey }, world)).toMatchObject({ nodes: 3, bytes: 3_000 });
    await answerDescribe(world, run, 'describe-after', {}, { schema: without('Orders') });
    await expect(verifyRestore({ run, planKey }, world)).rejects.toThrow(/got no table app\.Orders/);
  });
});

describe('a restore of chosen nodes', () => {
  it.each([
    ['instance ID', firstHost.instanceId],
    ['host ID', firstHost.hostId],
  ])('is of these alone, by %s', async (_what, id) => {
    const { plan } = await planned(await backedUp(), { nodes: [id] });
    expect(plan.nodes.map(({ instanceId }) => instanceId)).toEqual([firstHost.instanceId]);
    expect(plan.tables.map(({ tableId }) => tableId)).toEqual([ORDERS_ID, USERS_ID]);
    expect(plan.warnings.join('; ')).toMatch(/restored are 1 of 3 ring members.*Repair afterwards/);
  });

  it.each([
    ['the default', schema, 864_000],
    ['what the table had then, and has no more', withGrace(3_600), 3_600],
  ])('is refused where others may have forgotten deletions since: %s', async (_what, then, seconds) => {
    const asked = async (ageSeconds: number, request: object) => {
      const world = newWorld();
      await completedBackup(world, {}, {}, { schema: then });
      world.clock.advance(ageSeconds * 1_000);
      return planned(world, { ...orders, ...request }, { at: ageSeconds });
    };
    const nodes = [firstHost.instanceId];
    await expect(asked(seconds + 120, { nodes })).rejects.toMatchObject({ name: 'GcGracePassed' });
    await expect(asked(seconds + 120, { nodes })).rejects.toThrow(`app.Orders (${seconds} s)`);
    for (const [age, request] of [
      [seconds - 120, { nodes }],
      [seconds + 120, { nodes, ignoreGcGrace: true }],
      [seconds + 120, {}],
    ] as const) {
      expect((await asked(age, request)).plan.tables).toHaveLength(1);
    }
  });

  it('is refused beside counters: these nodes would count on from what they had', async () => {
    const counting: SchemaView = {
      ...schema,
      tables: schema.tables.map((table) => ({
        ...table,
        columns: table.columns.map((column) =>
          column.name === 'value' ? { ...column, type: 'counter' } : column,
        ),
      })),
    };
    const asked = async (request: Record<string, unknown>) => {
      const world = newWorld();
      await completedBackup(world, {}, {}, { schema: counting });
      return planned(world, request, { live: { schema: counting } });
    };
    const nodes = [firstHost.instanceId];
    await expect(asked({ nodes })).rejects.toMatchObject({ name: 'CountersAtRisk' });
    expect((await asked({ nodes, ignoreCounters: true })).plan.nodes).toHaveLength(1);
    expect((await asked({})).plan.nodes).toHaveLength(3);
    // What each imports meets its own newer counts.
    const online = { online: true, keyspaces: { include: ['app'] } };
    expect((await asked({ nodes, ...online })).plan.nodes).toHaveLength(1);
  });

  it('is refused online, too, where others may have forgotten deletions since', async () => {
    const world = await backedUp();
    world.clock.advance(900_000_000);
    const online = { online: true, keyspaces: { include: ['app.Orders'] } };
    const asked = { nodes: [firstHost.instanceId], ...online };
    await expect(planned(world, asked, { at: 900_000 })).rejects.toMatchObject({ name: 'GcGracePassed' });
  });

  it('knows a node that moved to another instance by its host ID', async () => {
    const world = await backedUp();
    const moved = { 0: { hostId: secondHost.hostId }, 1: { hostId: firstHost.hostId } };
    const { plan } = await planned(world, { nodes: [firstHost.instanceId] }, { more: moved });
    expect(plan.nodes.map(({ hostId }) => hostId)).toEqual([secondHost.hostId]);
  });
});

describe('a restore of a node that is down', () => {
  it('settles the writes of the nodes that are up, and bears with the hints of the one that is not', async () => {
    const world = await backedUp();
    const nodes = [firstHost.instanceId, secondHost.instanceId];
    const more = {
      0: { notUpNormal: ['10.0.0.2 (DN)'] },
      1: { cassandra: 'down' as const },
    };
    const { plan, quietKey, run, nodesKey } = await planned(world, { nodes }, { more });
    expect(plan).toMatchObject({ settlesWrites: true, mayFailToDrain: true });
    const instances = (await readHosts(world, quietKey)).map(({ instanceId }) => instanceId);
    expect(instances).toEqual([firstHost.instanceId]);
    const planKey = world.layout.plan(run.clusterId, run.runId);
    const inputs = (await readHosts(world, nodesKey)).map((host) =>
      actionInputs.stop({ run, host, planKey, parameters: {}, cluster: configuration.cluster }, world),
    );
    expect((await Promise.all(inputs)).map(({ mayLeaveHints }) => mayLeaveHints)).toEqual([false, true]);
  });
});

describe('undo and release of a restore of a part', () => {
  it.each(['undo', 'release'])('%s: of the same nodes and tables', async (operation) => {
    const world = await backedUp();
    const chosen = { ...orders, nodes: [secondHost.instanceId] };
    const restored = await completedRestore(world, { request: chosen });
    const { plan, quietKey, nodesKey } = await planned(world, { operation }, { name: operation, at: 900 });
    expect(plan.tables.map(({ table }) => table)).toEqual(['Orders']);
    expect(plan.nodes.map(({ instanceId }) => instanceId)).toEqual([secondHost.instanceId]);
    const selection = { ...orders, nodes: [secondHost.hostId] };
    expect(plan.selection).toEqual(selection);
    expect(await world.catalog.readRun(CLUSTER, restored.runId)).toMatchObject({ selection });
    if (operation === 'undo')
      expect(await readHosts(world, quietKey)).toEqual(await readHosts(world, nodesKey));
  });

  it('undo: of the same node, wherever it is by then', async () => {
    const world = await backedUp();
    await completedRestore(world, { request: { nodes: [firstHost.instanceId] } });
    const moved = { 0: { hostId: secondHost.hostId }, 1: { hostId: firstHost.hostId } };
    const asked = { name: 'undo', at: 900, more: moved };
    const { plan } = await planned(world, { operation: 'undo' }, asked);
    expect(plan.nodes.map(({ instanceId }) => instanceId)).toEqual([secondHost.instanceId]);
  });

  it('undo: is refused where the others may have forgotten deletions since the restore', async () => {
    const world = await backedUp();
    await completedRestore(world, { request: { nodes: [firstHost.instanceId] } });
    world.clock.advance(12 * 86_400_000);
    const undo = { operation: 'undo' };
    await expect(planned(world, undo, { name: 'undo', at: 900 })).rejects.toMatchObject({
      name: 'GcGracePassed',
    });
    const lock = await world.catalog.readLock(CLUSTER);
    if (lock) await world.catalog.release({ ...lock, startedAt: '', configurationKey: '' });
    const knowing = { ...undo, ignoreGcGrace: true };
    expect((await planned(world, knowing, { name: 'knowing', at: 960 })).plan.nodes).toHaveLength(1);
  });
});

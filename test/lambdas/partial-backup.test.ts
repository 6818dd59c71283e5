// Backups of a part: what is chosen is in them, what is not is said, and a restore brings back the part and nothing else.
import { describe, expect, it } from 'vitest';
import type { NodeHeader } from '../../contracts/manifests.ts';
import { backupPlan, restorePlan } from '../../contracts/plans.ts';
import type { RingView, SchemaView } from '../../contracts/ring.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { checkSnapshots } from '../../lambdas/check-snapshots.ts';
import { planBackup } from '../../lambdas/plan-backup.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { releaseRun } from '../../lambdas/release-run.ts';
import { sealBackup } from '../../lambdas/seal-backup.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { findManifest, latestSealed } from '../../lambdas/vault/sealed-backups.ts';
import {
  answerDescribe,
  answerSnapshots,
  answerUploads,
  headerOf,
  ORDERS_ID,
  ring,
  schema,
  USERS_ID,
} from './support/answers.ts';
import { completedBackup, plannedBackup } from './support/backup.ts';
import { plannedRestore } from './support/restore.ts';
import { CLUSTER, claimedRun, configuration, hosts, newWorld, type World } from './support/world.ts';

type Describe = Parameters<typeof answerDescribe>;
const [firstHost, secondHost, thirdHost] = hosts;
if (!firstHost || !secondHost || !thirdHost) throw new Error('three hosts');

/** A second datacenter: the third node is in it. */
const twoDatacenters: RingView = {
  ...ring,
  nodes: ring.nodes.map((node, index) => (index === 2 ? { ...node, datacenter: 'dc2' } : node)),
};

async function planned(
  world: World,
  request: object,
  {
    more = {},
    live = {},
    online = hosts,
  }: { more?: Describe[3]; live?: Describe[4]; online?: typeof hosts } = {},
) {
  const run = await claimedRun(world, { request });
  await answerDescribe(world, run, 'describe-1', more, live);
  const hostsKey = `plans/${run.runId}-hosts.json`;
  await world.vault.put(hostsKey, JSON.stringify(online.map(({ hostId: _, ...host }) => host)), 'overwrite');
  const unreachable = hosts.filter((host) => !online.includes(host)).map(({ instanceId }) => instanceId);
  const asked = { clusterId: CLUSTER, ...request };
  const step = () => planBackup({ run, request: asked, hostsKey, unreachable, round: 1 }, world);
  return { run, step, plan: async () => readDocument(world, (await step()).planKey, backupPlan) };
}

const namesOf = (plan: { tables: ReadonlyArray<{ table: string }> }) => plan.tables.map(({ table }) => table);

describe('a backup of chosen keyspaces', () => {
  it.each([
    ['a keyspace', { include: ['app'] }, ['Orders', 'users']],
    ['a table', { include: ['app.users'] }, ['users']],
    ['a glob of tables', { include: ['app.*s'], exclude: ['*.O*'] }, ['users']],
    ['a glob of keyspaces', { include: ['a?p'] }, ['Orders', 'users']],
    ['all but one table', { exclude: ['app.users'] }, ['Orders']],
  ])('holds %s', async (_what, keyspaces, tables) => {
    const { plan } = await planned(newWorld(), { keyspaces });
    expect(namesOf(await plan())).toEqual(tables);
  });

  it.each([
    ['a pattern of another spelling', { include: ['App'] }, /got App, expected .*: app/],
    ['one pattern of several that matches nothing', { include: ['app', 'shop.*'] }, /got shop\.\*/],
    ['a keyspace of Cassandra itself', { include: ['system_auth'] }, /got system_auth/],
    ['everything excluded', { exclude: ['*'] }, /expected to leave a table/],
  ])('is refused for %s', async (_what, keyspaces, says) => {
    const { step } = await planned(newWorld(), { keyspaces });
    const refused = step();
    await expect(refused).rejects.toMatchObject({ name: 'NothingSelected', exitCode: 4 });
    await expect(refused).rejects.toThrow(says);
  });

  it('warns of an exclusion that matches nothing', async () => {
    const { plan } = await planned(newWorld(), { keyspaces: { exclude: ['app.cache'] } });
    expect((await plan()).warnings).toEqual(['keyspaces.exclude: app.cache matches no table']);
  });

  it('takes a view with its table, in and out', async () => {
    const view = { ...schema.tables[1], name: 'by_value', id: 'd'.repeat(32), kind: 'view' as const };
    const live: SchemaView = {
      ...schema,
      tables: [...schema.tables, { ...view, baseTable: 'users' } as SchemaView['tables'][number]],
    };
    const withIt = await planned(
      newWorld(),
      { keyspaces: { include: ['app.users'] } },
      { live: { schema: live } },
    );
    expect(namesOf(await withIt.plan())).toEqual(['users', 'by_value']);
    const without = await planned(
      newWorld(),
      { keyspaces: { exclude: ['app.users'] } },
      { live: { schema: live } },
    );
    expect(namesOf(await without.plan())).toEqual(['Orders']);
  });

  it('follows the configuration, unless the request says otherwise', async () => {
    const keyspaces = { exclude: ['app.users'] };
    const cluster = { ...configuration.cluster, keyspaces };
    const world = { ...newWorld(), clusters: { [CLUSTER]: { ...configuration, cluster } } };
    const byConfiguration = await (await planned(world, {})).plan();
    expect(byConfiguration).toMatchObject({ scope: 'cluster', selection: { keyspaces } });
    expect(namesOf(byConfiguration)).toEqual(['Orders']);
    const byRequest = await (await planned(newWorld(), { keyspaces: { include: ['app'] } })).plan();
    expect(byRequest).toMatchObject({ scope: 'part', leftOut: { nodes: [], tables: 0 } });
    expect(namesOf(byRequest)).toEqual(['Orders', 'users']);
  });

  it('snapshots no other keyspace of the users', async () => {
    const world = newWorld();
    const { run, plan } = await planned(world, { keyspaces: { include: ['app.users'] } });
    await plan();
    const asked = {
      ...{ run, host: firstHost, cluster: configuration.cluster },
      planKey: world.layout.plan(CLUSTER, run.runId),
      parameters: { at: '2026-11-21T02:00:20.000Z' },
    };
    expect(await actionInputs.snapshot(asked, world)).toMatchObject({ keyspaces: ['app'] });
  });
});

describe('a backup of chosen nodes', () => {
  it.each([
    ['instance ID', secondHost.instanceId],
    ['host ID', secondHost.hostId],
  ])('is of the node with the %s', async (_what, id) => {
    const world = newWorld();
    const { step } = await planned(world, { nodes: [id] });
    const { planKey, nodesKey, nodeCount } = await step();
    const plan = await readDocument(world, planKey, backupPlan);
    expect(nodeCount).toBe(1);
    expect(await readHosts(world, nodesKey)).toEqual([secondHost]);
    expect(plan.leftOut.nodes.map((node) => node.hostId)).toEqual([firstHost.hostId, thirdHost.hostId]);
  });

  it('is refused for a node that the cluster does not have', async () => {
    const { step } = await planned(newWorld(), { nodes: [secondHost.instanceId, 'i-0badc0de'] });
    const refused = step();
    await expect(refused).rejects.toMatchObject({ name: 'NothingSelected' });
    await expect(refused).rejects.toThrow(/got i-0badc0de, expected .*i-00000000000000001/);
  });

  it('is refused for a datacenter that the cluster does not have', async () => {
    const { step } = await planned(newWorld(), { datacenter: 'dc9' });
    await expect(step()).rejects.toMatchObject({ name: 'NothingSelected' });
  });

  it('is refused for a host that SSM does not reach, by that name', async () => {
    const others = hosts.slice(0, 2);
    for (const nodes of [[thirdHost.instanceId], [thirdHost.hostId]]) {
      const { step } = await planned(newWorld(), { nodes }, { online: others });
      const refused = step();
      await expect(refused).rejects.toMatchObject({ name: 'HostUnreachable' });
      await expect(refused).rejects.toThrow(thirdHost.instanceId);
    }
    const elsewhere = await planned(newWorld(), { nodes: [firstHost.instanceId] }, { online: others });
    expect((await elsewhere.plan()).nodes).toHaveLength(1);
  });

  it('is taken while another node is down, and refused while a chosen one is', async () => {
    const down = { cassandra: 'down' as const, downReason: 'no answer' };
    const more = { 0: { notUpNormal: ['10.0.0.3 (DN)'] }, 2: down };
    const { plan } = await planned(newWorld(), { nodes: [firstHost.instanceId] }, { more });
    expect((await plan()).nodes).toHaveLength(1);
    const { step } = await planned(newWorld(), { nodes: [thirdHost.instanceId] }, { more });
    await expect(step()).rejects.toMatchObject({ name: 'NodeDown' });
    const nameless = { 2: { ...down, hostId: undefined } } as Describe[3];
    const unknown = await planned(newWorld(), { nodes: [thirdHost.instanceId] }, { more: nameless });
    await expect(unknown.step()).rejects.toMatchObject({ name: 'NodeDown' });
  });

  it('has a snapshot that stands while a node left out is down, but not one of its own', async () => {
    for (const [seen, outcome] of [
      ['10.0.0.3 (DN)', 'consistent'],
      ['10.0.0.1 (DN)', 'retake'],
    ] as const) {
      const world = newWorld();
      const { run, step } = await planned(world, { nodes: [firstHost.instanceId] });
      const { planKey } = await step();
      await answerSnapshots(world, run, 1, { 0: { notUpNormal: [seen] } });
      expect(await checkSnapshots({ run, planKey, round: 1 }, world)).toMatchObject({ outcome });
    }
  });
});

describe('a backup of one datacenter', () => {
  const live = { ring: twoDatacenters };

  it('needs no host in the others', async () => {
    const world = newWorld();
    const { plan } = await planned(world, { datacenter: 'dc1' }, { live });
    expect((await plan()).nodes.map((node) => node.hostId)).toEqual([firstHost.hostId, secondHost.hostId]);
  });

  it('is refused for one that is not there, and for hosts in one that is not configured', async () => {
    const unknown = await planned(newWorld(), { datacenter: 'dc3' }, { live });
    await expect(unknown.step()).rejects.toThrow(/got "dc3", expected one of dc1, dc2/);
    const more = { 2: { datacenter: 'dc2' } };
    const notConfigured = await planned(newWorld(), { datacenter: 'dc1' }, { live, more });
    await expect(notConfigured.step()).rejects.toMatchObject({ name: 'InvalidConfiguration' });
  });
});

/** Sealed, recorded and released: of the first node and one table. */
async function partialBackup(world: World, at = 60) {
  const request = { nodes: [firstHost?.instanceId], keyspaces: { include: ['app.users'] } };
  const { run, planKey } = await plannedBackup(world, { name: `part-${at}`, at, request });
  for (const { instanceId } of hosts) {
    await world.catalog.putNode(run, { instanceId, status: 'STARTED', phase: 'describe-1' });
  }
  await answerSnapshots(world, run);
  const users = (header: NodeHeader) => header.tables.filter((table) => table.tableId !== ORDERS_ID);
  const tables = users(headerOf(run, 0));
  const listing = { ...headerOf(run, 0).listing, lines: 18 };
  await answerUploads(world, run, { 0: { tables, files: 18, bytes: 2_000, listing } });
  await sealBackup({ run, planKey, spreadMs: 0 }, world);
  await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
  await releaseRun({ run, warnings: [] }, world);
  return run;
}

describe('a partial backup', () => {
  it('says what it is: in its manifest and in its history', async () => {
    const world = newWorld();
    const run = await partialBackup(world);
    const says = {
      selection: { nodes: [firstHost.instanceId], keyspaces: { include: ['app.users'] } },
      leftOut: { nodes: 2, tables: 1 },
    };
    expect(await findManifest(world, CLUSTER, run.runId)).toMatchObject({ scope: 'part', ...says });
    expect(await world.catalog.readRun(CLUSTER, run.runId)).toMatchObject(says);
  });

  it('leaves no node behind that seems to be at work', async () => {
    const world = newWorld();
    const { runId } = await partialBackup(world);
    const nodes = await world.catalog.listNodes(runId);
    expect(nodes.map(({ status, phase }) => `${phase} ${status}`)).toEqual([
      'upload COMPLETED',
      'describe-1 COMPLETED',
      'describe-1 COMPLETED',
    ]);
  });

  it('is never the latest', async () => {
    const world = newWorld();
    const whole = await completedBackup(world, { name: 'whole' });
    await partialBackup(world);
    expect(await latestSealed(world, CLUSTER)).toMatchObject({ backupId: whole.runId });
    const only = newWorld();
    await partialBackup(only);
    await expect(plannedRestore(only)).rejects.toMatchObject({ name: 'NoBackup' });
  });

  it('tells the next backup what is stored only where no fuller one does', async () => {
    const world = newWorld();
    const whole = await completedBackup(world, { name: 'whole' });
    await partialBackup(world);
    const { planKey } = await plannedBackup(world, { name: 'next', at: 120 });
    const plan = await readDocument(world, planKey, backupPlan);
    expect(plan.nodes.map((node) => node.previous.map(({ backupId }) => backupId))).toEqual([
      [whole.runId],
      [whole.runId],
      [whole.runId],
    ]);
    const only = newWorld();
    const part = await partialBackup(only);
    const after = await plannedBackup(only, { name: 'next', at: 120 });
    const { nodes } = await readDocument(only, after.planKey, backupPlan);
    expect(nodes.map((node) => node.previous.map(({ backupId }) => backupId))).toEqual([
      [part.runId],
      [],
      [],
    ]);
  });

  it('is restored as what it is, and the plan says what is left as it is', async () => {
    const world = newWorld();
    const { runId } = await partialBackup(world);
    const live = { schema: { ...schema, tables: [], statements: [] } };
    const { planKey } = await plannedRestore(world, { request: { backupId: runId }, live });
    const plan = await readDocument(world, planKey, restorePlan);
    expect(plan.nodes.map((node) => node.instanceId)).toEqual([firstHost.instanceId]);
    expect(plan.tables.map((table) => table.tableId)).toEqual([USERS_ID]);
    expect(plan.statements.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'keyspace app',
      'type address',
      'table users',
    ]);
    expect(plan.warnings).toEqual([
      expect.stringMatching(/1 of 3 ring members: the others \(i-0{16}2, i-0{16}3\) keep.*Repair/),
      '1 tables and views are left out: they stay as they are',
    ]);
  });

  it('needs the guard file of its own hosts alone', async () => {
    const world = newWorld();
    const { runId } = await partialBackup(world);
    const request = { backupId: runId };
    const others = { 1: { restoreAllowed: false }, 2: { restoreAllowed: false } };
    await plannedRestore(world, { request, more: others });
    const next = newWorld();
    const again = await partialBackup(next);
    const own = { request: { backupId: again.runId }, more: { 0: { restoreAllowed: false } } };
    await expect(plannedRestore(next, own)).rejects.toMatchObject({ name: 'RestoreNotAllowed' });
  });
});

describe('a restore with onlyBackedUpDatacenters', () => {
  const replicated = (datacenters: string) =>
    `CREATE KEYSPACE app WITH replication = {'class': 'org.apache.cassandra.locator.NetworkTopologyStrategy', ${datacenters}}  AND durable_writes = true;`;
  const schemaWith = (statement: string): SchemaView => ({
    ...schema,
    statements: schema.statements.map((each) => (each.type === 'keyspace' ? { ...each, statement } : each)),
  });
  const both = schemaWith(replicated(`'dc1': '3', 'dc2': '2'`));
  const nothing = { ...schema, tables: [], statements: [] };

  async function plannedWith(live: SchemaView, onlyBackedUpDatacenters: boolean) {
    const world = newWorld();
    const run = await completedBackup(world, {}, {}, { schema: both });
    const request = { backupId: run.runId, onlyBackedUpDatacenters };
    const { planKey } = await plannedRestore(world, { request, live: { schema: live } });
    return readDocument(world, planKey, restorePlan);
  }
  const statements = async (...asked: Parameters<typeof plannedWith>) =>
    (await plannedWith(...asked)).statements.map((each) => each.statement);

  it('says how they get the replicas that they had', async () => {
    expect((await plannedWith(nothing, true)).warnings.join('; ')).toMatch(
      /ALTER KEYSPACE app WITH replication = \{.*'dc1': '3', 'dc2': '2'\}; then nodetool rebuild -ks app -- /,
    );
    expect((await plannedWith(nothing, false)).warnings.join('; ')).not.toMatch(/nodetool rebuild/);
  });

  it('re-creates keyspaces in the datacenters of the backup’s nodes alone', async () => {
    expect((await statements(nothing, true))[0]).toBe(replicated(`'dc1': '3'`));
    expect((await statements(nothing, false))[0]).toBe(replicated(`'dc1': '3', 'dc2': '2'`));
  });

  it('takes a keyspace that is there, as it was or as it would be made', async () => {
    expect(await statements(both, true)).toEqual([]);
    expect(await statements(schemaWith(replicated(`'dc1': '3'`)), true)).toEqual([]);
    await expect(statements(schemaWith(replicated(`'dc1': '3'`)), false)).rejects.toMatchObject({
      name: 'SchemaConflict',
    });
    await expect(statements(schemaWith(replicated(`'dc1': '1'`)), true)).rejects.toMatchObject({
      name: 'SchemaConflict',
    });
  });
});

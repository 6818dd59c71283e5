// Restores by the bulk loader: when they are, who streams what, and what is refused.
import { describe, expect, it } from 'vitest';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import { clusterConfiguration, type VaultPlace } from '../../contracts/configuration.ts';
import { restorePlan } from '../../contracts/plans.ts';
import { restoreRequest } from '../../contracts/requests.ts';
import type { RingView, SchemaStatement, SchemaTable, SchemaView } from '../../contracts/ring.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { compareToLoad } from '../../lambdas/planning/load-difference.ts';
import { inOtherNames } from '../../lambdas/planning/renamed-schema.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answer, answerDescribe, ORDERS_ID, ring, schema, USERS_ID } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import { plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, hosts, newWorld, type World } from './support/world.ts';

const ORDERS = { online: true, keyspaces: { include: ['app.Orders'] } };
const COPY = { online: true, as: { 'app.Orders': 'before' } };
const [orders] = schema.tables as [SchemaTable, ...SchemaTable[]];
const view: SchemaTable = {
  ...orders,
  ...{ kind: 'view', name: 'ByValue', id: 'd'.repeat(32), baseTable: 'Orders' },
};
const withView: SchemaView = { ...schema, tables: [...schema.tables, view] };
/** One node is another, with other tokens. */
const otherRing: RingView = {
  ...ring,
  nodes: ring.nodes.map((node, index) => (index === 2 ? { ...node, tokens: ['7'] } : node)),
};

async function backedUp(): Promise<World> {
  const world = newWorld();
  await completedBackup(world);
  return world;
}

type Restore = Parameters<typeof plannedRestore>[1];
async function planned(restore: Restore, world?: World) {
  const inWorld = world ?? (await backedUp());
  const answered = await plannedRestore(inWorld, restore);
  return { world: inWorld, ...answered, plan: await readDocument(inWorld, answered.planKey, restorePlan) };
}

describe('an online restore', () => {
  it('is by import where nodes, names and tables are as they were', async () => {
    const { plan, load } = await planned({ request: ORDERS });
    expect([load, plan.load]).toEqual([false, undefined]);
  });

  it.for([
    ['with another ring', { request: ORDERS, live: { ring: otherRing } }, /other tokens/],
    ['with a view of now', { request: ORDERS, live: { schema: withView } }, /app\.ByValue/],
    ['under another name', { request: COPY }, /under other names/],
    [
      'into a table that was made again',
      {
        request: ORDERS,
        live: {
          schema: { ...schema, tables: schema.tables.map((each) => ({ ...each, id: 'e'.repeat(32) })) },
        },
      },
      /created again since \(app\.Orders\)/,
    ],
  ] as const)('is by the bulk loader %s', async ([, restore, why]) => {
    const { plan, load, quietKey, summary } = await planned(restore as Restore);
    expect({ load, quietKey }).toEqual({ load: true, quietKey: '' });
    expect(summary).toMatchObject({ online: true, streamed: true });
    expect(plan.warnings[0]).toMatch(why);
  });

  it('says which tables keep what they have, and that what was deleted in them does not come back', async () => {
    const live = {
      schema: { ...schema, tables: schema.tables.map((each) => ({ ...each, id: 'e'.repeat(32) })) },
    };
    const { plan } = await planned({ request: ORDERS, live });
    expect(plan.warnings.join('; ')).toMatch(
      /beside what is there of app\.Orders: .* rows that were deleted since do not come back/,
    );
    const { plan: copy } = await planned({ request: COPY });
    expect(copy.warnings.join('; ')).not.toMatch(/deleted since/);
  });

  it('has each host stream what it has least of', async () => {
    const { plan, run, planKey, world } = await planned({ request: COPY });
    expect(plan.load?.shares.map(({ instanceArn }) => instanceArn).sort()).toEqual(
      hosts.map(({ instanceArn }) => instanceArn).sort(),
    );
    const [host] = hosts;
    if (!host) throw new Error('a host');
    const asked = { run, host, planKey, parameters: {}, cluster: configuration.cluster };
    const input = await actionInputs.load(asked, { ...world, kmsKeys: {} });
    expect(input.chains).toHaveLength(1);
    expect(input.tables).toEqual([
      { keyspace: 'app', table: 'Orders', tableId: ORDERS_ID, as: { keyspace: 'app', table: 'before' } },
    ]);
  });

  it('of another cluster’s backup needs neither its tokens nor its datacenters, but some replicas', async () => {
    const TWIN = 'twin';
    const twinWorld = async () => {
      const world = await backedUp();
      const cluster = clusterConfiguration.parse({ ...configuration.cluster, restoresFrom: [CLUSTER] });
      const twin = { ...configuration, clusterId: TWIN, cluster };
      return { ...world, clusters: { ...world.clusters, [TWIN]: twin } };
    };
    const of = { clusterId: TWIN, confirmCluster: TWIN, sourceCluster: CLUSTER };
    const request = { ...of, ...ORDERS };
    const live = {
      ring: { ...otherRing, clusterName: 'Twin' },
      schema: { ...schema, tables: [], statements: [] },
    };
    const { plan } = await planned({ request, live }, await twinWorld());
    expect(plan.statements.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'keyspace app',
      'type address',
      'table "Orders"',
    ]);
    expect(plan.warnings.join('; ')).toMatch(
      /another cluster’s backup.*roles and permissions are not restored/,
    );
    const elsewhere = {
      ...live.ring,
      nodes: live.ring.nodes.map((node) => ({ ...node, datacenter: 'dc9' })),
    };
    const refused = planned({ request, live: { ...live, ring: elsewhere } }, await twinWorld());
    await expect(refused).rejects.toMatchObject({
      name: 'SchemaConflict',
      message: expect.stringMatching(/app is replicated in none of the ring’s datacenters \(dc9\)/),
    });
  });

  it('reads another vault where the configuration names it, and tells the hosts where', async () => {
    const world = await backedUp();
    const kmsKeyArns = ['arn:aws:kms:eu-west-1:444455556666:key/k'];
    const vaults = { dr: { bucket: 'copies', prefix: 'old/', region: 'eu-central-1', kmsKeyArns } };
    const cluster = clusterConfiguration.parse({
      ...configuration.cluster,
      restoresFrom: [{ cluster: CLUSTER, vault: 'dr' }],
    });
    const copies = memoryObjectStore({ clock: world.clock });
    for (const [key, body] of world.vault.objects) {
      if (!key.startsWith('backups/clusters/')) continue;
      copies.objects.set(`old/${key.slice('backups/'.length)}`, body);
      if (key.includes('/backups/')) world.vault.objects.delete(key);
    }
    const opened: unknown[] = [];
    const there = {
      ...world,
      clusters: { [CLUSTER]: { ...configuration, cluster, vaults } },
      openVault: (place: VaultPlace) => {
        opened.push(place.bucket);
        return copies;
      },
    };
    // Hosts may have encrypted where the vault is copied from.
    const kmsRegions = ['eu-west-1', 'eu-central-1'];
    const place = { bucket: 'copies', prefix: 'old/', region: 'eu-central-1', kmsRegions };
    const { plan, summary } = await planned({ request: { sourceVault: 'dr' } }, there);
    expect(plan.sourceVault).toEqual({ name: 'dr', ...place });
    expect(summary).toMatchObject({ sourceVault: 'dr' });
    expect(plan.nodes.map(({ sources }) => sources[0]?.vault)).toEqual([place, place, place]);
    expect(opened).toContain('copies');
  });

  it.for([
    [{ sourceVault: 'dr' }, /vaults: got none in restoresFrom of demo, expected "dr"/],
    [{ sourceCluster: 'other' }, /restoresFrom of demo: got none, expected "other"/],
  ] as const)('is refused from where the hosts may not read: %o', async ([request, message]) => {
    await expect(planned({ request })).rejects.toMatchObject({
      name: 'InvalidConfiguration',
      message: expect.stringMatching(message),
    });
  });

  it('is refused while a node is down, or away, or reads older formats, and where it has no room', async () => {
    const refused = (more: object) => planned({ request: COPY, more: { 1: more } });
    await expect(refused({ cassandra: 'down' })).rejects.toMatchObject({ name: 'NodeDown' });
    await expect(refused({ notUpNormal: ['10.0.0.9 (DN)'] })).rejects.toMatchObject({ name: 'NodeDown' });
    await expect(refused({ readableFormats: ['ma'] })).rejects.toMatchObject({ name: 'IncompatibleVersion' });
    await expect(refused({ restoreAllowed: false })).rejects.toMatchObject({ name: 'RestoreNotAllowed' });
    const [none] = [{ dataDirectories: [{ path: '/d', freeBytes: 2_000, totalBytes: 3_000 }] }];
    await expect(refused(none)).rejects.toMatchObject({ name: 'InsufficientSpace' });
  });

  it('of some nodes is of what all of a datacenter’s had, or none', async () => {
    const nodes = [hosts[0]?.hostId ?? ''];
    await expect(planned({ request: { ...COPY, nodes } })).rejects.toMatchObject({
      name: 'SchemaConflict',
      message: expect.stringMatching(/keyspace app may have rows that none of the nodes read had/),
    });
    const { plan } = await planned({ request: { ...COPY, datacenter: 'dc1' } });
    expect(plan.load?.shares).toHaveLength(3);
    // Of three replicas two have all that was written at QUORUM.
    const quorum = hosts.slice(1).map(({ hostId }) => hostId);
    const { plan: most } = await planned({ request: { ...COPY, nodes: quorum } });
    expect(most.load?.shares).toHaveLength(2);
    expect(most.warnings.join('; ')).toMatch(/not all nodes of the backup are read/);
  });

  it('leaves what has no other name to a run of its own', async () => {
    const request = { ...COPY, keyspaces: { include: ['app'] } };
    await expect(planned({ request })).rejects.toMatchObject({
      name: 'InvalidRequest',
      message: expect.stringMatching(/got none for app\.users, expected another name for each table/),
    });
  });

  it('makes nothing of a newer Cassandra in an older one', async () => {
    const older = { 1: { cassandraVersion: '4.1.10' } };
    await expect(planned({ request: COPY, more: older })).rejects.toMatchObject({
      name: 'IncompatibleVersion',
      message: expect.stringMatching(/\(4\.1\.10\), expected at least 5\.0\.9 of the backup/),
    });
    const { plan } = await planned({ request: ORDERS, more: older });
    expect(plan.statements).toEqual([]);
  });

  it('is verified by the tables that it filled, and cannot be undone', async () => {
    const { world, run, planKey, plan } = await planned({ request: COPY });
    const loaded = { tables: 1, sstables: 1, files: 8, bytes: 900 };
    await answer<'load'>(world, run, 'load', [loaded, loaded, loaded]);
    await answerDescribe(world, run, 'describe-after');
    await expect(verifyRestore({ run, planKey }, world)).rejects.toThrow(/got no app\.before/);
    const id = plan.load?.targets['app.before'] ?? '';
    const live = { ...schema, tables: [...schema.tables, { ...orders, name: 'before', id }] };
    const changed = { schema: live, ring: otherRing };
    await answerDescribe(world, run, 'describe-after', {}, changed);
    await expect(verifyRestore({ run, planKey }, world)).rejects.toThrow(/the ring was changed/);
    await answerDescribe(world, run, 'describe-after', {}, { schema: live });
    expect(await verifyRestore({ run, planKey }, world)).toEqual({ nodes: 3, files: 24, bytes: 2_700 });
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    expect(record).toMatchObject({ status: 'COMPLETED', files: 24, selection: plan.selection });
    expect(record?.undo).toBeUndefined();
  });

  it('is asked for by names that are names', () => {
    const parse = (as: object, more = {}) =>
      restoreRequest.safeParse({ clusterId: CLUSTER, online: true, as, ...more });
    expect(parse({ 'app.Orders': 'before' }).success).toBe(true);
    expect(parse({}).success).toBe(false);
    expect(parse({ app: 'a b' }).success).toBe(false);
    expect(parse({ app: 'x.y' }).success).toBe(false);
    expect(parse({ 'app.a.b': 'x' }).success).toBe(false);
    expect(parse({ app: 'x' }, { online: false }).success).toBe(false);
  });

  it('stops nowhere in between', async () => {
    const request = { ...COPY, stopAfterStep: 'download' };
    await expect(planned({ request })).rejects.toMatchObject({ name: 'InvalidRequest' });
  });
});

const index = (statement: string, name: string): SchemaStatement => ({
  keyspace: 'app',
  type: 'index',
  name,
  statement,
});
const rich: SchemaView = {
  ...schema,
  tables: [
    { ...orders, indexes: [{ name: 'byValue', kind: 'CUSTOM', target: 'value', className: 'sai' }] },
    ...schema.tables.slice(1),
    view,
  ],
  statements: [
    ...schema.statements.slice(0, 2),
    {
      ...{ keyspace: 'app', type: 'table', name: '"Orders"' },
      statement: `CREATE TABLE app."Orders" (key text PRIMARY KEY, value text, home frozen<address>) WITH ID = bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb AND comment = 'on app.users; FROM app."Orders"';\n\nALTER TABLE app."Orders" DROP gone USING TIMESTAMP 3;`,
    },
    ...schema.statements.slice(3),
    index(`CREATE CUSTOM INDEX "byValue" ON app."Orders" (value) USING 'sai';`, '"byValue"'),
    {
      ...{ keyspace: 'app', type: 'materialized_view', name: '"ByValue"' },
      statement: `CREATE MATERIALIZED VIEW app."ByValue" AS SELECT * FROM app."Orders" WHERE value IS NOT NULL PRIMARY KEY (value, key) WITH ID = dddddddd-dddd-dddd-dddd-dddddddddddd;`,
    },
  ],
};

describe('a schema under other names', () => {
  const texts = ({ statements }: SchemaView) => statements.map(({ statement }) => statement);

  it('of a keyspace has all of it there, with IDs of its own, and texts as they were', () => {
    const { schema: named, tables } = inOtherNames(rich, { app: 'Old' }, 'backup');
    const [keyspace, type, table, , custom, materialized] = texts(named);
    expect(keyspace).toMatch(/^CREATE KEYSPACE "Old" WITH/);
    expect(type).toMatch(/^CREATE TYPE "Old"\.address/);
    expect(table).toMatch(
      /^CREATE TABLE "Old"\."Orders" \(.*frozen<address>\) WITH ID = (?!bbbbbbbb)[0-9a-f-]{36} AND/,
    );
    expect(table).toContain(`comment = 'on app.users; FROM app."Orders"'`);
    expect(table).toContain('ALTER TABLE "Old"."Orders" DROP gone');
    expect(custom).toBe(`CREATE CUSTOM INDEX "byValue" ON "Old"."Orders" (value) USING 'sai';`);
    expect(materialized).toMatch(
      /VIEW "Old"\."ByValue" AS SELECT \* FROM "Old"\."Orders" .* ID = (?!dddddddd)/,
    );
    expect(tables.map(({ tableId, as }) => [tableId, as])).toEqual([
      [ORDERS_ID, { keyspace: 'Old', table: 'Orders' }],
      [USERS_ID, { keyspace: 'Old', table: 'users' }],
    ]);
    expect(named.tables.map(({ id }) => id)).toEqual(
      inOtherNames(rich, { app: 'Old' }, 'backup').schema.tables.map(({ id }) => id),
    );
    expect(named.tables.map(({ id }) => id)).not.toEqual(
      inOtherNames(rich, { app: 'Old' }, 'another').schema.tables.map(({ id }) => id),
    );
  });

  it('of a table with CDC has none; a function that speaks of it stays', () => {
    const cdc = {
      ...rich,
      statements: rich.statements.map((each) =>
        each.type === 'type'
          ? {
              ...each,
              type: 'function',
              name: 'f',
              statement: 'CREATE FUNCTION app.f() AS $$ cdc = true; $$',
            }
          : { ...each, statement: each.statement.replace(' AND comment', ' AND cdc = true AND comment') },
      ),
    };
    const [, body, table] = texts(inOtherNames(cdc, { app: 'Old' }, 'backup').schema);
    expect(body).toBe('CREATE FUNCTION "Old".f() AS $$ cdc = true; $$');
    expect(table).toContain('AND cdc = false AND');
  });

  it('of a table has it alone, in its keyspace', () => {
    const { schema: named, tables } = inOtherNames(rich, { 'app.Orders': 'before' }, 'backup');
    expect(named.tables.map(({ name, kind, indexes }) => [name, kind, indexes.length])).toEqual([
      ['before', 'table', 0],
      ['users', 'table', 0],
    ]);
    expect(named.statements.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'keyspace app',
      'type address',
      'table "before"',
      'table users',
    ]);
    expect(texts(named)[2]).toMatch(/^CREATE TABLE app\."before" [\s\S]*ALTER TABLE app\."before" DROP gone/);
    expect(tables[0]?.as).toEqual({ keyspace: 'app', table: 'before' });
  });

  it.for([
    [{ 'app.nothing': 'x' }, 'NothingSelected'],
    [{ other: 'x' }, 'NothingSelected'],
    [{ app: 'app' }, 'InvalidRequest'],
    [{ app: 'system_auth' }, 'InvalidRequest'],
    [{ app: 'x', 'app.users': 'y' }, 'InvalidRequest'],
    [{ 'app.users': 'Orders' }, 'InvalidRequest'],
  ] as const)('is refused: %o', ([names, name]) => {
    expect(() => inOtherNames(rich, names, 'backup')).toThrow(expect.objectContaining({ name }));
  });
});

describe('what a load makes', () => {
  const nothing = { ...schema, tables: [], statements: [] };
  const none = new Set<string>();

  it('has custom indexes last, and all else first', () => {
    const { statements, indexes } = compareToLoad(rich, nothing, none, false);
    expect(statements.map(({ type }) => type)).toEqual([
      'keyspace',
      'type',
      'table',
      'table',
      'materialized_view',
    ]);
    expect(indexes.map(({ name }) => name)).toEqual(['"byValue"']);
  });

  it('leaves a table of now without what it has lost, and tells', () => {
    const { statements, indexes, warnings, beside } = compareToLoad(rich, schema, none, false);
    expect([statements, indexes]).toEqual([[], []]);
    expect(warnings.join('; ')).toMatch(/not made again: index app\.byValue, materialized_view app\.ByValue/);
    expect(beside.map(({ name }) => name)).toEqual(['Orders', 'users']);
  });

  it.for([
    ['a custom index', { indexes: rich.tables[0]?.indexes }, /index app\.byValue on Orders/],
    [
      'a column of another type',
      { columns: [{ ...orders.columns[0], type: 'int' }, orders.columns[1]] },
      /column key of app\.Orders is/,
    ],
    ['a dropped column', { columns: orders.columns.slice(0, 1) }, /column value of app\.Orders was dropped/],
    ['a view of its name', { kind: 'view' }, /app\.Orders is a view/],
  ] as const)('is refused by %s of now', ([, change, message]) => {
    const now = {
      ...schema,
      tables: schema.tables.map((each) => (each === orders ? { ...each, ...change } : each)),
    };
    expect(compareToLoad(schema, now as SchemaView, none, false).conflicts.join('; ')).toMatch(message);
  });

  it.for([
    [
      'CLUSTERING ORDER BY (c ASC)',
      'CLUSTERING ORDER BY (c DESC)',
      /clustering order of app\.Orders is \(c DESC\), in the backup \(c ASC\)/,
    ],
    [
      'WITH x; ALTER TABLE app."Orders" DROP gone USING TIMESTAMP 3',
      '',
      /column gone of app\.Orders was dropped before the backup/,
    ],
    [
      'WITH x; ALTER TABLE app."Orders" DROP value USING TIMESTAMP 3',
      '',
      /column value of app\.Orders was dropped before the backup, and here it never was/,
    ],
    [
      '',
      'WITH x; ALTER TABLE app."Orders" DROP value USING TIMESTAMP 3',
      /column value of app\.Orders was dropped and added again since: values from before are hidden/,
    ],
  ] as const)('is refused where the table was defined otherwise: %s', ([was, is, message]) => {
    const having = (text: string): SchemaView => ({
      ...schema,
      statements: schema.statements.map((each) =>
        each.name === '"Orders"' ? { ...each, statement: `${each.statement} ${text}` } : each,
      ),
    });
    expect(compareToLoad(having(was), having(is), none, false).conflicts.join('; ')).toMatch(message);
  });

  it('finds what is otherwise of a keyspace under another name, however that is quoted', () => {
    const { schema: named } = inOtherNames(rich, { app: 'copy' }, 'backup');
    // As DESCRIBE writes it, with what an earlier copy left.
    const unquotedName = (text: string) => text.replaceAll('"copy"', 'copy');
    const left = (type: string): SchemaView => ({
      ...schema,
      tables: [],
      statements: named.statements.slice(0, 2).map((each) => ({
        ...{ type: each.type, keyspace: 'copy', name: unquotedName(each.name) },
        statement: each.type === 'type' ? type : unquotedName(each.statement),
      })),
    });
    const same = compareToLoad(named, left('CREATE TYPE copy.address (\n    street text\n);'), none, false);
    expect(same.conflicts).toEqual([]);
    expect(same.statements.map(({ type }) => type)).toEqual(['table', 'table', 'materialized_view']);
    const other = compareToLoad(named, left('CREATE TYPE copy.address (\n    street int\n);'), none, false);
    expect(other.conflicts.join()).toMatch(/^type copy\.address: it is/);
  });

  it('makes a table of its own whole where it was stopped between its statements', () => {
    const { schema: named } = inOtherNames(rich, { app: 'copy' }, 'backup');
    const [table] = named.tables;
    if (!table) throw new Error('a table');
    const [create = ''] = (named.statements[2]?.statement ?? '').split('\n\n');
    const live = {
      ...schema,
      tables: [
        {
          ...table,
          columns: [...table.columns, { name: 'gone', type: 'int', kind: 'regular', position: -1 }],
        },
      ],
      statements: [...named.statements.slice(0, 2), { ...named.statements[2], statement: create }],
    } as SchemaView;
    const { statements, conflicts } = compareToLoad(named, live, new Set([table.id]), false);
    expect(conflicts).toEqual([]);
    expect(statements[0]?.name).toBe('"Orders"');
  });

  it('makes what a run before was stopped at, of its own tables and of another cluster’s', () => {
    const { schema: named } = inOtherNames(rich, { app: 'copy' }, 'backup');
    const made = new Set(named.tables.map(({ id }) => id));
    const stopped = (of: SchemaView) => ({
      ...of,
      tables: of.tables.filter(({ kind }) => kind === 'table').map((each) => ({ ...each, indexes: [] })),
      statements: of.statements.slice(0, 4),
    });
    const types = ({ statements, indexes }: ReturnType<typeof compareToLoad>) =>
      [...statements, ...indexes].map(({ type }) => type);
    expect(types(compareToLoad(named, stopped(named), made, false))).toEqual(['materialized_view', 'index']);
    expect(types(compareToLoad(rich, stopped(rich), none, true))).toEqual(['materialized_view', 'index']);
    expect(types(compareToLoad(rich, stopped(rich), none, false))).toEqual([]);
  });

  it('goes on with what it has made, and with nothing else of that name', () => {
    const { schema: named } = inOtherNames(schema, { 'app.Orders': 'before' }, 'backup');
    const [before] = named.tables;
    if (!before) throw new Error('a table');
    const made = new Set([before.id]);
    const live = (id: string) => ({ ...schema, tables: [...schema.tables, { ...before, id }] });
    const again = compareToLoad(named, live(before.id), made, false);
    expect(again.conflicts).toEqual([]);
    expect(again.beside.map(({ name }) => name)).toEqual(['users']);
    expect(compareToLoad(named, live('f'.repeat(32)), made, false).conflicts.join()).toMatch(
      /was not made of this backup/,
    );
  });
});

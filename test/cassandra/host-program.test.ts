// The host program on a real node: a backup, a disaster, a restore, and its undo; then the local node itself, for what others
// take from it: the rights of its backup role, that it survives a crash, that it ends.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Client } from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActionOutput, BackupSource, TableRef } from '../../contracts/actions.ts';
import { type SchemaView, schemaView } from '../../contracts/ring.ts';
import { type Cluster, startCluster } from '../../local/cassandra/cluster.ts';
import { pidFileOf } from '../../local/cassandra/launch-scripts.ts';
import { CLUSTER, type HostUnderTest, hostUnderTest } from '../node-scripts/host-under-test.ts';

const BACKUP = '20261121t020000z-0a1b2c3d';
const SECOND = '20261121t030000z-0a1b2c3d';
const RESTORE = '20261121t040000z-0a1b2c3d';
const UNDO = '20261121t050000z-0a1b2c3d';
const tag = (run: string) => `ringvault-${run}-1`;
const EMPTIED = [
  { keyspace: 'system', table: 'paxos' },
  { keyspace: 'system', table: 'batches' },
];

describe('the host program on a real node', () => {
  let directory: string;
  let cluster: Cluster;
  let client: Client;
  let host: HostUnderTest;
  let schema: SchemaView;
  let tables: TableRef[];
  let source: BackupSource;
  let described: ActionOutput<'describe'>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'host-program-'));
    cluster = await startCluster({ directory, nodes: 1, dataDirectories: [2] });
    const [node] = cluster.nodes;
    const bin = (name: string) => [join(node.binDirectory, name)];
    host = await hostUnderTest({
      cassandra: {
        configFile: '/etc/cassandra/cassandra.yaml',
        nodetool: bin('nodetool'),
        start: bin('cassandra-start'),
        stop: bin('cassandra-stop'),
      },
      credentials: cluster.backupRole,
    });
    await mkdir(dirname(host.paths.fixed('/etc/cassandra/cassandra.yaml')), { recursive: true });
    await symlink(node.configFile, host.paths.fixed('/etc/cassandra/cassandra.yaml'));
    client = await cluster.connect();
    await fill(client);
  });
  afterAll(async () => {
    await client?.shutdown();
    await cluster?.close();
    await host?.remove();
    await rm(directory, { recursive: true, force: true });
  });

  /** A driver gives a node that was down some time before it tries again. */
  async function reconnect() {
    await client.shutdown();
    client = await cluster.connect();
  }

  /** Snapshot and upload by one run. */
  async function backUp(run: string, previous?: BackupSource) {
    const taken = await host.run(
      run,
      'snapshot',
      { tag: tag(run), at: new Date().toISOString() },
      'snapshot-1',
    );
    const uploaded = await host.run(run, 'upload', {
      backupId: run,
      kind: 'snapshot',
      hostId: described.hostId ?? '',
      datacenter: 'dc1',
      rack: 'rack1',
      cassandraVersion: '5.0.9',
      schemaVersion: taken.schemaVersion,
      incrementalBackups: taken.incrementalBackups,
      tag: tag(run),
      times: taken.times,
      tables,
      scope: 'cluster',
      damagedFiles: 'refuse',
      encryption: {},
      previous: previous ? [previous] : [],
    });
    const { headerSha256, listingSha256 } = uploaded;
    return {
      taken,
      uploaded,
      source: {
        clusterId: CLUSTER,
        ...{ backupId: run, instanceArn: host.instanceArn, headerSha256, listingSha256 },
      },
    };
  }

  it('describes the node, its ring and its schema', async () => {
    await host.run(BACKUP, 'prepare', { architecture: process.arch === 'arm64' ? 'arm64' : 'x64' });
    described = await host.run(BACKUP, 'describe', {}, 'describe-1');
    expect(described).toMatchObject({
      cassandra: 'up',
      clusterName: 'local',
      datacenter: 'dc1',
      rack: 'rack1',
      cassandraVersion: '5.0.9',
      readableFormats: expect.arrayContaining(['nb']),
      notUpNormal: [],
      isSeed: true,
      restoreAllowed: false,
    });
    expect(described.dataDirectories.map((each) => each.path)).toEqual(cluster.nodes[0].dataDirectories);
    const key = host.layout.resultSchema(host.instanceArn, `${BACKUP}.describe-1`);
    schema = schemaView.parse(JSON.parse((await host.store.get(key))?.body.toString() ?? ''));
    expect(schema.tables.map((table) => `${table.keyspace}.${table.name}`)).toEqual([
      'shop.Mixed',
      'shop.by_v',
      'shop.counts',
      'shop.empty',
      'shop.items',
      'shop.orders',
      'shop.pictures',
    ]);
    tables = schema.tables.map(({ keyspace, name, id }) => ({ keyspace, table: name, tableId: id }));
  });

  it('takes no snapshot after the end of a pause', async () => {
    const [at, notAfter] = [new Date().toISOString(), new Date(Date.now() - 5_000).toISOString()];
    await expect(
      host.run(BACKUP, 'snapshot', { tag: tag(BACKUP), at, notAfter }, 'snapshot-2'),
    ).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect(await cluster.nodes[0].nodetool('listsnapshots')).not.toContain(BACKUP);
  });

  it('backs up every table, and a second time sends no byte of user tables', async () => {
    await host.run(BACKUP, 'flush', {}, 'flush-1');
    const first = await backUp(BACKUP);
    expect(first.uploaded.bytes).toBeGreaterThan(0);
    expect(first.uploaded.tampered).toEqual([]);
    source = first.source;
    await host.run(BACKUP, 'clear-snapshot', { tags: [tag(BACKUP)] });
    expect(await cluster.nodes[0].nodetool('listsnapshots')).not.toContain(BACKUP);
    const second = await backUp(SECOND, source);
    expect(second.uploaded.uploadedBytes).toBe(second.uploaded.systemUploadedBytes);
    expect(second.uploaded.files).toBeGreaterThanOrEqual(first.uploaded.files);
    await host.run(SECOND, 'clear-snapshot', { tags: [tag(SECOND)] });
  });

  it('refuses a restore on a host whose guard file does not name the cluster', async () => {
    await expect(host.run(RESTORE, 'check-restore', { sources: [source], tables })).rejects.toMatchObject({
      name: 'RestoreNotAllowed',
    });
    await expect(
      host.run(RESTORE, 'stop', { mayFailToDrain: false, mayLeaveHints: true }),
    ).rejects.toMatchObject({
      name: 'RestoreNotAllowed',
    });
  });

  it('brings back what was deleted, truncated and dropped', async () => {
    await host.allowRestore();
    const before = await contents(client);
    await client.execute('DELETE FROM shop.orders WHERE id = 1');
    await client.execute('TRUNCATE shop.items');
    await client.execute('DROP TABLE shop."Mixed"');
    await client.execute("INSERT INTO shop.orders (id, name) VALUES (99, 'after the backup')");
    await cluster.nodes[0].nodetool('flush');
    const after = await contents(client);
    await restore(host, { source, tables, statements: schema.statements });
    await reconnect();
    expect(await contents(client)).toEqual(before);
    // Undo: the disaster is back, dropped table apart, which the restore had made again.
    await host.run(UNDO, 'stop', { mayFailToDrain: false, mayLeaveHints: true });
    await host.run(UNDO, 'put-back', { restoreRunId: RESTORE });
    await host.run(UNDO, 'start', { awaitsSchema: false });
    await reconnect();
    expect(await contents(client)).toEqual({ ...after, Mixed: [] });
  });

  it('has in its role what a backup and a restore need, and no rows', async () => {
    const backup = await cluster.connect(cluster.backupRole);
    const ask = (query: string) => backup.execute(query, [], { prepare: false });
    try {
      expect((await ask('DESCRIBE SCHEMA WITH INTERNALS')).rowLength).toBeGreaterThan(7);
      expect((await ask('SELECT * FROM system_views.settings')).rowLength).toBeGreaterThan(50);
      await ask('CREATE TYPE shop.added (a int)');
      await ask('CREATE TABLE shop.added_table (id int PRIMARY KEY, a int)');
      await ask('CREATE INDEX ON shop.added_table (a)');
      await ask(
        'CREATE MATERIALIZED VIEW shop.added_view AS SELECT * FROM shop.added_table WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)',
      );
      for (const refused of [
        'SELECT * FROM shop.orders LIMIT 1',
        'INSERT INTO shop.items (id) VALUES (1)',
        'TRUNCATE shop.orders',
        'DROP TABLE shop.counts',
        'SELECT * FROM system_auth.roles',
        "CREATE ROLE intruder WITH PASSWORD = 'x' AND LOGIN = true",
      ]) {
        await expect(ask(refused), refused).rejects.toThrow(/permission|privileges/);
      }
    } finally {
      await backup.shutdown();
      await client.execute('DROP MATERIALIZED VIEW IF EXISTS shop.added_view');
      await client.execute('DROP TABLE IF EXISTS shop.added_table');
      await client.execute('DROP TYPE IF EXISTS shop.added');
    }
  });

  it('has the same contents after a crash', async () => {
    const [node] = cluster.nodes;
    const before = await contents(client);
    await node.kill();
    expect(await node.isUp()).toBe(false);
    await node.start();
    await cluster.settled();
    await reconnect();
    expect(await contents(client)).toEqual(before);
  });

  it('ends the process when the cluster is closed, and starts no other', async () => {
    const [node] = cluster.nodes;
    const pid = (await readFile(pidFileOf(node), 'utf8')).trim();
    await client.shutdown();
    await cluster.close();
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).toBe('');
    await expect(node.start()).rejects.toThrow('has been closed');
  });
});

async function restore(
  host: HostUnderTest,
  plan: { source: BackupSource; tables: TableRef[]; statements: SchemaView['statements'] },
): Promise<void> {
  const { source, tables, statements } = plan;
  const check = await host.run(RESTORE, 'check-restore', { sources: [source], tables });
  expect(check.requiredBytes).toBeGreaterThan(0);
  const downloaded = await host.run(RESTORE, 'download', { sources: [source], tables });
  expect(downloaded.bytes).toBe(check.requiredBytes);
  // The pictures are on the node as they were.
  expect(downloaded.downloadedBytes).toBeLessThan(downloaded.bytes - 3_000_000);
  expect(await host.run(RESTORE, 'apply-schema', { statements })).toEqual({ applied: 1 });
  expect(await host.run(RESTORE, 'stop', { mayFailToDrain: false, mayLeaveHints: true })).toEqual({
    drained: true,
  });
  const placed = await host.run(RESTORE, 'place', { sources: [source], tables, emptied: EMPTIED });
  expect(placed.bytes).toBe(downloaded.bytes);
  await host.run(RESTORE, 'start', { awaitsSchema: false });
}

async function fill(client: Client): Promise<void> {
  const statements = [
    "CREATE KEYSPACE shop WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}",
    'CREATE TYPE shop.addr (street text)',
    'CREATE TABLE shop.orders (id int PRIMARY KEY, name text, a frozen<addr>, gone int)',
    'ALTER TABLE shop.orders DROP gone',
    'CREATE INDEX by_name ON shop.orders (name)',
    'CREATE TABLE shop.items (id int PRIMARY KEY, v text)',
    "CREATE INDEX items_sai ON shop.items (v) USING 'sai'",
    'CREATE MATERIALIZED VIEW shop.by_v AS SELECT * FROM shop.items WHERE v IS NOT NULL AND id IS NOT NULL PRIMARY KEY (v, id)',
    'CREATE TABLE shop."Mixed" (id int PRIMARY KEY, "Quoted; name" text)',
    'CREATE TABLE shop.counts (id int PRIMARY KEY, c counter)',
    'CREATE TABLE shop.empty (id int PRIMARY KEY)',
    'CREATE TABLE shop.pictures (id int PRIMARY KEY, picture blob)',
  ];
  for (const statement of statements) await client.execute(statement);
  // Data.db of more than a mebibyte, which is an object of its own.
  for (let id = 0; id < 100; id += 1) {
    await client.execute('INSERT INTO shop.pictures (id, picture) VALUES (?, ?)', [id, randomBytes(40_000)], {
      prepare: true,
    });
  }
  for (let id = 0; id < 200; id += 1) {
    await client.execute('INSERT INTO shop.orders (id, name) VALUES (?, ?)', [id, `name ${id % 7}`], {
      prepare: true,
    });
    await client.execute('INSERT INTO shop.items (id, v) VALUES (?, ?)', [id, `v ${id % 5}`], {
      prepare: true,
    });
    await client.execute('INSERT INTO shop."Mixed" (id, "Quoted; name") VALUES (?, ?)', [id, "$(it's)"], {
      prepare: true,
    });
    await client.execute('UPDATE shop.counts SET c = c + 1 WHERE id = ?', [id % 3], { prepare: true });
  }
}

const QUERIES: Record<string, string> = {
  orders: 'SELECT * FROM shop.orders',
  ordersByIndex: "SELECT id FROM shop.orders WHERE name = 'name 1'",
  items: 'SELECT * FROM shop.items',
  itemsBySai: "SELECT id FROM shop.items WHERE v = 'v 1'",
  view: "SELECT id FROM shop.by_v WHERE v = 'v 2'",
  Mixed: 'SELECT * FROM shop."Mixed"',
  counts: 'SELECT * FROM shop.counts',
  pictures: 'SELECT * FROM shop.pictures',
};

async function contents(client: Client): Promise<Record<string, string[]>> {
  const result: Record<string, string[]> = {};
  for (const [name, query] of Object.entries(QUERIES)) {
    const rows = await client.execute(query, [], { fetchSize: 5_000 }).catch((error: Error) => {
      if (/unconfigured table|does not exist/.test(error.message)) return { rows: [] };
      throw error;
    });
    result[name] = rows.rows.map((row) => JSON.stringify(row)).sort();
  }
  return result;
}

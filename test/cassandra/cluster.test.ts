import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, types } from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../../local/cassandra/cluster.ts';
import { pidFileOf } from '../../local/cassandra/launch-scripts.ts';
import { causeDisaster } from '../../local/dataset/disaster.ts';
import {
  type Comparison,
  compareWithExpectation,
  type Expectation,
  recordExpectation,
} from '../../local/dataset/expectation.ts';
import { loadDataset } from '../../local/dataset/load.ts';
import { customerId } from '../../local/dataset/rows.ts';

const different = (comparisons: Comparison[]) =>
  comparisons.filter(({ same }) => !same).map(({ what }) => what);

/** The first expiry of all, in milliseconds of the epoch. */
function endOfShortSessions({ readings }: Expectation): number {
  const expiries = readings.flatMap(({ groups }) => groups).flatMap(({ expiresAt }) => expiresAt ?? []);
  return Math.min(...expiries) * 1000;
}

describe('a local cluster of three nodes', () => {
  let directory: string;
  let cluster: Cluster;
  let client: Client;
  let expectation: Expectation;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ringvault-cluster-'));
    cluster = await startCluster({ directory, clusterName: 'shop' });
    await loadDataset(cluster, { shortTtlSeconds: 30 });
    client = await cluster.connect();
    expectation = await recordExpectation(client);
  });
  afterAll(async () => {
    await client?.shutdown();
    await cluster?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('keeps system_auth on every node and takes no default password', async () => {
    const { rows } = await client.execute(
      "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'",
    );
    expect(rows[0]?.['replication']).toMatchObject({ dc1: '3' });
    await expect(cluster.connect({ username: 'cassandra', password: 'cassandra' })).rejects.toThrow();
  });

  it('gives the backup role what a backup and a restore need, and no rows', async () => {
    const backup = await cluster.connect(cluster.backupRole);
    const ask = (query: string) => backup.execute(query, [], { prepare: false });
    try {
      expect((await ask('DESCRIBE SCHEMA WITH INTERNALS')).rowLength).toBeGreaterThan(8);
      expect((await ask('SELECT * FROM system_views.settings')).rowLength).toBeGreaterThan(50);
      await ask('CREATE TYPE shop.added (a int)');
      await ask('CREATE TABLE shop.added_table (id int PRIMARY KEY, a int)');
      await ask('CREATE INDEX ON shop.added_table (a)');
      await ask(
        'CREATE MATERIALIZED VIEW shop.added_view AS SELECT * FROM shop.added_table WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)',
      );
      for (const refused of [
        'SELECT * FROM shop.customers LIMIT 1',
        "INSERT INTO shop.products (sku) VALUES ('x')",
        'TRUNCATE shop.customers',
        'DROP TABLE shop.page_views',
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

  it('has a node with two data directories, both in use', async () => {
    const used = await Promise.all(
      cluster.nodes.flatMap((node) => node.dataDirectories).map((path) => readdir(join(path, 'shop'))),
    );
    expect(used.map((tables) => tables.length > 0)).toEqual([true, true, true, true]);
  });

  it('is the same as recorded after a crash of one node, its expired rows gone', async () => {
    const [, second] = cluster.nodes;
    await second?.kill();
    expect(await second?.isUp()).toBe(false);
    await second?.start();
    await cluster.settled();
    await sleep(Math.max(0, endOfShortSessions(expectation) - Date.now()));
    const comparisons = await compareWithExpectation(expectation, client);
    expect(different(comparisons)).toEqual([]);
    expect(comparisons.map(({ what }) => what)).toContain(
      'sessions, expiry to the second: those that ended since',
    );
  });

  it('tells one changed value, in the table and in its index', async () => {
    const rename = (name: string) =>
      client.execute('UPDATE shop.customers SET name = ? WHERE id = ?', [name, customerId(7)], {
        prepare: true,
        consistency: types.consistencies.all,
      });
    const before = await client.execute('SELECT name FROM shop.customers WHERE id = ?', [customerId(7)]);
    await rename('somebody else');
    expect(different(await compareWithExpectation(expectation, client))).toEqual([
      'customers (UDT, collections)',
      'customers by country (index)',
    ]);
    await rename(String(before.rows[0]?.['name']));
    expect(different(await compareWithExpectation(expectation, client))).toEqual([]);
  });

  it('loses in the disaster what the demo says it loses', async () => {
    await causeDisaster(cluster, client);
    expect(different(await compareWithExpectation(expectation, client))).toEqual([
      'schema, with table IDs',
      'customers (UDT, collections)',
      'customers by country (index)',
      'products',
      'products by stock (SAI index)',
      'orders',
      'orders_by_customer (view)',
      '"OrderLines"',
    ]);
    expect(await readdir(cluster.nodes[2]?.dataDirectories[0] ?? '')).not.toContain('shop');
  });

  it('ends every process when it is closed, and starts no more', async () => {
    const pids = await Promise.all(cluster.nodes.map((node) => readFile(pidFileOf(node), 'utf8')));
    await client.shutdown();
    await cluster.close();
    for (const pid of pids) {
      expect(await readFile(`/proc/${pid.trim()}/cmdline`, 'utf8').catch(() => '')).toBe('');
    }
    await expect(cluster.nodes[0].start()).rejects.toThrow('has been closed');
  });
});

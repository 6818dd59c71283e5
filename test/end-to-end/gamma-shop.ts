// A keyspace a test on gamma: two tables whose rows say when they were written, one of them with an index and a view.
import { type Client, types } from 'cassandra-driver';
import { createSchema } from '../../local/dataset/load.ts';
import type { ManagedCluster } from '../../local/installation.ts';
import { sharedStage } from './stage.ts';

export const clusterId = 'gamma';
export const TABLES = ['Orders', 'Cache'];
const ROWS = 20;

export async function gamma() {
  const stage = await sharedStage();
  const cluster = await stage.gamma();
  const [first, second] = cluster.hosts;
  const [, secondNode] = cluster.cassandra.nodes;
  if (!first || !second || !secondNode) throw new Error('gamma has two hosts');
  return { cluster, client: await stage.client(cluster), first, second, secondNode };
}

export async function openShop(
  { cassandra }: ManagedCluster,
  client: Client,
  keyspace: string,
): Promise<void> {
  await createSchema(cassandra, [
    `CREATE KEYSPACE "${keyspace}" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1, 'dc2': 1}`,
    ...TABLES.map((table) => `CREATE TABLE "${keyspace}"."${table}" ("Id" int PRIMARY KEY, "When" text)`),
    `CREATE INDEX "byWhen" ON "${keyspace}"."Orders" ("When")`,
    `CREATE MATERIALIZED VIEW "${keyspace}"."OrdersByWhen" AS SELECT * FROM "${keyspace}"."Orders"
      WHERE "When" IS NOT NULL AND "Id" IS NOT NULL PRIMARY KEY ("When", "Id")`,
  ]);
  await write(client, keyspace, 'before', 0);
}

/** A write that every replica has. */
export const EVERYWHERE = { prepare: true, consistency: types.consistencies.all };

/** What depends on the order of the schema, types in types and in a table, a column that rows on the disk have still; and a counter at 3. */
export async function openCustomers(
  { cassandra }: ManagedCluster,
  client: Client,
  keyspace: string,
): Promise<void> {
  await createSchema(cassandra, [
    `CREATE TYPE "${keyspace}"."Zone" (code text)`,
    `CREATE TYPE "${keyspace}"."Address" (street text, zone frozen<"Zone">)`,
    `CREATE TABLE "${keyspace}"."Customers" (id int PRIMARY KEY, at map<text, frozen<"Address">>, gone int, kept int)`,
    `CREATE TABLE "${keyspace}"."Visits" (id int PRIMARY KEY, visits counter)`,
  ]);
  await client.execute(
    `INSERT INTO "${keyspace}"."Customers" (id, at, gone, kept) VALUES (1, {'home': {street: 'High', zone: {code: 'N1'}}}, 3, 4)`,
    [],
    EVERYWHERE,
  );
  await createSchema(cassandra, [`ALTER TABLE "${keyspace}"."Customers" DROP gone`]);
  for (let visit = 0; visit < 3; visit++)
    await client.execute(
      `UPDATE "${keyspace}"."Visits" SET visits = visits + 1 WHERE id = 1`,
      [],
      EVERYWHERE,
    );
}

/** Rows of both tables, by ID from `from` on, on every node. */
export async function write(client: Client, keyspace: string, when: string, from: number): Promise<void> {
  for (const table of TABLES) {
    const insert = `INSERT INTO "${keyspace}"."${table}" ("Id", "When") VALUES (?, ?)`;
    for (let id = from; id < from + ROWS; id++) {
      await client.execute(insert, [id, when], EVERYWHERE);
    }
  }
}

/** Every row, as `<id> <when>`. */
export async function rows(client: Client, from: string): Promise<string[]> {
  const found = await client.execute(`SELECT "Id", "When" FROM ${from}`);
  return found.rows.map((row) => `${row['Id']} ${row['When']}`).sort();
}

export const written = (when: string, from: number) =>
  Array.from({ length: ROWS }, (_, index) => `${from + index} ${when}`).sort();

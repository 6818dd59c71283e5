// A keyspace for clusters whose data is not what a test is about: names that need quotes, and new bytes on demand.
import { randomBytes } from 'node:crypto';
import type { Client } from 'cassandra-driver';

const TABLE = '"SmallShop"."OrderLines"';
const ROWS = 60;

/** Rows that no backup has yet, so that the next one has files to send. */
export async function addRows(client: Client): Promise<void> {
  await client.execute(
    `CREATE KEYSPACE IF NOT EXISTS "SmallShop" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}`,
  );
  await client.execute(`CREATE TABLE IF NOT EXISTS ${TABLE} ("Id" uuid PRIMARY KEY, "Bytes" blob)`);
  const insert = `INSERT INTO ${TABLE} ("Id", "Bytes") VALUES (uuid(), ?)`;
  for (let row = 0; row < ROWS; row++) await client.execute(insert, [randomBytes(512)], { prepare: true });
}

export async function countRows(client: Client): Promise<number> {
  const { rows } = await client.execute(`SELECT count(*) AS n FROM ${TABLE}`);
  return Number(rows[0]?.['n']);
}

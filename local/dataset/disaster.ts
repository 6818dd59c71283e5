// The demo's disaster: what people, programs and disks do to data.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, types } from 'cassandra-driver';
import pMap from 'p-map';
import type { Cluster } from '../cassandra/cluster.ts';
import { LocalServerFailed } from '../servers/errors.ts';
import { customerId, ORDERS, orderId } from './rows.ts';
import { KEYSPACE } from './schema.ts';

const DELETED_CUSTOMERS = 500;
const DELETED_ORDERS = ORDERS / 4;

/** Does it, and answers what was done, a sentence each. */
export async function causeDisaster(cluster: Cluster, client: Client): Promise<string[]> {
  const remove = (table: string, ids: types.Uuid[]) =>
    pMap(
      ids,
      (id) =>
        client.execute(`DELETE FROM ${KEYSPACE}.${table} WHERE id = ?`, [id], {
          prepare: true,
          consistency: types.consistencies.all,
        }),
      { concurrency: 64 },
    );
  await remove(
    'customers',
    Array.from({ length: DELETED_CUSTOMERS }, (_, number) => customerId(number)),
  );
  await remove(
    'orders',
    Array.from({ length: DELETED_ORDERS }, (_, index) => orderId(index * 4)),
  );
  await client.execute(`TRUNCATE ${KEYSPACE}."OrderLines"`);
  await client.execute(`DROP TABLE ${KEYSPACE}.products`);
  // Tombstones in SSTables: newer than what will be restored, and what would shadow it if they stayed.
  await Promise.all(cluster.nodes.map((node) => node.nodetool('flush', KEYSPACE)));
  const victim = cluster.nodes.at(-1) ?? cluster.nodes[0];
  for (const directory of victim.dataDirectories) await removeKeyspace(directory);
  return [
    `${DELETED_CUSTOMERS} customers and ${DELETED_ORDERS} orders deleted, and flushed on every node`,
    `table ${KEYSPACE}."OrderLines" truncated`,
    `table ${KEYSPACE}.products dropped`,
    `directory ${KEYSPACE}/ removed from the disk of ${victim.address}`,
  ];
}

async function removeKeyspace(dataDirectory: string): Promise<void> {
  const path = join(dataDirectory, KEYSPACE);
  if ((await readdir(path)).length === 0) {
    throw new LocalServerFailed(`${path}: got nothing to remove, expected the tables of ${KEYSPACE}`);
  }
  await rm(path, { recursive: true });
}

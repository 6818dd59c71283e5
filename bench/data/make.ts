// Makes the benchmark's data by a real Cassandra node: random blobs, flushed and compacted by nodetool, and three snapshots.
import { randomFillSync } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Client } from 'cassandra-driver';
import pMap from 'p-map';
import { startCluster } from '../../local/cassandra/cluster.ts';
import type { CassandraNode } from '../../local/cassandra/node.ts';
import { cached } from '../paths.ts';
import { type DataPlan, planData } from './plan.ts';
import {
  type BenchData,
  DATA_FILE,
  describeStates,
  readData,
  STATES,
  type StateName,
  tagOf,
} from './states.ts';

const KEYSPACE = 'bench';
const ROW_BYTES = 64 * 1024;
const WRITES_AT_ONCE = 32;
const ATTEMPTS = 5;
/** Changes with what is made, so that data made otherwise are not taken for it. */
const RECIPE = 1;

/** Made once per size, then found again. */
export async function benchData(sizeMiB: number, say: (line: string) => void): Promise<BenchData> {
  const directory = cached(`data-${RECIPE}-${sizeMiB}MiB`);
  const found = await readData(directory);
  if (found) return found;
  await rm(directory, { recursive: true, force: true });
  const work = `${directory}.making`;
  await rm(work, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  say(`making ${sizeMiB} MiB by Cassandra`);
  const { data, cassandraVersion } = await makeSnapshots(work, planData(sizeMiB), say);
  await mkdir(directory, { recursive: true });
  await rename(data, join(directory, 'data'));
  await rm(work, { recursive: true, force: true });
  const made = await describeStates({ sizeMiB, directory, cassandraVersion });
  await writeFile(join(directory, DATA_FILE), JSON.stringify(made, undefined, 2));
  return made;
}

async function makeSnapshots(directory: string, plan: DataPlan, say: (line: string) => void) {
  const cluster = await startCluster({ directory, nodes: 1, clusterName: 'bench', authentication: false });
  try {
    const [node] = cluster.nodes;
    const client = await cluster.connect();
    try {
      const writer = new Writer(client);
      await createTables(client, node, plan);
      for (const state of STATES) {
        say(`  ${state}`);
        await reach[state](writer, node, plan);
        await node.nodetool('snapshot', '-t', tagOf(state));
      }
    } finally {
      await client.shutdown();
    }
    const [data = ''] = node.dataDirectories;
    return { data, cassandraVersion: cluster.version };
  } finally {
    await cluster.close();
  }
}

async function createTables(client: Client, node: CassandraNode, plan: DataPlan): Promise<void> {
  await client.execute(
    `CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  for (const table of [...plan.big, ...plan.small, ...plan.tiny]) {
    await client.execute(`CREATE TABLE ${KEYSPACE}.${table} (id bigint PRIMARY KEY, body blob)`);
  }
  await node.nodetool('disableautocompaction', KEYSPACE);
  await node.nodetool('setcompactionthroughput', '0');
}

/** What is done to come from the state before to this one. */
const reach: Record<StateName, (writer: Writer, node: CassandraNode, plan: DataPlan) => Promise<void>> = {
  async first(writer, node, plan) {
    for (const table of plan.big) await writer.write(table, plan.bigBytes);
    await node.nodetool('flush', KEYSPACE);
    await node.nodetool('compact', KEYSPACE, ...plan.big);
    for (const table of plan.tiny) await writer.write(table, 20 * 1024, 1024);
    for (const round of plan.smallBytes) {
      for (const [index, bytes] of round.entries()) await writer.write(plan.small[index] ?? '', bytes);
      await node.nodetool('flush', KEYSPACE);
    }
  },
  async added(writer, node, plan) {
    for (const table of plan.grown) await writer.write(table, plan.grownBytes);
    await node.nodetool('flush', KEYSPACE);
  },
  async compacted(_, node, plan) {
    await node.nodetool('compact', KEYSPACE, ...plan.compacted);
  },
};

/** Rows of random bytes, which no compression shrinks. */
class Writer {
  readonly #client: Client;
  #next = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  async write(table: string, bytes: number, rowBytes = ROW_BYTES): Promise<void> {
    const sizes = Array.from({ length: Math.ceil(bytes / rowBytes) }, (_, index) =>
      Math.min(rowBytes, bytes - index * rowBytes),
    );
    const query = `INSERT INTO ${KEYSPACE}.${table} (id, body) VALUES (?, ?)`;
    const writeRow = async (size: number) => {
      this.#next += 1;
      const body = randomFillSync(Buffer.allocUnsafe(size));
      await this.#insert(query, [String(this.#next), body]);
    };
    await pMap(sizes, writeRow, { concurrency: WRITES_AT_ONCE });
  }

  /** A node that flushes and compacts on a few cores lets a write time out now and then. */
  async #insert(query: string, row: unknown[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#client.execute(query, row, { prepare: true });
        return;
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }
}

// Creates the demo's keyspace in a cluster and fills it.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, policies, types } from 'cassandra-driver';
import pMap from 'p-map';
import type { Cluster } from '../cassandra/cluster.ts';
import { CQL_PORT } from '../cassandra/network.ts';
import { LocalServerFailed } from '../servers/errors.ts';
import * as rows from './rows.ts';
import { KEYSPACE, schemaStatements } from './schema.ts';

const REQUESTS_AT_ONCE = 96;
const AGREEMENT_LIMIT_MS = 60_000;
const DAY_SECONDS = 86_400;

export interface LoadOptions {
  /** After how many seconds the short sessions end. */
  shortTtlSeconds: number;
}

/** Rows written, views not counted. @throws LocalServerFailed */
export async function loadDataset(cluster: Cluster, options: LoadOptions): Promise<{ rows: number }> {
  await createSchema(cluster, schemaStatements(cluster.datacenter, cluster.nodes.length));
  const client = await cluster.connect();
  try {
    return { rows: await writeRows(client, options) };
  } finally {
    await client.shutdown();
  }
}

/** All to one node, and one wait at the end: the driver's own waiting costs a second a statement. */
export async function createSchema(cluster: Cluster, statements: readonly string[]): Promise<void> {
  const [first] = cluster.nodes;
  const client = await cluster.connect(cluster.superuser, {
    contactPoints: [first.address],
    policies: {
      loadBalancing: new policies.loadBalancing.AllowListPolicy(
        new policies.loadBalancing.RoundRobinPolicy(),
        [`${first.address}:${CQL_PORT}`],
      ),
    },
    protocolOptions: { maxSchemaAgreementWaitSeconds: 0 },
  });
  try {
    for (const statement of statements) await client.execute(statement);
    await schemaAgreed(client, cluster);
  } finally {
    await client.shutdown();
  }
}

/** As the one node that the client reaches sees it. */
async function schemaAgreed(client: Client, { nodes }: Cluster): Promise<void> {
  const deadline = Date.now() + AGREEMENT_LIMIT_MS;
  for (;;) {
    const local = await client.execute('SELECT schema_version FROM system.local');
    const peers = await client.execute('SELECT peer, schema_version FROM system.peers_v2');
    // Nodes that were replaced may stay there for good.
    const members = peers.rows.filter((row) => nodes.some(({ address }) => address === String(row['peer'])));
    const versions = new Set([...local.rows, ...members].map((row) => String(row['schema_version'])));
    if (versions.size === 1) return;
    if (Date.now() > deadline) {
      throw new LocalServerFailed(`got ${versions.size} schema versions, expected one: ${[...versions]}`);
    }
    await sleep(100);
  }
}

const into = (table: string, columns: string) =>
  `INSERT INTO ${KEYSPACE}.${table} (${columns}) VALUES (${columns.replaceAll(/[^,]+/g, '?')})`;
const INSERT = {
  customer: into('customers', 'id, name, country, home, tags, preferences, joined'),
  product: into('products', 'sku, title, price, stock, picture'),
  order: into('orders', 'id, customer, placed, total'),
  orderLine: into('"OrderLines"', '"OrderId", "LineNo", "Status", sku, "Quantity"'),
  session: `${into('sessions', 'id, customer, secret')} USING TTL ?`,
};
const COUNT_VIEWS = `UPDATE ${KEYSPACE}.page_views SET views = views + ? WHERE page = ?`;

/** At consistency ALL, so that each node holds every row before a snapshot is taken. */
const OPTIONS = { prepare: true, consistency: types.consistencies.all };

async function writeRows(client: Client, { shortTtlSeconds }: LoadOptions): Promise<number> {
  const write = (query: string, count: number, row: (number: number) => unknown[]) =>
    pMap(numbers(count), (number) => client.execute(query, row(number), OPTIONS), {
      concurrency: REQUESTS_AT_ONCE,
    });
  await write(INSERT.customer, rows.CUSTOMERS, rows.customer);
  await write(INSERT.product, rows.PRODUCTS, rows.product);
  await write(INSERT.order, rows.ORDERS, rows.order);
  await pMap(
    numbers(rows.ORDERS),
    (number) => {
      const lines = rows.orderLines(number).map((params) => ({ query: INSERT.orderLine, params }));
      return client.batch(lines, { ...OPTIONS, logged: false });
    },
    { concurrency: REQUESTS_AT_ONCE },
  );
  await write(COUNT_VIEWS, rows.PAGES, rows.pageViews);
  await write(INSERT.session, rows.LONG_SESSIONS, (number) => rows.session('long', number, 30 * DAY_SECONDS));
  // Last, so that their time has only begun when the load is done.
  await write(INSERT.session, rows.SHORT_SESSIONS, (number) =>
    rows.session('short', number, shortTtlSeconds),
  );
  return (
    rows.CUSTOMERS +
    rows.PRODUCTS +
    rows.ORDERS * (1 + rows.LINES_PER_ORDER) +
    rows.PAGES +
    rows.LONG_SESSIONS +
    rows.SHORT_SESSIONS
  );
}

function* numbers(count: number): Generator<number> {
  for (let number = 0; number < count; number += 1) yield number;
}

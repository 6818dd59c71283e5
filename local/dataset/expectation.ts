// What the demo's data is known to be, and whether it is so again: every row, index answer, view, counter and expiry.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, errors } from 'cassandra-driver';
import { epochSecond, type Reading, type RowGroup, RowSums, readRows, SECONDS_LEFT } from './reading.ts';
import { COUNTRIES, STOCK_LEVELS } from './rows.ts';
import { KEYSPACE } from './schema.ts';

/**
 * What is read → by which queries. An index is asked for every value there is. Sessions come first: some of them end soon
 * after they were loaded.
 */
const READINGS: Record<string, string[]> = {
  'sessions, expiry to the second': [
    `SELECT JSON id, customer, secret, ttl(secret) AS ${SECONDS_LEFT} FROM ${KEYSPACE}.sessions`,
  ],
  'schema, with table IDs': [`DESCRIBE KEYSPACE ${KEYSPACE} WITH INTERNALS`],
  'customers (UDT, collections)': [`SELECT JSON * FROM ${KEYSPACE}.customers`],
  'customers by country (index)': COUNTRIES.map(
    (country) => `SELECT JSON * FROM ${KEYSPACE}.customers WHERE country = '${country}'`,
  ),
  products: [`SELECT JSON * FROM ${KEYSPACE}.products`],
  'products by stock (SAI index)': Array.from(
    { length: STOCK_LEVELS / 10 },
    (_, tens) =>
      `SELECT JSON * FROM ${KEYSPACE}.products WHERE stock >= ${tens * 10} AND stock < ${tens * 10 + 10}`,
  ),
  orders: [`SELECT JSON * FROM ${KEYSPACE}.orders`],
  'orders_by_customer (view)': [`SELECT JSON * FROM ${KEYSPACE}.orders_by_customer`],
  '"OrderLines"': [`SELECT JSON * FROM ${KEYSPACE}."OrderLines"`],
  'page_views (counters)': [`SELECT JSON * FROM ${KEYSPACE}.page_views`],
};

/** Plain data: it can be kept as JSON. */
export interface Expectation {
  recordedAt: string;
  readings: Array<{ what: string; groups: RowGroup[] }>;
}

export interface Comparison {
  what: string;
  expected: string;
  got: string;
  same: boolean;
}

export async function recordExpectation(client: Client): Promise<Expectation> {
  const readings: Expectation['readings'] = [];
  for (const [what, queries] of Object.entries(READINGS)) {
    readings.push({ what, groups: (await readRows(client, queries)).groups });
  }
  return { recordedAt: new Date().toISOString(), readings };
}

/** Reads all again. What cannot be read is a difference, with the error as what was got. */
export async function compareWithExpectation(
  expectation: Expectation,
  client: Client,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const { what, groups } of expectation.readings) {
    const reading = await readClearOfExpiries(client, READINGS[what] ?? [], groups).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
    comparisons.push(...compareReading(what, groups, reading));
  }
  return comparisons;
}

/** Rows that expire while they are read may or may not be seen: then it is read again, after them. */
async function readClearOfExpiries(
  client: Client,
  queries: readonly string[],
  expected: readonly RowGroup[],
): Promise<Reading> {
  for (;;) {
    const reading = await readRows(client, queries);
    const open = expected.filter(
      ({ expiresAt }) => expiresAt !== null && expiresAt > reading.from && expiresAt <= reading.until,
    );
    if (open.length === 0) return reading;
    const last = Math.max(...open.map(({ expiresAt }) => expiresAt ?? 0));
    await sleep(Math.max(0, last - epochSecond()) * 1000);
  }
}

/** Two lines where rows have expired since: those that live, and those that must be gone. */
export function compareReading(
  what: string,
  expected: readonly RowGroup[],
  got: Reading | Error,
): Comparison[] {
  const now = got instanceof Error ? epochSecond() : got.from;
  const isDue = ({ expiresAt }: RowGroup) => expiresAt !== null && expiresAt <= now;
  const due = expected.filter(isDue);
  const alive = summarise(expected.filter((group) => !isDue(group)));
  const living = got instanceof Error ? firstLine(got) : summarise(got.groups);
  const comparisons = [{ what, expected: alive, got: living, same: alive === living }];
  if (due.length > 0 && !(got instanceof Error)) {
    const seconds = new Set(due.map(({ expiresAt }) => expiresAt));
    const left = rowsIn(got.groups.filter(({ expiresAt }) => seconds.has(expiresAt)));
    comparisons.push({
      what: `${what}: those that ended since`,
      expected: `${counted(rowsIn(due))} gone`,
      got: left === 0 ? `${counted(rowsIn(due))} gone` : `${counted(left)} still there`,
      same: left === 0,
    });
  }
  return comparisons;
}

function rowsIn(groups: readonly RowGroup[]): number {
  return groups.reduce((rows, group) => rows + group.rows, 0);
}

function counted(rows: number): string {
  return `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}`;
}

/** `4,000 rows · 1f0c…`, the sum cut to what a person compares; 64 bits of it are enough against accidents. */
function summarise(groups: readonly RowGroup[]): string {
  const sums = new RowSums();
  for (const group of groups) sums.addGroup(group);
  const { rows, sum } = sums.total();
  return `${counted(rows)} · ${sum.slice(0, 16)}`;
}

/** The driver wraps what the node said. */
function firstLine(error: Error): string {
  const inner =
    error instanceof errors.NoHostAvailableError ? Object.values(error.innerErrors)[0] : undefined;
  const { name, message } = inner instanceof Error ? inner : error;
  return `${name}: ${message.split('\n')[0]}`;
}

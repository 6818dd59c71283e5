// Reads rows at consistency ALL into sums of hashes: of bounded memory whatever the number of rows, independent of
// their order, and with the exact second at which each row expires.
import { createHash } from 'node:crypto';
import { type Client, types } from 'cassandra-driver';
import { LocalServerFailed } from '../servers/errors.ts';

const PAGE_ROWS = 500;
const PAGE_ATTEMPTS = 20;
const SUM_LIMIT = 2n ** 256n;

/** A query with `AS seconds_left`, of `ttl(…)`, is of rows that may expire. */
export const SECONDS_LEFT = 'seconds_left';

/** Rows that expire in the same second. */
export interface RowGroup {
  /** Epoch second at which they are gone; null: never. */
  expiresAt: number | null;
  rows: number;
  /** Of the rows' hashes, modulo 2^256, in hex. */
  sum: string;
}

/** What queries answered, and the epoch seconds between which they were asked. */
export interface Reading {
  from: number;
  until: number;
  /** By `expiresAt`, never first. */
  groups: RowGroup[];
}

/** Collects rows of one second each in one sum. */
export class RowSums {
  readonly #groups = new Map<number | null, { rows: number; sum: bigint }>();

  add(text: string, expiresAt: number | null): void {
    const hash = createHash('sha256').update(`${expiresAt} ${text}`).digest('hex');
    this.#accumulate(expiresAt, 1, BigInt(`0x${hash}`));
  }

  addGroup(group: RowGroup): void {
    this.#accumulate(group.expiresAt, group.rows, BigInt(`0x${group.sum}`));
  }

  groups(): RowGroup[] {
    return [...this.#groups]
      .map(([expiresAt, { rows, sum }]) => ({ expiresAt, rows, sum: sum.toString(16) }))
      .sort((one, other) => (one.expiresAt ?? 0) - (other.expiresAt ?? 0));
  }

  /** All groups as one. */
  total(): { rows: number; sum: string } {
    let rows = 0;
    let sum = 0n;
    for (const group of this.#groups.values()) {
      rows += group.rows;
      sum = (sum + group.sum) % SUM_LIMIT;
    }
    return { rows, sum: sum.toString(16).padStart(64, '0') };
  }

  #accumulate(expiresAt: number | null, rows: number, hash: bigint): void {
    const group = this.#groups.get(expiresAt) ?? { rows: 0, sum: 0n };
    this.#groups.set(expiresAt, { rows: group.rows + rows, sum: (group.sum + hash) % SUM_LIMIT });
  }
}

/** @param queries each answers one column: `SELECT JSON …`, or the statements of a DESCRIBE */
export async function readRows(client: Client, queries: readonly string[]): Promise<Reading> {
  const sums = new RowSums();
  const from = epochSecond();
  for (const query of queries) {
    const expires = query.includes(`AS ${SECONDS_LEFT} `);
    let pageState: string | undefined;
    do {
      const page = await readPage(client, query, pageState);
      for (const text of page.texts) {
        const { columns, expiresAt } = expires
          ? expiringRow(text, page.second)
          : { columns: text, expiresAt: null };
        sums.add(columns, expiresAt);
      }
      pageState = page.nextState;
    } while (pageState);
  }
  return { from, until: epochSecond(), groups: sums.groups() };
}

function expiringRow(text: string, second: number): { columns: string; expiresAt: number | null } {
  const row: Record<string, unknown> = JSON.parse(text);
  const { [SECONDS_LEFT]: secondsLeft, ...columns } = row;
  if (secondsLeft !== null && typeof secondsLeft !== 'number') {
    throw new LocalServerFailed(`got ${text}, expected a number or null as ${SECONDS_LEFT}`);
  }
  return { columns: JSON.stringify(columns), expiresAt: secondsLeft === null ? null : second + secondsLeft };
}

/**
 * A page that was asked for and answered within one second of the clock that the nodes share: `ttl()` counts from the
 * coordinator's second, so this makes the expiry exact. A page that saw the second change is read again.
 */
async function readPage(
  client: Client,
  query: string,
  pageState: string | undefined,
): Promise<{ texts: string[]; second: number; nextState: string | undefined }> {
  const describes = query.startsWith('DESCRIBE');
  for (let attempt = 0; attempt < PAGE_ATTEMPTS; attempt += 1) {
    const second = epochSecond();
    const result = await client.execute(query, [], {
      consistency: types.consistencies.all,
      fetchSize: PAGE_ROWS,
      autoPage: false,
      ...(pageState ? { pageState } : {}),
    });
    if (describes || epochSecond() === second) {
      const texts = result.rows.map((row) => String(row[describes ? 'create_statement' : '[json]']));
      return { texts, second, nextState: result.pageState || undefined };
    }
  }
  throw new LocalServerFailed(`${query}: got no page of ${PAGE_ROWS} rows within a second of the clock`);
}

export function epochSecond(): number {
  return Math.floor(Date.now() / 1000);
}

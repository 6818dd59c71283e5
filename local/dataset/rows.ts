// The rows of the demo's tables. All follow from their number, so that every load is the same but for its times.
import { createHash } from 'node:crypto';
import { types } from 'cassandra-driver';

export const CUSTOMERS = 1_000;
export const PRODUCTS = 1_000;
export const ORDERS = 1_000;
export const LINES_PER_ORDER = 20;
export const PAGES = 200;
/** Sessions that outlive the demo, and sessions that end during it. */
export const LONG_SESSIONS = 600;
export const SHORT_SESSIONS = 200;

export const COUNTRIES = ['AT', 'BR', 'DE', 'IN', 'JP', 'KE', 'NL', 'US'] as const;
export const STOCK_LEVELS = 50;

const FIRST_DAY = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;

function bytesOf(what: string, number: number): Buffer {
  return createHash('sha256').update(`${what} ${number}`).digest();
}

function uuidOf(what: string, number: number): types.Uuid {
  return new types.Uuid(bytesOf(what, number).subarray(0, 16));
}

/** One of `choices`, spread as evenly as a hash is. */
function pick(what: string, number: number, choices: number): number {
  return bytesOf(what, number).readUInt32BE(16) % choices;
}

export const customerId = (number: number) => uuidOf('customer', number);
export const orderId = (number: number) => uuidOf('order', number);

export function customer(number: number): unknown[] {
  return [
    customerId(number),
    `Customer "${number}" Ünïcode, 'quoted'`,
    COUNTRIES[pick('country', number, COUNTRIES.length)],
    { street: `Street ${number % 97}`, city: `City ${number % 31}`, lines: [`floor ${number % 7}`, ''] },
    [`tag-${number % 5}`, `tag-${number % 3}`],
    { language: number % 2 === 0 ? 'en' : 'de', newsletter: String(number % 3 === 0) },
    new Date(FIRST_DAY + number * MINUTE_MS),
  ];
}

export function product(number: number): unknown[] {
  return [
    `sku-${number}`,
    `Product ${number}`,
    types.BigDecimal.fromString(`${number}.${String(number % 100).padStart(2, '0')}`),
    pick('stock', number, STOCK_LEVELS),
    bytesOf('picture', number),
  ];
}

export function order(number: number): unknown[] {
  return [
    orderId(number),
    customerId(pick('order customer', number, CUSTOMERS)),
    new Date(FIRST_DAY + number * MINUTE_MS),
    types.BigDecimal.fromString(`${number}.5`),
  ];
}

/** One partition of "OrderLines". */
export function orderLines(number: number): unknown[][] {
  return Array.from({ length: LINES_PER_ORDER }, (_, line) => [
    orderId(number),
    line + 1,
    number % 4 === 0 ? 'open' : 'shipped',
    `sku-${pick(`line ${line}`, number, PRODUCTS)}`,
    1 + ((number + line) % 9),
  ]);
}

export function pageViews(number: number): unknown[] {
  return [types.Long.fromNumber(1 + pick('views', number, 100_000)), `/page/${number}`];
}

export function session(kind: 'long' | 'short', number: number, ttlSeconds: number): unknown[] {
  return [
    uuidOf(`${kind} session`, number),
    customerId(pick('session', number, CUSTOMERS)),
    bytesOf(kind, number),
    ttlSeconds,
  ];
}

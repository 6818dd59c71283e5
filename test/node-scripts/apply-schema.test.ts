// What is left to do of a table's statements, wherever an earlier attempt was killed between them.
import { describe, expect, it } from 'vitest';
import type { SchemaStatement } from '../../contracts/ring.ts';
import { type LiveNames, type LiveTable, statementsLeft } from '../../node-scripts/actions/apply-schema.ts';

const ID = '1b255f4d-ef25-40a6-8000-00000000000a';
const CREATE = `CREATE TABLE shop.orders (
    id int PRIMARY KEY,
    gone text,
    "Was; Here" int,
    again text
) WITH ID = ${ID}`;
const ALTERS = [
  'ALTER TABLE shop.orders DROP gone USING TIMESTAMP 1763690000000000',
  'ALTER TABLE shop.orders DROP "Was; Here" USING TIMESTAMP 1763690000000001',
  'ALTER TABLE shop.orders DROP again USING TIMESTAMP 1763690000000002',
  'ALTER TABLE shop.orders ADD again text',
];
const ROW: SchemaStatement = {
  keyspace: 'shop',
  type: 'table',
  name: 'orders',
  statement: `${[CREATE, ...ALTERS].join(';\n')};`,
};

const liveWith = (table?: LiveTable): LiveNames => ({
  others: new Set(),
  tables: new Map(table && [['shop.orders', table]]),
});

/** As Cassandra has the table after the first of its statements. */
function tableAfter(statements: number): LiveTable {
  const table: LiveTable = {
    id: ID.replaceAll('-', ''),
    columns: new Set(['id', 'gone', 'Was; Here', 'again']),
    dropped: new Set(),
  };
  for (const [index, column] of ['gone', 'Was; Here', 'again'].entries()) {
    if (statements < index + 2) continue;
    table.columns.delete(column);
    table.dropped.add(column);
  }
  if (statements > ALTERS.length) table.columns.add('again');
  return table;
}

describe('the statements of a table that had columns dropped', () => {
  it('are all carried out where there is no such table', () => {
    expect(statementsLeft(ROW, liveWith())).toEqual([CREATE, ...ALTERS]);
  });

  it.each([1, 2, 3, 4, 5])('go on where they ended, after %i of them', (done) => {
    expect(statementsLeft(ROW, liveWith(tableAfter(done)))).toEqual(ALTERS.slice(done - 1));
  });

  it('are refused where the table of that name is another', () => {
    const other = { ...tableAfter(5), id: '2'.repeat(32) };
    expect(() => statementsLeft(ROW, liveWith(other))).toThrow('the live table has ID 2222');
  });
});

import { describe, expect, it } from 'vitest';
import type { SchemaTable, SchemaView } from '../../contracts/ring.ts';
import { compareSchemas } from '../../lambdas/planning/schema-difference.ts';
import { schema } from './support/answers.ts';

/** A copy of the backup's schema, changed. */
function live(change: (view: SchemaView) => void): SchemaView {
  const copy = structuredClone(schema);
  change(copy);
  return copy;
}
function tableOf(view: SchemaView, name: string): SchemaTable {
  const found = view.tables.find((each) => each.name === name);
  if (!found) throw new Error(name);
  return found;
}
function statementOf(view: SchemaView, name: string) {
  const found = view.statements.find((each) => each.name === name);
  if (!found) throw new Error(name);
  return found;
}
function restate(view: SchemaView, name: string, statement: string): void {
  statementOf(view, name).statement = statement;
}
const extra = (name: string, more: Partial<SchemaTable> = {}): SchemaTable => ({
  ...{ keyspace: 'app', name, id: 'd'.repeat(32), kind: 'table', columns: [], indexes: [] },
  ...more,
});
const index = { name: 'by_value', kind: 'COMPOSITES', target: 'value' };

describe('the difference of two schemas', () => {
  it('is nothing where nothing changed, but for white space', () => {
    const same = live((view) => {
      statementOf(view, 'address').statement = 'CREATE TYPE app.address ( street text );';
    });
    expect(compareSchemas(schema, same)).toEqual({
      statements: [],
      conflicts: [],
      warnings: [],
      liveOnly: [],
      missing: [],
    });
  });

  it('re-creates what was dropped, in the backup’s order', () => {
    const empty = { ...schema, tables: [], statements: [] };
    expect(compareSchemas(schema, empty)).toMatchObject({ statements: schema.statements, conflicts: [] });
    const dropped = live((view) => {
      view.tables = view.tables.filter((each) => each.name !== 'Orders');
      view.statements = view.statements.filter((each) => each.name !== '"Orders"');
    });
    const { statements, conflicts } = compareSchemas(schema, dropped);
    expect(statements).toEqual([statementOf(schema, '"Orders"')]);
    expect(conflicts).toEqual([]);
  });

  it('re-creates a dropped index and view', () => {
    const backup = live((view) => {
      tableOf(view, 'users').indexes.push(index);
      view.statements.push({
        keyspace: 'app',
        type: 'index',
        name: 'by_value',
        statement: 'CREATE INDEX …;',
      });
      view.statements.push({ keyspace: 'app', type: 'materialized_view', name: 'v', statement: 'CREATE …;' });
      view.tables.push(extra('v', { kind: 'view', baseTable: 'users' }));
    });
    expect(compareSchemas(backup, schema).statements.map((each) => each.name)).toEqual(['by_value', 'v']);
  });

  const conflicts: Array<[string, (view: SchemaView) => void, RegExp]> = [
    [
      'a table of another ID',
      (view) => void Object.assign(tableOf(view, 'users'), { id: 'e'.repeat(32) }),
      /dropped and created again/,
    ],
    [
      'a column that is gone',
      (view) => void tableOf(view, 'users').columns.pop(),
      /column value of app\.users was dropped/,
    ],
    [
      'a column of another type',
      (view) => void Object.assign(tableOf(view, 'users').columns[1] ?? {}, { type: 'int' }),
      /regular int, in the backup regular text/,
    ],
    [
      'a column that was dropped and added again',
      (view) =>
        restate(
          view,
          'users',
          'CREATE TABLE …; ALTER TABLE app.users DROP value USING TIMESTAMP 9; ALTER …;',
        ),
      /dropped since: value at 9/,
    ],
    [
      'an index that the backup lacks',
      (view) => void tableOf(view, 'users').indexes.push(index),
      /by_value on users/,
    ],
    [
      'a view that the backup lacks',
      (view) => void view.tables.push(extra('v', { kind: 'view', baseTable: 'users' })),
      /view app\.v on app\.users/,
    ],
    [
      'other replication',
      (view) => restate(view, 'app', "CREATE KEYSPACE app WITH replication = {'dc1': '1'};"),
      /replication is \{'dc1': '1'\}/,
    ],
    [
      'a type with another field',
      (view) => restate(view, 'address', 'CREATE TYPE app.address (street int);'),
      /type app\.address/,
    ],
  ];
  it.each(conflicts)('is a conflict for %s', (_what, change, says) => {
    const found = compareSchemas(schema, live(change));
    expect(found.conflicts).toEqual([expect.stringMatching(says)]);
  });

  it('is a conflict for an index of the same name and another target', () => {
    const backup = live((view) => void tableOf(view, 'users').indexes.push(index));
    const other = live((view) => void tableOf(view, 'users').indexes.push({ ...index, target: 'key' }));
    expect(compareSchemas(backup, other).conflicts).toEqual([expect.stringContaining('target key')]);
  });

  it('only warns of what restored data gets along with', () => {
    const { conflicts, warnings, liveOnly } = compareSchemas(
      schema,
      live((view) => {
        view.tables.push(extra('newer'));
        tableOf(view, 'users').columns.push({ name: 'added', type: 'int', kind: 'regular', position: -1 });
        statementOf(view, 'address').statement =
          'CREATE TYPE app.address (\n    street text,\n    zip text\n);';
      }),
    );
    expect(conflicts).toEqual([]);
    expect(warnings.join()).toMatch(/zip|fields added/);
    expect(warnings.join()).toMatch(/app\.newer/);
    expect(warnings.join()).toMatch(/added/);
    expect(liveOnly).toEqual(['app.newer']);
  });
});

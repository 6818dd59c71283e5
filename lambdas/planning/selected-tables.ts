// Which of the users' tables a backup is of. Pure.
import { matchesGlob } from 'node:path';
import { NothingSelected } from '../../contracts/errors.ts';
import type { SchemaTable } from '../../contracts/ring.ts';
import type { TablePatterns } from '../../contracts/selection.ts';

/**
 * A view goes with its table: restored without it, it would answer from another time.
 * @throws NothingSelected where a pattern to include matches no table, or nothing remains
 */
export function selectTables(
  tables: readonly SchemaTable[],
  { include, exclude = [] }: TablePatterns = {},
): { tables: SchemaTable[]; warnings: string[] } {
  const bases = tables.filter((table) => table.kind === 'table');
  const unmatched = (patterns: readonly string[]) =>
    patterns.filter((pattern) => !bases.some((table) => matches(table, pattern)));
  const nothing = unmatched(include ?? []);
  if (nothing.length > 0) {
    throw new NothingSelected(
      `keyspaces.include: got ${nothing.join(', ')}, expected patterns that match tables of the users’ keyspaces: ${[...new Set(bases.map((table) => table.keyspace))].join(', ') || 'there are none'}`,
    );
  }
  const chosen = bases.filter(
    (table) =>
      (include ?? [table.keyspace]).some((pattern) => matches(table, pattern)) &&
      !exclude.some((pattern) => matches(table, pattern)),
  );
  if (bases.length > 0 && chosen.length === 0) {
    throw new NothingSelected(`keyspaces.exclude: got ${exclude.join(', ')}, expected to leave a table`);
  }
  const names = new Set(chosen.map(({ keyspace, name }) => `${keyspace}.${name}`));
  return {
    tables: tables.filter(({ keyspace, name, baseTable }) => names.has(`${keyspace}.${baseTable ?? name}`)),
    warnings: unmatched(exclude).map((pattern) => `keyspaces.exclude: ${pattern} matches no table`),
  };
}

/** Names have letters, digits and "_" only, so that a pattern of paths does. */
function matches({ keyspace, name }: SchemaTable, pattern: string): boolean {
  const [keyspaces = '', names = '*'] = pattern.split('.');
  return matchesGlob(keyspace, keyspaces) && matchesGlob(name, names);
}

// How the schema of now differs from what a load is to fill: what is made before and after it, and what would make rows wrong. Pure.
import { unquoted } from '../../contracts/cql.ts';
import type { SchemaStatement, SchemaTable, SchemaView } from '../../contracts/ring.ts';
import { OF_TABLES } from './renamed-schema.ts';
import {
  columnConflicts,
  definitionConflicts,
  hasDropsOf,
  isOfSameName,
  statementConflicts,
} from './schema-conflicts.ts';

export interface LoadDifference {
  /** Made before it, in their order. */
  statements: SchemaStatement[];
  /** Made after it. */
  indexes: SchemaStatement[];
  /** Each refuses the load. */
  conflicts: string[];
  warnings: string[];
  /** Tables that have rows of their own, perhaps. */
  beside: SchemaTable[];
}

/**
 * @param wanted what there is to be, by its names
 * @param made IDs of tables that have a name of the request's
 * @param isOthers whether the backup is another cluster's: a table with its ID is one that a restore of it has made
 */
export function compareToLoad(
  wanted: SchemaView,
  live: SchemaView,
  made: ReadonlySet<string>,
  isOthers: boolean,
): LoadDifference {
  const liveTables = new Map(live.tables.map((table) => [fullName(table), table]));
  const bases = wanted.tables.filter(({ kind }) => kind === 'table');
  const beside = bases.flatMap((table) => liveTables.get(fullName(table)) ?? []);
  const others = bases.filter((table) => {
    const now = liveTables.get(fullName(table));
    return now && !(now.id === table.id && (made.has(table.id) || isOthers));
  });
  const ofOthers = belongingTo(others, wanted);
  const halfMade = new Set(
    bases.filter((table) => made.has(table.id) && isHalfMade(table, wanted, live)).map(fullName),
  );
  const missing = wanted.statements.filter(
    (each) =>
      !live.statements.some((other) => isOfSameName(other, each)) ||
      (each.type === 'table' && halfMade.has(statementName(each))),
  );
  // What a table of now has lost since, it has lost: a load is of rows. What a run before was stopped at is made.
  const notMadeAgain = missing.filter(
    (each) => OF_TABLES.includes(each.type) && ofOthers.has(statementName(each)),
  );
  const statements = missing.filter((each) => !notMadeAgain.includes(each));
  const late = (each: SchemaStatement) =>
    each.type === 'index' && /\bCREATE\s+CUSTOM\b/i.test(each.statement);
  const { conflicts, warnings } = statementConflicts(ofTypes(wanted), live);
  for (const table of bases) {
    const now = liveTables.get(fullName(table));
    if (!now || halfMade.has(fullName(table))) continue;
    const found = tableConflicts(table, now, made);
    const was = { table, statement: definitionOf(wanted, table) };
    const is = { table: now, statement: definitionOf(live, table) };
    conflicts.push(...found.conflicts, ...definitionConflicts(was, is));
    warnings.push(...found.warnings);
  }
  if (notMadeAgain.length > 0)
    warnings.push(
      `not made again: ${notMadeAgain.map((each) => `${each.type} ${statementName(each)}`).join(', ')}`,
    );
  return {
    statements: statements.filter((each) => !late(each)),
    indexes: statements.filter(late),
    ...{ conflicts, warnings, beside: beside.filter(({ id }) => !made.has(id)) },
  };
}

/** Names of their indexes and views. */
function belongingTo(tables: readonly SchemaTable[], { tables: all }: SchemaView): Set<string> {
  const names = new Set(tables.map(fullName));
  return new Set(
    all
      .filter(({ keyspace, name, baseTable }) => names.has(`${keyspace}.${baseTable ?? name}`))
      .flatMap((table) => [
        ...(table.kind === 'view' ? [fullName(table)] : []),
        ...table.indexes.map(({ name }) => `${table.keyspace}.${name}`),
      ]),
  );
}

function tableConflicts(
  wanted: SchemaTable,
  now: SchemaTable,
  made: ReadonlySet<string>,
): { conflicts: string[]; warnings: string[] } {
  const name = fullName(wanted);
  if (now.kind === 'view') return { conflicts: [`${name} is a view`], warnings: [] };
  if (made.has(wanted.id) && now.id !== wanted.id) {
    const conflict = `${name} is there already, and was not made of this backup: give another name, or drop it`;
    return { conflicts: [conflict], warnings: [] };
  }
  const { conflicts, warnings } = columnConflicts(wanted, now);
  const custom = now.indexes.filter(({ kind }) => kind === 'CUSTOM').map((index) => index.name);
  // What an earlier attempt of the same restore has made is filled once more.
  const refusing = custom.map(
    (index) =>
      `index ${wanted.keyspace}.${index} on ${wanted.name}: Cassandra refuses SSTables that are streamed whole without it; drop it first and make it again afterwards, or bring the table back under another name`,
  );
  return { conflicts: [...conflicts, ...refusing], warnings };
}

function definitionOf({ statements }: SchemaView, table: SchemaTable): string {
  const found = statements.find((each) => each.type === 'table' && statementName(each) === fullName(table));
  return found?.statement ?? '';
}

/** A run that was stopped while it made it: the columns that were dropped are not yet. */
function isHalfMade(table: SchemaTable, wanted: SchemaView, live: SchemaView): boolean {
  const is = live.tables.some(({ id }) => id === table.id);
  return is && !hasDropsOf(definitionOf(wanted, table), definitionOf(live, table));
}

/** Where a keyspace is, it stays as it is; tables are compared by more than their statements. */
function ofTypes(schema: SchemaView): SchemaView {
  const statements = schema.statements.filter(({ type }) => type !== 'keyspace' && type !== 'table');
  return { ...schema, statements };
}

const fullName = ({ keyspace, name }: Pick<SchemaTable, 'keyspace' | 'name'>) => `${keyspace}.${name}`;
const statementName = ({ keyspace, name }: SchemaStatement) => `${unquoted(keyspace)}.${unquoted(name)}`;

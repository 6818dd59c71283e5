// The schema of a backup under other names: what a restore-as makes beside what there is. Pure.
import type { LoadedTable } from '../../contracts/actions.ts';
import { cqlTokens, unquoted } from '../../contracts/cql.ts';
import { InvalidRequest, NothingSelected } from '../../contracts/errors.ts';
import {
  isSystemKeyspace,
  type SchemaStatement,
  type SchemaTable,
  type SchemaView,
} from '../../contracts/ring.ts';
import { sha256Of } from '../vault/documents.ts';

/** `keyspace` or `keyspace.table` → the other name; a table's is in its own keyspace. */
export type Names = Readonly<Record<string, string>>;

interface Renamed {
  /** What there is to be then. Of a table under another name neither its indexes nor its views: their names are taken. */
  schema: SchemaView;
  /** Tables alone: Cassandra fills their views. */
  tables: LoadedTable[];
}

/**
 * @param schema of what is restored
 * @param backupId what is made of one backup, under one name, has one ID: the same restore, started again, goes on with it
 * @throws NothingSelected InvalidRequest
 */
export function inOtherNames(schema: SchemaView, names: Names, backupId: string): Renamed {
  requireNames(schema, names);
  const isAlone = ({ keyspace, name, baseTable }: SchemaTable) => `${keyspace}.${baseTable ?? name}` in names;
  const leftOut = new Set(
    schema.tables
      .filter(isAlone)
      .flatMap(({ keyspace, name, kind, indexes }) => [
        ...(kind === 'view' ? [`${keyspace}.${name}`] : []),
        ...indexes.map((index) => `${keyspace}.${index.name}`),
      ]),
  );
  const kept = schema.tables.filter((table) => table.kind === 'table' || !isAlone(table));
  const tables = kept.map((table) => {
    const { keyspace, name } = nameOf(table, names);
    const isSame = keyspace === table.keyspace && name === table.name;
    const id = isSame ? table.id : idOf(backupId, table.id, `${keyspace}.${name}`);
    return { was: table, is: { ...table, keyspace, name, id, ...(isAlone(table) && { indexes: [] }) } };
  });
  const ids = new Map(tables.map(({ was, is }) => [dashed(was.id), dashed(is.id)]));
  const statements = schema.statements
    .filter(
      (each) =>
        !OF_TABLES.includes(each.type) || !leftOut.has(`${unquoted(each.keyspace)}.${unquoted(each.name)}`),
    )
    .map((each) => renamed(each, names, ids));
  return {
    schema: { ...schema, tables: tables.map(({ is }) => is), statements },
    tables: tables
      .filter(({ was }) => was.kind === 'table')
      .map(({ was, is }) => ({
        ...{ keyspace: was.keyspace, table: was.name, tableId: was.id },
        as: { keyspace: is.keyspace, table: is.name },
      })),
  };
}

/** Whether it is a copy beside what lives. */
export const hasOtherName = ({ keyspace, table, as }: LoadedTable) =>
  keyspace !== as.keyspace || table !== as.table;

/** Types of statements that are of a table, and have names of their own. */
export const OF_TABLES = ['index', 'materialized_view', 'view'];
/** Directories of these names Cassandra takes for its own. */
const TAKEN = ['snapshots', 'backups'];

function requireNames(schema: SchemaView, names: Names): void {
  const bases = schema.tables.filter(({ kind }) => kind === 'table');
  const known = new Set(bases.flatMap(({ keyspace, name }) => [keyspace, `${keyspace}.${name}`]));
  const unknown = Object.keys(names).filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new NothingSelected(
      `as: got ${unknown.join(', ')}, expected keyspaces or tables that are restored`,
    );
  const problems = Object.entries(names).flatMap(([was, is]) => {
    const [keyspace = '', table] = was.split('.');
    if (is === (table ?? keyspace)) return [`${was} its own name`];
    if (TAKEN.includes(is)) return [`${was} the name of a directory of Cassandra’s`];
    if (table !== undefined && keyspace in names) return [`${was} a name, and ${keyspace}, too`];
    return table === undefined && isSystemKeyspace(is) ? [`${was} the name of one of Cassandra’s own`] : [];
  });
  const targets = bases.map((table) => Object.values(nameOf(table, names)).join('.'));
  const twice = targets.filter((target, index) => targets.indexOf(target) !== index);
  problems.push(...twice.map((target) => `two tables the name ${target}`));
  if (problems.length > 0)
    throw new InvalidRequest(`as: gives ${problems.join('; ')}; expected names that nothing else has`);
}

function nameOf({ keyspace, name }: Pick<SchemaTable, 'keyspace' | 'name'>, names: Names) {
  return { keyspace: names[keyspace] ?? keyspace, name: names[`${keyspace}.${name}`] ?? name };
}

/** A UUID by names, as RFC 9562 has it for hashes of one's own choice (version 8); 32 hex digits. */
function idOf(...of: string[]): string {
  const hash = sha256Of(of.join('/'));
  return `${hash.slice(0, 12)}8${hash.slice(13, 16)}8${hash.slice(17, 32)}`;
}

const dashed = (id: string) => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

function renamed(row: SchemaStatement, names: Names, ids: ReadonlyMap<string, string>): SchemaStatement {
  const keyspace = unquoted(row.keyspace);
  const name = unquoted(row.name);
  const table = row.type === 'table' ? names[`${keyspace}.${name}`] : undefined;
  const other = names[keyspace];
  if (table === undefined && other === undefined) return row;
  const own = row.type === 'keyspace' ? other : table;
  return {
    type: row.type,
    keyspace: other === undefined ? row.keyspace : `"${other}"`,
    name: own === undefined ? row.name : `"${own}"`,
    statement: inStatement(row.statement, { keyspace, names, ids }),
  };
}

/** After these a name of the schema follows, with its keyspace. */
const BEFORE_NAMES = /^(?:keyspace|table|view|type|function|aggregate|from|on)$/i;

/** Texts and columns stay as they are: a name counts where DESCRIBE has one, after one of these words, or after its keyspace. */
function inStatement(
  statement: string,
  { keyspace, names, ids }: { keyspace: string; names: Names; ids: ReadonlyMap<string, string> },
): string {
  const tokens = cqlTokens(statement).map((token) => ids.get(token.toLowerCase()) ?? token);
  const next = (from: number) => {
    let at = from + 1;
    while (/^\s+$/.test(tokens[at] ?? '')) at += 1;
    return at;
  };
  for (const [index, token] of tokens.entries()) {
    if (!BEFORE_NAMES.test(token)) continue;
    const at = next(index);
    if (unquoted(tokens[at] ?? '') !== keyspace) continue;
    const isQualified = tokens[at + 1] === '.';
    if (!isQualified && token.toLowerCase() !== 'keyspace') continue;
    const table = names[`${keyspace}.${unquoted(tokens[at + 2] ?? '')}`];
    if (isQualified && table !== undefined) tokens[at + 2] = `"${table}"`;
    if (names[keyspace] !== undefined) tokens[at] = `"${names[keyspace]}"`;
  }
  // A copy would tell all of its rows once more to whoever follows the live one's.
  const cdc = tokens.findIndex((token, at) => token === 'cdc' && tokens[next(at)] === '=');
  const value = cdc < 0 ? -1 : next(next(cdc));
  if (tokens[value] === 'true') tokens[value] = 'false';
  return tokens.join('');
}

// Changes of columns, types and keyspaces since a backup that would make restored data wrong. Pure.
import { cqlTokens, unquoted, withoutTexts } from '../../contracts/cql.ts';
import type { SchemaStatement, SchemaTable, SchemaView } from '../../contracts/ring.ts';

interface Found {
  conflicts: string[];
  warnings: string[];
}

/** A column that was added since reads as null; one that is gone, or another, hides or garbles what is restored. */
export function columnConflicts(backup: SchemaTable, live: SchemaTable): Found {
  const name = `${backup.keyspace}.${backup.name}`;
  const now = new Map(live.columns.map((column) => [column.name, column]));
  const conflicts = backup.columns.flatMap((column) => {
    const current = now.get(column.name);
    if (!current) return [`column ${column.name} of ${name} was dropped`];
    const [was, is] = [describeColumn(column), describeColumn(current)];
    return was === is ? [] : [`column ${column.name} of ${name} is ${is}, in the backup ${was}`];
  });
  const then = new Set(backup.columns.map((column) => column.name));
  const added = live.columns.filter((column) => !then.has(column.name));
  const keys = added.filter((column) => column.kind === 'partition_key' || column.kind === 'clustering');
  const plain = added.filter((column) => !keys.includes(column)).map((column) => column.name);
  return {
    conflicts: [
      ...conflicts,
      ...keys.map((column) => `column ${column.name} of ${name} is in its key only now`),
    ],
    warnings: plain.length > 0 ? [`columns of ${name} added since will be null: ${plain.join(', ')}`] : [],
  };
}

/** `position` counts for keys alone. */
function describeColumn({ kind, type, position }: SchemaTable['columns'][number]): string {
  return kind === 'regular' || kind === 'static' ? `${kind} ${type}` : `${kind} ${position} ${type}`;
}

/** What only the statements tell: replication, fields of types, columns that were dropped and added again. */
export function statementConflicts(backup: SchemaView, live: SchemaView): Found {
  const found: Found = { conflicts: [], warnings: [] };
  for (const was of backup.statements) {
    const is = live.statements.find((each) => isOfSameName(each, was));
    if (!is || normalized(is.statement) === normalized(was.statement)) continue;
    const change = changeOf(was.type, normalized(was.statement), normalized(is.statement));
    if (!change) continue;
    const name =
      was.type === 'keyspace' ? unquoted(was.name) : `${unquoted(was.keyspace)}.${unquoted(was.name)}`;
    found[change.severity].push(`${was.type} ${name}: ${change.what}`);
  }
  return found;
}

/** Names are quoted where they need it, or where it is not known. */
export function isOfSameName(one: SchemaStatement, other: SchemaStatement): boolean {
  const same = (field: 'keyspace' | 'name') => unquoted(one[field]) === unquoted(other[field]);
  return one.type === other.type && same('keyspace') && same('name');
}

interface Change {
  severity: 'conflicts' | 'warnings';
  what: string;
}

function changeOf(type: string, was: string, is: string): Change | undefined {
  const conflict = (what: string): Change => ({ severity: 'conflicts', what });
  switch (type) {
    case 'keyspace': {
      const [then, now] = [replicationOf(was), replicationOf(is)];
      if (then === now) return { severity: 'warnings', what: 'its options were changed since' };
      return conflict(`replication is ${now}, in the backup ${then}`);
    }
    case 'type':
      if (is.startsWith(was.replace(/\s*\)\s*;?$/, ','))) {
        return { severity: 'warnings', what: 'fields added since will be null' };
      }
      return conflict(`it is ${is}, in the backup ${was}`);
    case 'table': {
      const again = dropsOf(is).filter((drop) => !dropsOf(was).includes(drop));
      // A dropped column that was added again hides what is older than its drop.
      return again.length > 0 ? conflict(`columns were dropped since: ${again.join(', ')}`) : undefined;
    }
    case 'function':
    case 'aggregate':
      return { severity: 'warnings', what: 'it was changed since' };
    default:
      return undefined;
  }
}

/** A table, and the statement that it was made by. */
interface Defined {
  table: SchemaTable;
  statement: string;
}

/**
 * What of a table's own statement makes rows wrong that are streamed into one that was not made from it: clusterings in another order
 * are not found; an SSTable with a column that it never had cannot be opened; and values of a column that was dropped come back where
 * nothing says so, or are hidden where it was dropped since.
 */
export function definitionConflicts(was: Defined, is: Defined): string[] {
  const name = `${was.table.keyspace}.${was.table.name}`;
  const [then, now] = [orderOf(was.statement), orderOf(is.statement)];
  const dropped = new Set(droppedIn(was.statement));
  const known = new Set(droppedIn(is.statement));
  const columns = (of: Defined) => new Set(of.table.columns.map((column) => column.name));
  const [had, has] = [columns(was), columns(is)];
  const lost = [...dropped].filter((column) => !known.has(column));
  const since = droppedIn(is.statement, dropsOf(was.statement));
  const again = since.filter((column) => had.has(column) && has.has(column));
  return [
    ...(then === now ? [] : [`clustering order of ${name} is (${now}), in the backup (${then})`]),
    ...lost
      .filter((column) => !has.has(column))
      .map(
        (column) =>
          `column ${column} of ${name} was dropped before the backup, and ${name} never had it: add it as it was, and drop it`,
      ),
    ...lost
      .filter((column) => has.has(column))
      .map(
        (column) =>
          `column ${column} of ${name} was dropped before the backup, and here it never was: values from before would come back. Bring the table back under another name`,
      ),
    ...again.map(
      (column) =>
        `column ${column} of ${name} was dropped and added again since: values from before are hidden`,
    ),
  ];
}

/** Whether columns of the one that were dropped are dropped in the other. */
export function hasDropsOf(was: string, is: string): boolean {
  const known = new Set(droppedIn(is));
  return droppedIn(was).every((column) => known.has(column));
}

/** `"LineNo" DESC, at ASC`; DESCRIBE writes it wherever there are clusterings. */
function orderOf(statement: string): string {
  return normalized(/\bCLUSTERING ORDER BY\s*\(([^)]*)\)/i.exec(statement)?.[1] ?? '');
}

/** Names of columns that were dropped, but by these drops. */
const droppedIn = (statement: string, but: readonly string[] = []) =>
  dropsOf(statement)
    .filter((drop) => !but.includes(drop))
    .map((drop) => unquoted(drop.replace(/ at \d+$/, '')));

/** Without white space and quotes that mean nothing. */
function normalized(statement: string): string {
  const tokens = cqlTokens(statement).map((token) =>
    /^"[a-z][a-z0-9_]*"$/.test(token) ? token.slice(1, -1) : token.replaceAll(/\s+/g, ' '),
  );
  return tokens.join('').trim();
}

/** The map as it is written, or `unknown`. */
export function replicationOf(statement: string): string {
  return /replication\s*=\s*(\{[^}]*\})/i.exec(statement)?.[1] ?? 'unknown';
}

function dropsOf(statement: string): string[] {
  return [...withoutTexts(statement).matchAll(/\bDROP ("(?:[^"]|"")+"|\w+)(?: USING TIMESTAMP (\d+))?/g)].map(
    ([, column, timestamp]) => `${column}${timestamp ? ` at ${timestamp}` : ''}`,
  );
}

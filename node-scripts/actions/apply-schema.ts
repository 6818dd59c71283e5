// apply-schema: on one node, while the cluster serves: makes what a restore needs and the cluster does not have, with its ID.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { unquoted } from '../../contracts/cql.ts';
import { SchemaConflict, SchemaDisagreement } from '../../contracts/errors.ts';
import type { SchemaStatement } from '../../contracts/ring.ts';
import { type Cql, withCql } from '../cassandra/cql.ts';
import { ringStatus } from '../cassandra/nodetool.ts';
import { readKeyspaces, readSchemaVersions, readTables } from '../cassandra/schema.ts';
import { columnChangeIn, splitStatements, tableIdIn } from '../cassandra/statements.ts';
import type { ActionContext } from '../context.ts';

const AGREEMENT_LIMIT_MS = 120_000;
const POLL_MS = 500;

export async function applySchema(
  context: ActionContext,
  input: ActionInput<'apply-schema'>,
): Promise<ActionOutput<'apply-schema'>> {
  return withCql(context, async (cql) => {
    const live = await readLiveNames(cql);
    let applied = 0;
    for (const row of input.statements) {
      const statements = statementsLeft(row, live);
      if (statements.length === 0) continue;
      context.signal.throwIfAborted();
      for (const statement of statements) await cql.rows(statement);
      applied += 1;
      context.log.info(
        { type: row.type, keyspace: row.keyspace, name: row.name },
        'schema statement applied',
      );
    }
    await untilAgreed(context, cql);
    return { applied };
  });
}

export interface LiveNames {
  /** `type keyspace name` of what is not a table. */
  others: Set<string>;
  /** `keyspace.name` → table ID and names of columns. */
  tables: Map<string, LiveTable>;
}

export interface LiveTable {
  id: string;
  columns: Set<string>;
  /** Columns that were dropped; one may have been added again since. */
  dropped: Set<string>;
}

async function readLiveNames(cql: Cql): Promise<LiveNames> {
  const tables = await readTables(cql);
  const others = new Set((await readKeyspaces(cql)).map((name) => nameOf('keyspace', name, name)));
  for (const table of tables) {
    for (const index of table.indexes) others.add(nameOf('index', table.keyspace, index.name));
  }
  for (const [type, column] of [
    ['type', 'type_name'],
    ['function', 'function_name'],
    ['aggregate', 'aggregate_name'],
  ] as const) {
    const rows = await cql.rows(`SELECT * FROM system_schema.${type}s`);
    for (const row of rows) {
      // Functions of one name differ by their arguments; DESCRIBE names them with these.
      const types = row['argument_types'] as string[] | null | undefined;
      const name = String(row[column]);
      others.add(nameOf(type, String(row['keyspace_name']), types ? `${name}(${types.join(', ')})` : name));
    }
  }
  const dropped = Map.groupBy(
    await cql.rows('SELECT keyspace_name, table_name, column_name FROM system_schema.dropped_columns'),
    (row) => `${row['keyspace_name']}.${row['table_name']}`,
  );
  const liveTables = tables.map(({ keyspace, name, id, columns }): [string, LiveTable] => {
    const key = `${keyspace}.${name}`;
    return [
      key,
      {
        id,
        columns: new Set(columns.map((column) => column.name)),
        dropped: new Set((dropped.get(key) ?? []).map((row) => String(row['column_name']))),
      },
    ];
  });
  return { others, tables: new Map(liveTables) };
}

const nameOf = (type: string, keyspace: string, name: string) => `${type} ${keyspace} ${name}`;

/**
 * A table that had columns dropped is one CREATE, then an ALTER … DROP of each, and an ADD where it was added again: an
 * attempt that was killed between them has left a table whose dropped columns are live.
 * @throws SchemaConflict
 */
export function statementsLeft(row: SchemaStatement, live: LiveNames): string[] {
  const keyspace = unquoted(row.keyspace);
  const name = unquoted(row.name);
  const statements = splitStatements(row.statement);
  if (row.type !== 'table' && row.type !== 'materialized_view') {
    return live.others.has(nameOf(row.type, keyspace, name)) ? [] : statements;
  }
  const table = live.tables.get(`${keyspace}.${name}`);
  if (!table) return statements;
  const wanted = tableIdIn(row.statement);
  if (table.id !== wanted) {
    throw new SchemaConflict(
      `${keyspace}.${name}: the live table has ID ${table.id}, the backup's ${wanted}`,
    );
  }
  return statements.filter((statement) => isColumnChangeLeft(statement, table));
}

function isColumnChangeLeft(statement: string, table: LiveTable): boolean {
  const change = columnChangeIn(statement);
  if (!change) return false;
  // A column that is added again is live before it is dropped, too: it is dropped first, and so not live then.
  if (change.kind === 'drop') return !table.dropped.has(change.column);
  return !table.columns.has(change.column) || !table.dropped.has(change.column);
}

async function untilAgreed(context: ActionContext, cql: Cql): Promise<void> {
  const deadline = context.clock.now().getTime() + AGREEMENT_LIMIT_MS;
  const members = await ringStatus(context);
  for (;;) {
    const versions = await readSchemaVersions(cql, members);
    if (versions.length === 1) return;
    if (context.clock.now().getTime() > deadline) {
      throw new SchemaDisagreement(
        `after ${AGREEMENT_LIMIT_MS / 1_000} s the nodes have schema versions ${versions.join(', ')}`,
      );
    }
    await context.clock.sleep(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

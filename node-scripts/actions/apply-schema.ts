// apply-schema: on one node, while the cluster serves: makes again what the backup has and the cluster lost, with its ID.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { SchemaConflict, SchemaDisagreement } from '../../contracts/errors.ts';
import type { SchemaStatement } from '../../contracts/ring.ts';
import { type Cql, withCql } from '../cassandra/cql.ts';
import { readKeyspaces, readSchemaVersions, readTables } from '../cassandra/schema.ts';
import { splitStatements, tableIdIn, unquoted } from '../cassandra/statements.ts';
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
      if (existsAlready(row, live)) continue;
      context.signal.throwIfAborted();
      for (const statement of splitStatements(row.statement)) await cql.rows(statement);
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

interface LiveNames {
  /** `type keyspace name` of what is not a table. */
  others: Set<string>;
  /** `keyspace.name` → table ID. */
  tables: Map<string, string>;
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
  return { others, tables: new Map(tables.map((table) => [`${table.keyspace}.${table.name}`, table.id])) };
}

const nameOf = (type: string, keyspace: string, name: string) => `${type} ${keyspace} ${name}`;

function existsAlready(row: SchemaStatement, live: LiveNames): boolean {
  const keyspace = unquoted(row.keyspace);
  const name = unquoted(row.name);
  if (row.type !== 'table' && row.type !== 'materialized_view') {
    return live.others.has(nameOf(row.type, keyspace, name));
  }
  const liveId = live.tables.get(`${keyspace}.${name}`);
  const wanted = tableIdIn(row.statement);
  if (liveId !== undefined && liveId !== wanted) {
    throw new SchemaConflict(`${keyspace}.${name}: the live table has ID ${liveId}, the backup's ${wanted}`);
  }
  return liveId !== undefined;
}

async function untilAgreed(context: ActionContext, cql: Cql): Promise<void> {
  const deadline = context.clock.now().getTime() + AGREEMENT_LIMIT_MS;
  for (;;) {
    const versions = await readSchemaVersions(cql);
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

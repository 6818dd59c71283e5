// The user schema as the host's own node holds it: tables by ID with their columns and indexes, and the statements that
// make it again.
import type { types } from 'cassandra-driver';
import {
  isSystemKeyspace,
  type SchemaStatement,
  type SchemaTable,
  type SchemaView,
  schemaView,
} from '../../contracts/ring.ts';
import type { Cql } from './cql.ts';

async function readSchemaVersion(cql: Cql): Promise<string> {
  const [local] = await cql.rows('SELECT schema_version FROM system.local');
  return String(local?.['schema_version']);
}

/** Schema versions of all members that this node knows, itself included, sorted, each once. */
export async function readSchemaVersions(
  cql: Cql,
  members: ReadonlyArray<{ hostId: string }>,
): Promise<string[]> {
  const peers = await cql.rows('SELECT host_id, schema_version FROM system.peers_v2');
  const others = peers
    .filter((row) => row['schema_version'] && members.some(({ hostId }) => hostId === String(row['host_id'])))
    .map((row) => String(row['schema_version']));
  return [...new Set([await readSchemaVersion(cql), ...others])].sort();
}

export async function readKeyspaces(cql: Cql): Promise<string[]> {
  const rows = await cql.rows('SELECT keyspace_name FROM system_schema.keyspaces');
  return rows.map((row) => String(row['keyspace_name'])).sort();
}

/** Reads until the schema was the same before and after, so that its parts belong together. */
export async function readSchema(cql: Cql): Promise<SchemaView> {
  for (;;) {
    const schemaVersion = await readSchemaVersion(cql);
    const tables = await readTables(cql);
    const statements = await readStatements(cql);
    if (schemaVersion === (await readSchemaVersion(cql))) {
      return schemaView.parse({ schemaVersion, tables, statements });
    }
  }
}

async function readStatements(cql: Cql): Promise<SchemaStatement[]> {
  const rows = await cql.rows('DESCRIBE SCHEMA WITH INTERNALS');
  return rows
    .map((row) => ({
      keyspace: String(row['keyspace_name']),
      type: String(row['type']),
      name: String(row['name']),
      statement: String(row['create_statement']),
    }))
    .filter((row) => !isSystemKeyspace(row.keyspace));
}

export async function readTables(cql: Cql): Promise<SchemaTable[]> {
  const read = async (query: string) =>
    (await cql.rows(query)).filter((row) => !isSystemKeyspace(String(row['keyspace_name'])));
  const tables = await read('SELECT keyspace_name, table_name, id FROM system_schema.tables');
  const views = await read('SELECT keyspace_name, view_name, id, base_table_name FROM system_schema.views');
  const columns = byTable(await read('SELECT * FROM system_schema.columns'));
  const indexes = byTable(await read('SELECT * FROM system_schema.indexes'));
  const described = [
    ...tables.map((row) => ({ row, name: String(row['table_name']), kind: 'table' as const })),
    ...views.map((row) => ({ row, name: String(row['view_name']), kind: 'view' as const })),
  ].map(({ row, name, kind }) => {
    const keyspace = String(row['keyspace_name']);
    const key = `${keyspace}.${name}`;
    return {
      keyspace,
      name,
      id: String(row['id']).replaceAll('-', ''),
      kind,
      ...(kind === 'view' && { baseTable: String(row['base_table_name']) }),
      columns: (columns.get(key) ?? []).map(columnOf).sort(byName),
      indexes: (indexes.get(key) ?? []).map(indexOf).sort(byName),
    };
  });
  return described.sort(
    (one, other) => compare(one.keyspace, other.keyspace) || compare(one.name, other.name),
  );
}

function byTable(rows: types.Row[]): Map<string, types.Row[]> {
  return Map.groupBy(rows, (row) => `${row['keyspace_name']}.${row['table_name']}`);
}

function columnOf(row: types.Row): SchemaTable['columns'][number] {
  const kind = String(row['kind']) as SchemaTable['columns'][number]['kind'];
  return {
    name: String(row['column_name']),
    type: String(row['type']),
    kind,
    position: Number(row['position']),
  };
}

function indexOf(row: types.Row): SchemaTable['indexes'][number] {
  const options = (row['options'] ?? {}) as Record<string, string>;
  const className = options['class_name'];
  return {
    name: String(row['index_name']),
    kind: String(row['kind']),
    target: options['target'] ?? '',
    ...(className && { className }),
  };
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);
const byName = (one: { name: string }, other: { name: string }) => compare(one.name, other.name);

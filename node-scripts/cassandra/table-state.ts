// What the node knows of its tables besides their schema: when each was truncated, and which do without incremental backups or
// without the commit log.
import type { Cql } from './cql.ts';

/** Table ID → what Cassandra keeps of its last TRUNCATE, as hex: the same as long as there is no other. */
export async function readTruncations(cql: Cql): Promise<Record<string, string>> {
  const [local] = await cql.rows('SELECT truncated_at FROM system.local');
  const truncated = (local?.['truncated_at'] ?? {}) as Record<string, Buffer>;
  return Object.fromEntries(
    Object.entries(truncated).map(([id, record]) => [id.replaceAll('-', ''), record.toString('hex')]),
  );
}

/** Table ID → when it was last truncated: the last eight bytes of the record, milliseconds since 1970. */
export async function readTruncationTimes(cql: Cql): Promise<Record<string, string>> {
  const records = await readTruncations(cql);
  return Object.fromEntries(
    Object.entries(records).map(([id, record]) => [
      id,
      new Date(Number(BigInt(`0x${record.slice(-16)}`))).toISOString(),
    ]),
  );
}

/** `keyspace.table` of tables and views whose own setting turns incremental backups off; an older Cassandra has none. */
export async function withoutIncrementalBackups(cql: Cql): Promise<Set<string>> {
  const names = new Set<string>();
  for (const [kind, name] of [
    ['tables', 'table_name'],
    ['views', 'view_name'],
  ] as const) {
    for (const row of await cql.rows(`SELECT * FROM system_schema.${kind}`)) {
      if (row['incremental_backups'] === false) names.add(`${row['keyspace_name']}.${row[name]}`);
    }
  }
  return names;
}

/** Keyspaces whose writes leave no trace in the commit log. */
export async function withoutCommitLog(cql: Cql): Promise<Set<string>> {
  const rows = await cql.rows('SELECT keyspace_name, durable_writes FROM system_schema.keyspaces');
  return new Set(
    rows.filter((row) => row['durable_writes'] === false).map((row) => String(row['keyspace_name'])),
  );
}

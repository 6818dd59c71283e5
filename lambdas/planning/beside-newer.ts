// What comes of it where some nodes are restored and the others keep what they have: old replicas beside newer ones. Pure.

import { unquoted, withoutTexts } from '../../contracts/cql.ts';
import { CountersAtRisk, GcGracePassed } from '../../contracts/errors.ts';
import type { SchemaTable, SchemaView } from '../../contracts/ring.ts';
import type { DescribedHost } from './agreement.ts';
import type { RestorableBackup } from './restorable-backup.ts';

/** Cassandra's default of gc_grace_seconds. */
const GC_GRACE_SECONDS = 864_000;
const NAMED = 10;

/**
 * A replica that kept a deletion for gc_grace_seconds has forgotten it since: what was deleted would come back from the restored
 * one, to all of them.
 * @param from when the data was live: the backup's snapshot, or what an undo puts back
 * @throws GcGracePassed
 */
export function requireWithinGcGrace(
  { manifest, schema }: RestorableBackup,
  live: SchemaView | undefined,
  { from, now }: { from: string; now: Date },
): void {
  if (manifest.leftOut.nodes === 0) return;
  const ageSeconds = Math.floor((now.getTime() - Date.parse(from)) / 1_000);
  const past = gracesOf(schema, live)
    .filter(({ graceSeconds }) => graceSeconds < ageSeconds)
    .map(({ table, graceSeconds }) => `${table.keyspace}.${table.name} (${graceSeconds} s)`);
  if (past.length === 0) return;
  const named = `${past.slice(0, NAMED).join(', ')}${past.length > NAMED ? ', …' : ''}`;
  throw new GcGracePassed(
    `the data of ${from} is ${ageSeconds} s old and only some nodes get it back, expected it younger than gc_grace_seconds of ${named}`,
  );
}

/**
 * A node counts on from what it has of its own counts, under its host ID, and everybody takes its word for these.
 * @throws CountersAtRisk
 */
export function requireNoCounters({ manifest, schema }: Pick<RestorableBackup, 'manifest' | 'schema'>): void {
  const counting = manifest.leftOut.nodes > 0 ? countersAmong(schema.tables) : [];
  if (counting.length === 0) return;
  throw new CountersAtRisk(
    `got tables of counters, ${counting.join(', ')}, expected none, or ignoreCounters`,
  );
}

/** Names of tables. */
export function countersAmong(tables: readonly SchemaTable[]): string[] {
  return tables
    .filter(({ columns }) => columns.some(({ type }) => type === 'counter'))
    .map(({ keyspace, name }) => `${keyspace}.${name}`);
}

/** When the first replicas begin to forget deletions that are younger than the data. */
export function forgottenFrom(
  { schema }: Pick<RestorableBackup, 'schema'>,
  live: SchemaView | undefined,
  from: string,
): string {
  const graces = gracesOf(schema, live).map(({ graceSeconds }) => graceSeconds);
  const shortest = graces.length > 0 ? Math.min(...graces) : GC_GRACE_SECONDS;
  return new Date(Date.parse(from) + shortest * 1_000).toISOString();
}

function gracesOf(schema: SchemaView, live: SchemaView | undefined) {
  return schema.tables
    .filter((table) => table.kind === 'table')
    .map((table) => ({
      table,
      graceSeconds: Math.min(...graceOf(table, [schema, ...(live ? [live] : [])])),
    }));
}

const GRACE = /\bgc_grace_seconds\s*=\s*(\d+)/;

function graceOf({ keyspace, name }: SchemaTable, schemas: readonly SchemaView[]): number[] {
  return schemas.flatMap(({ statements }) =>
    statements
      .filter(({ type }) => type === 'table')
      .filter((each) => unquoted(each.keyspace) === keyspace && unquoted(each.name) === name)
      .map(({ statement }) => Number(GRACE.exec(withoutTexts(statement))?.[1] ?? GC_GRACE_SECONDS)),
  );
}

/** What a restore of a part does not bring back, and what is left to do. */
export function partWarnings(
  { manifest, schema }: RestorableBackup,
  leftOut: readonly DescribedHost[],
  repairs = false,
): string[] {
  const hosts = leftOut.map(({ host }) => host.instanceId);
  const keyspaces = [...new Set(schema.tables.map((table) => table.keyspace))];
  const repair = keyspaces.map((keyspace) => `nodetool repair -full ${keyspace}`).join('; ');
  const members = manifest.nodes.length + manifest.leftOut.nodes;
  return [
    ...(manifest.leftOut.nodes > 0
      ? [
          `restored are ${manifest.nodes.length} of ${members} ring members: the others${hosts.length > 0 ? ` (${hosts.join(', ')})` : ''} keep what they have, and where they have newer rows or deletions these are what is read. ${repairs ? 'The restored nodes are repaired at the end' : `Repair afterwards: ${repair} on each restored node`}`,
        ]
      : []),
    ...(manifest.leftOut.tables > 0
      ? [`${manifest.leftOut.tables} tables and views are left out: they stay as they are`]
      : []),
  ];
}

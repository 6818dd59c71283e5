// What a node knows of its cluster: the ring and the schema, as read by the `describe` action.
import { z } from 'zod';
import { hostId, tableId } from './identifiers.ts';

export const ringNode = z.strictObject({
  hostId,
  address: z.string().min(1),
  datacenter: z.string().min(1),
  rack: z.string().min(1),
  /** Decimal Murmur3 tokens, sorted as numbers. */
  tokens: z.array(z.string().regex(/^-?\d+$/)),
});
export type RingNode = z.infer<typeof ringNode>;

/** The ring as one node sees it. Nodes are sorted by host ID, so that equal views are equal bytes. */
export const ringView = z.strictObject({
  clusterName: z.string(),
  partitioner: z.string(),
  nodes: z.array(ringNode),
});
export type RingView = z.infer<typeof ringView>;

const schemaColumn = z.strictObject({
  name: z.string(),
  type: z.string(),
  kind: z.enum(['partition_key', 'clustering', 'regular', 'static']),
  position: z.int(),
});

export const schemaTable = z.strictObject({
  keyspace: z.string(),
  name: z.string(),
  id: tableId,
  kind: z.enum(['table', 'view']),
  /** For a view: its base table's name, in the same keyspace. */
  baseTable: z.string().optional(),
  columns: z.array(schemaColumn),
  indexes: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.string(),
      target: z.string(),
      className: z.string().optional(),
    }),
  ),
});
export type SchemaTable = z.infer<typeof schemaTable>;

/** One row of `DESCRIBE SCHEMA WITH INTERNALS`, in an order that can be applied; a row may hold several statements. */
export const schemaStatement = z.strictObject({
  keyspace: z.string(),
  type: z.string(),
  name: z.string(),
  statement: z.string(),
});
export type SchemaStatement = z.infer<typeof schemaStatement>;

/** The user schema: no system keyspaces. Sorted by keyspace and name; columns by name. */
export const schemaView = z.strictObject({
  schemaVersion: z.uuid(),
  tables: z.array(schemaTable),
  statements: z.array(schemaStatement),
});
export type SchemaView = z.infer<typeof schemaView>;

/** Keyspaces whose tables every backup holds besides the user's, because a restore may need them. */
export const BACKED_UP_SYSTEM_KEYSPACES = [
  'system',
  'system_auth',
  'system_distributed',
  'system_schema',
] as const;

/** By name, as Cassandra has them (4.0 to 5.0): it lets users name theirs `system_…`, too. */
const SYSTEM_KEYSPACES: readonly string[] = [
  ...BACKED_UP_SYSTEM_KEYSPACES,
  ...['system_traces', 'system_views', 'system_virtual_schema'],
];

export function isSystemKeyspace(keyspace: string): boolean {
  return SYSTEM_KEYSPACES.includes(keyspace);
}

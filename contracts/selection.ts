// What of a cluster a backup is of, or of a backup is restored: all of it, or chosen nodes, one datacenter, chosen keyspaces and tables.
import { z } from 'zod';
import { hostId, instanceId } from './identifiers.ts';

const tablePattern = z
  .string()
  .regex(
    /^[A-Za-z0-9_*?]+(?:\.[A-Za-z0-9_*?]+)?$/,
    'a keyspace or keyspace.table as Cassandra spells it, * and ? for any characters',
  );

/** Of the users' keyspaces: those that a backup needs of Cassandra's own are always in it, others never. */
export const tablePatterns = z.strictObject({
  /** Without it, all. */
  include: z.array(tablePattern).min(1).optional(),
  exclude: z.array(tablePattern).min(1).optional(),
});
export type TablePatterns = z.infer<typeof tablePatterns>;

/** Fields of a request and of a schedule; each narrows. */
export const selectionFields = {
  /** Instance IDs or host IDs. */
  nodes: z
    .array(z.union([instanceId, hostId], 'an instance ID or a host ID'))
    .min(1)
    .optional(),
  /** As Cassandra names it. */
  datacenter: z.string().min(1).optional(),
  /** Instead of what the cluster's configuration says. */
  keyspaces: tablePatterns.optional(),
};
export const selection = z.strictObject(selectionFields);
export type Selection = z.infer<typeof selection>;

/** What a request, or a record of one, chose. */
export function selectionOf(request: unknown): Selection {
  return z.object(selectionFields).parse(request);
}

/**
 * `cluster`: what the configuration calls the cluster's data. `part`: a request chose from it. "Latest" is the newest of the
 * cluster's, and only these count for the age of its newest backup.
 */
export const backupScope = z.enum(['cluster', 'part']);
export type BackupScope = z.infer<typeof backupScope>;

export function scopeOf({ nodes, datacenter, keyspaces }: Selection): BackupScope {
  return nodes || datacenter || keyspaces ? 'part' : 'cluster';
}

/** For people: `nodes i-…, i-…; datacenter dc1; keyspaces app, shop.*; without app.cache_*`. Empty where nothing is chosen. */
export function describeSelection({ nodes, datacenter, keyspaces }: Selection): string {
  const parts = [
    nodes && `nodes ${nodes.join(', ')}`,
    datacenter && `datacenter ${datacenter}`,
    keyspaces?.include && `keyspaces ${keyspaces.include.join(', ')}`,
    keyspaces?.exclude && `without ${keyspaces.exclude.join(', ')}`,
  ];
  return parts.filter((part) => part !== undefined).join('; ');
}

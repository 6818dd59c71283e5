// A restore beside what tables have, while Cassandra serves: what would not come out right is refused here. Pure.
import { NodeDown, SchemaConflict } from '../../contracts/errors.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import type { MappedNode } from './restore-nodes.ts';
import { downNodes } from './what-stays.ts';

/** @throws NodeDown SchemaConflict */
export function requireImportable(
  nodes: readonly MappedNode[],
  { schema }: Pick<RestorableBackup, 'schema'>,
): void {
  const down = downNodes(nodes);
  if (down.length > 0) {
    throw new NodeDown(
      `got ${down.join(', ')} down, expected every node up: Cassandra itself takes the tables in`,
    );
  }
  // A view of now that the backup does not have is a conflict of schemas.
  const views = schema.tables.filter(({ kind }) => kind === 'view');
  if (views.length === 0) return;
  const named = views.map(
    ({ keyspace, name, baseTable }) => `${keyspace}.${name} of ${keyspace}.${baseTable}`,
  );
  throw new SchemaConflict(
    `got views ${named.join(', ')}, expected none: an import leaves a view as it is. Restore these tables in place`,
  );
}

/** What an import cannot bring back, and what it brings back unasked. */
export const BESIDE_WHAT_THERE_IS = [
  'what is brought back stands beside what the tables have: rows that were written or deleted since the backup stay as they are now. For the tables exactly as they were, TRUNCATE them first, or restore them in place',
  'rows that were deleted longer ago than gc_grace_seconds come back, where their deletion is forgotten',
];

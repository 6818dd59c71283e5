// A restore beside what tables have, while Cassandra serves. Pure.
import { NodeDown } from '../../contracts/errors.ts';
import type { SchemaTable } from '../../contracts/ring.ts';
import type { MappedNode } from './restore-nodes.ts';
import { downNodes } from './what-stays.ts';

/** @throws NodeDown */
export function requireAllUp(nodes: readonly MappedNode[]): void {
  const down = downNodes(nodes);
  if (down.length === 0) return;
  throw new NodeDown(
    `got ${down.join(', ')} down, expected every node up: Cassandra itself takes the tables in`,
  );
}

/** What an import cannot bring back, and what it brings back unasked. */
export const besideWhatThereIs = (tables: ReadonlyArray<Pick<SchemaTable, 'keyspace' | 'name'>>) => [
  `what is brought back stands beside what is there of ${tables.map(({ keyspace, name }) => `${keyspace}.${name}`).join(', ')}: rows that were written since the backup stay as they are now, and rows that were deleted since do not come back. Bring the tables back under other names to copy from (as), or restore them in place; or TRUNCATE them first, which nothing undoes`,
  'rows that were deleted longer ago than gc_grace_seconds come back, where their deletion is forgotten',
];

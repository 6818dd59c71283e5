// A restore beside what tables have, while Cassandra serves. Pure.
import { NodeDown } from '../../contracts/errors.ts';
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
export const BESIDE_WHAT_THERE_IS = [
  'what is brought back stands beside what the tables have: rows that were written or deleted since the backup stay as they are now. For the tables exactly as they were, TRUNCATE them first, or restore them in place',
  'rows that were deleted longer ago than gc_grace_seconds come back, where their deletion is forgotten',
];

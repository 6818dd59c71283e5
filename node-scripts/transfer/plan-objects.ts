// Which files of an SSTable become an object of their own and which share a pack: S3 bills by request, and most of an
// SSTable's eight to ten components are tiny.
import { join } from 'node:path';
import type { SnapshotSSTable } from '../cassandra/snapshot-files.ts';
import type { FileIdentity } from '../hashing/messages.ts';

/** Components from this size on are objects of their own (ADR 0009). */
const PACK_BELOW_BYTES = 1024 ** 2;
/** A pack is read, sent and fetched as one piece of memory. */
export const PACK_MOST_BYTES = 4 * 1024 ** 2;

export interface SourceFile {
  /** Below the table's snapshot. */
  name: string;
  dataDirectory: number;
  /** Absolute. */
  source: string;
  identity: FileIdentity;
}

/** What will be one object: one file, or several in the order of their names. */
export type PlannedObject = [SourceFile, ...SourceFile[]];

/** @param identities of the components, in their order */
export function planObjects(sstable: SnapshotSSTable, identities: FileIdentity[]): PlannedObject[] {
  const objects: PlannedObject[] = [];
  let pack: PlannedObject | undefined;
  let packBytes = 0;
  for (const [index, component] of sstable.components.entries()) {
    const identity = identities[index];
    if (!identity) throw new Error('expected one identity a component');
    const name = sstable.stem + component;
    const file = {
      name,
      dataDirectory: sstable.dataDirectory,
      source: join(sstable.directory, name),
      identity,
    };
    const size = Number(identity.size);
    if (size >= PACK_BELOW_BYTES) {
      objects.push([file]);
    } else if (pack && packBytes + size <= PACK_MOST_BYTES) {
      pack.push(file);
      packBytes += size;
    } else {
      pack = [file];
      packBytes = size;
      objects.push(pack);
    }
  }
  return objects;
}

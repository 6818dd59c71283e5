// Where SSTables of a table are: live, linked by Cassandra under backups/, and collected by us, out of Cassandra's sight.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type SnapshotSSTable,
  type SnapshotTable,
  sstablesIn,
  tablesWith,
} from '../cassandra/snapshot-files.ts';
import { keyOf } from '../transfer/hash-cache.ts';
import { incrementsRoot } from '../transfer/placement.ts';

const DIRECTORIES = {
  live: (root: string, path: string) => join(root, path),
  linked: (root: string, path: string) => join(root, path, 'backups'),
  collected: (root: string, path: string) => join(incrementsRoot(root), path),
} as const;
export type Place = keyof typeof DIRECTORIES;

/** An SSTable, or what is there of it. */
export interface PlacedSSTable extends SnapshotSSTable {
  /** `<keyspace>/<table>-<id>`. */
  path: string;
  /** What its Data.db is known by; undefined where it has none. */
  key: string | undefined;
}

/** @param paths of tables; of all by default */
export async function tablesAt(
  place: Place,
  dataDirectories: string[],
  paths?: ReadonlySet<string>,
): Promise<SnapshotTable[]> {
  const tables = await tablesWith(dataDirectories, DIRECTORIES[place]);
  return paths ? tables.filter(({ path }) => paths.has(path)) : tables;
}

export async function sstablesAt(
  place: Place,
  dataDirectories: string[],
  paths?: ReadonlySet<string>,
): Promise<PlacedSSTable[]> {
  const placed: PlacedSSTable[] = [];
  for (const table of await tablesAt(place, dataDirectories, paths)) {
    for (const sstable of await sstablesIn(table)) {
      placed.push({ ...sstable, path: table.path, key: keyIfThere(fileOf(sstable, 'Data.db')) });
    }
  }
  return placed;
}

export function collectedDirectory(dataDirectory: string, path: string): string {
  return DIRECTORIES.collected(dataDirectory, path);
}

export function fileOf({ directory, stem }: SnapshotSSTable, component: string): string {
  return join(directory, stem + component);
}

/** Names an SSTable of this node, whichever place it is in. */
export function nameOf({
  dataDirectory,
  path,
  stem,
}: Pick<PlacedSSTable, 'dataDirectory' | 'path' | 'stem'>) {
  return `${dataDirectory} ${path}/${stem}`;
}

/** A table, or one of its secondary indexes: what has memtables of its own. */
export function storeOf({ path, stem }: Pick<PlacedSSTable, 'path' | 'stem'>): string {
  return `${path}/${stem.slice(0, stem.lastIndexOf('/') + 1)}`;
}

export function keyIfThere(path: string): string | undefined {
  const identity = statSync(path, { bigint: true, throwIfNoEntry: false });
  return identity && keyOf(identity).toString('hex');
}

/** Table's path → keys of its SSTables. */
export function keysByTable(sstables: readonly PlacedSSTable[]): Record<string, string[]> {
  const keys = [...Map.groupBy(sstables, ({ path }) => path)].map(
    ([path, ofTable]) => [path, ofTable.flatMap(({ key }) => key ?? [])] as const,
  );
  return Object.fromEntries(keys);
}

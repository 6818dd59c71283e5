// What is on the node already: a component that Cassandra never changes is linked instead of downloaded, where a file of the
// table, or of one of its snapshots, is known by its hash. What is linked is read and checked as what is downloaded.
import { type Dir, lstatSync, statSync } from 'node:fs';
import { link, opendir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ListedFile } from '../../contracts/manifests.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import { errorCode, isMissingFile } from '../durable-files.ts';
import type { HashCache } from './hash-cache.ts';
import { tablePathOf } from './placement.ts';

/** Statistics, Summary and TOC are rewritten in place. */
const NEVER_CHANGED = new Set(['Data.db', 'Index.db', 'Partitions.db', 'Rows.db', 'CompressionInfo.db']);
/** Listings come table after table; several files are worked on at once. */
const MOST_TABLES = 4;
/** A file changed this shortly before could change again without its times showing it. */
const SETTLED_MS = 2_000;
/**
 * Other file systems, links that are forbidden or too many, a file that is gone meanwhile or linked already, no room: it is
 * downloaded then, which names what is wrong.
 */
const NOT_LINKED = ['EXDEV', 'EPERM', 'EMLINK', 'ENOENT', 'EEXIST', 'ENOTSUP', 'ENOSPC', 'EDQUOT'];

export interface LocalFiles {
  /** Gives a file of the node the name too, if there is one of that content on the same file system. */
  linkTo(target: string, wanted: ListedFile): Promise<void>;
}

/**
 * What was changed after this is not linked, and what is linked must not have been changed after it. Milliseconds; 0 or less where
 * the file system does not know when a directory was made.
 */
export function linkedBefore(stagingRoots: string[]): number {
  const births = stagingRoots.map((root) => statSync(root, { throwIfNoEntry: false })?.birthtimeMs ?? 0);
  return Math.min(...births) - SETTLED_MS;
}

/** @param before of {@link linkedBefore} */
export function localFiles(dataDirectories: string[], cache: HashCache, before: number): LocalFiles {
  const tables = new Map<string, Promise<Map<string, string>>>();
  const ofTable = (path: string) => {
    const known = tables.get(path) ?? filesByHash(dataDirectories, path, cache, before);
    tables.delete(path);
    tables.set(path, known);
    const [oldest] = tables.keys();
    if (tables.size > MOST_TABLES && oldest) tables.delete(oldest);
    return known;
  };
  return {
    async linkTo(target, wanted) {
      if (!isNeverChanged(wanted.path)) return;
      const source = (await ofTable(tablePathOf(wanted))).get(wanted.sha256);
      if (source === undefined) return;
      await link(source, target).catch((error: unknown) => {
        if (!NOT_LINKED.includes(errorCode(error) ?? '')) throw error;
      });
    },
  };
}

function isNeverChanged(path: string): boolean {
  return NEVER_CHANGED.has(parseFileName(basename(path))?.component ?? '');
}

async function filesByHash(
  dataDirectories: string[],
  tablePath: string,
  cache: HashCache,
  before: number,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const root of dataDirectories) {
    for await (const path of neverChangedBelow(join(root, tablePath))) {
      // Compacted away, or a snapshot that is being cleared.
      const identity = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (!identity || Number(identity.mtimeMs) >= before) continue;
      const sha256 = cache.get(identity);
      if (sha256 !== undefined) found.set(sha256, path);
    }
  }
  return found;
}

/** Of a table and its snapshots. */
async function* neverChangedBelow(directory: string): AsyncGenerator<string> {
  let entries: Dir;
  try {
    entries = await opendir(directory);
  } catch (error) {
    if (isMissingFile(error)) return;
    throw error;
  }
  for await (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* neverChangedBelow(path);
    else if (entry.isFile() && isNeverChanged(entry.name)) yield path;
  }
}

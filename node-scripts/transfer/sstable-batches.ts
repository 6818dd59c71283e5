// Gathers the files of a listing to SSTables, and these to batches of one table that are loaded at once.
import type { ListedFile } from '../../contracts/manifests.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import { tablePathOf } from './placement.ts';

/** What one start of the bulk loader streams, at most: more would want more room beside the node's own data. */
const BATCH_BYTES = 4 * 1024 ** 3;
const BATCH_SSTABLES = 128;

export interface SSTableBatch {
  /** `<keyspace>/<table>-<id>` of the backup. */
  tablePath: string;
  /** In order; each in the order of its files. */
  sstables: ListedFile[][];
  bytes: number;
}

/** @param files in the order of a listing @param skip so many SSTables, which are loaded already */
export async function* batchesOf(files: AsyncIterable<ListedFile>, skip = 0): AsyncGenerator<SSTableBatch> {
  let batch: SSTableBatch | undefined;
  let number = 0;
  for await (const sstable of sstablesIn(files)) {
    number += 1;
    if (number <= skip) continue;
    const tablePath = tablePathOf(sstable[0]);
    const bytes = sstable.reduce((sum, file) => sum + file.sizeBytes, 0);
    const isFull = batch && (batch.bytes + bytes > BATCH_BYTES || batch.sstables.length >= BATCH_SSTABLES);
    if (batch && (isFull || batch.tablePath !== tablePath)) {
      yield batch;
      batch = undefined;
    }
    batch ??= { tablePath, sstables: [], bytes: 0 };
    batch.sstables.push(sstable);
    batch.bytes += bytes;
  }
  if (batch) yield batch;
}

/** Those of several data directories with one name are listed in turn. */
async function* sstablesIn(files: AsyncIterable<ListedFile>): AsyncGenerator<[ListedFile, ...ListedFile[]]> {
  let stem = '';
  let open = new Map<number, [ListedFile, ...ListedFile[]]>();
  for await (const file of files) {
    const parsed = parsedName(file.path);
    if (!parsed || !isLoaded(file.path)) continue;
    const own = `${tablePathOf(file)}/${parsed.prefix}`;
    if (own !== stem) {
      yield* open.values();
      open = new Map();
      stem = own;
    }
    const gathered = open.get(file.dataDirectory);
    if (gathered) gathered.push(file);
    else open.set(file.dataDirectory, [file]);
  }
  yield* open.values();
}

/** Indexes are made anew where the rows go, and TOC.txt names what is left out. Those in directories have "/" in their names. */
export function isLoaded(path: string): boolean {
  const component = parsedName(path)?.component;
  return component !== undefined && !/^(?:SAI\+|SI_)/.test(component) && component !== 'TOC.txt';
}

const parsedName = (path: string) => parseFileName(path.slice(tablePathOf({ path }).length + 1));

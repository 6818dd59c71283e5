// Uploads what a snapshot holds, table after table, several files at once, and lists it in order.

import pLimit from 'p-limit';
import type { TableTotals } from '../../contracts/manifests.ts';
import { isSystemKeyspace } from '../../contracts/ring.ts';
import { checkedFiles, type SnapshotFile, type SnapshotTable } from '../cassandra/snapshot-files.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import type { ActionContext } from '../context.ts';
import { openHashCache } from './hash-cache.ts';
import { inOrder } from './in-order.ts';
import type { ListingWriter } from './listing-writer.ts';
import { type StoreContext, type StoredFile, storeFile } from './store-file.ts';
import type { StoredObjects } from './stored-objects.ts';

export interface UploadTotals {
  tables: TableTotals[];
  formats: Set<string>;
  files: number;
  bytes: number;
  systemBytes: number;
  uploadedFiles: number;
  uploadedBytes: number;
  systemUploadedBytes: number;
  tampered: string[];
}

export async function uploadTables(
  action: ActionContext,
  tables: SnapshotTable[],
  stored: StoredObjects,
  listing: ListingWriter,
): Promise<UploadTotals> {
  const cache = await openHashCache(action.paths.cache);
  const hashSlots = pLimit(action.document.limits.hashesAtOnce);
  const context: StoreContext = {
    action,
    stored,
    hashing: { cache, clock: action.clock, signal: action.signal },
    hashSlot: (work) => hashSlots(work),
    onTransferred: (transferred) => action.progress.add({ transferred }),
  };
  const totals: UploadTotals = {
    tables: [],
    formats: new Set(),
    files: 0,
    bytes: 0,
    systemBytes: 0,
    uploadedFiles: 0,
    uploadedBytes: 0,
    systemUploadedBytes: 0,
    tampered: [],
  };
  try {
    for (const table of tables) await uploadTable(context, table, listing, totals);
  } finally {
    await cache.close();
  }
  return totals;
}

async function uploadTable(
  context: StoreContext,
  table: SnapshotTable,
  listing: ListingWriter,
  totals: UploadTotals,
): Promise<void> {
  const files = await checkedFiles(table);
  const { uploadsAtOnce } = context.action.document.limits;
  const uploaded = inOrder(files, uploadsAtOnce, async (file) => ({
    file,
    stored: await uploadFile(context, file),
  }));
  const { keyspace, table: name, tableId } = table;
  const own: TableTotals = { keyspace, table: name, tableId, files: 0, bytes: 0, sstables: 0 };
  for await (const { file, stored } of uploaded) {
    await listing.add({
      path: `${table.path}/${file.name}`,
      dataDirectory: file.dataDirectory,
      sizeBytes: stored.sizeBytes,
      sha256: stored.sha256,
      ...(stored.variant === '2' && { variant: '2' }),
    });
    own.files += 1;
    own.bytes += stored.sizeBytes;
    if (file.name.endsWith('-Data.db')) own.sstables += 1;
    const parsed = parseFileName(file.name.slice(file.name.lastIndexOf('/') + 1));
    if (parsed) totals.formats.add(parsed.format);
    count(totals, stored, isSystemKeyspace(keyspace));
    context.action.progress.add({ files: 1, bytes: stored.sizeBytes });
  }
  totals.tables.push(own);
}

async function uploadFile(context: StoreContext, file: SnapshotFile): Promise<StoredFile> {
  context.action.signal.throwIfAborted();
  const stored = await storeFile(context, file.source);
  if (stored.outcome === 'uploaded') await context.action.failPoint('upload.object');
  return stored;
}

function count(totals: UploadTotals, stored: StoredFile, isSystem: boolean): void {
  const uploaded = stored.outcome === 'uploaded';
  totals.files += 1;
  totals.bytes += stored.sizeBytes;
  if (isSystem) totals.systemBytes += stored.sizeBytes;
  if (stored.tampered) totals.tampered.push(stored.tampered);
  if (!uploaded) return;
  totals.uploadedFiles += 1;
  totals.uploadedBytes += stored.sizeBytes;
  if (isSystem) totals.systemUploadedBytes += stored.sizeBytes;
}

// Remembers a file's SHA-256 by its inode, so that a backup with no change reads no data. The key leaves out ctime: making
// or clearing a snapshot changes an SSTable's link count and so its ctime.
import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissingFile, makeDirectory, syncDirectory } from '../durable-files.ts';
import type { FileIdentity } from '../hashing/messages.ts';
import { CompactTable } from './compact-table.ts';

const KEY_BYTES = 16;
const VALUE_BYTES = 32;
const RECORD_BYTES = KEY_BYTES + VALUE_BYTES;
/** A file changed this shortly before it was hashed could change again without its times showing it. */
const SETTLED_MS = 2_000n;

export interface HashCache {
  get(stats: FileIdentity): string | undefined;
  /** @param nowMs when hashing began */
  set(stats: FileIdentity, sha256: string, nowMs: number): Promise<void>;
  /** Keeps what was asked for or set since it was opened, and forgets the rest. */
  close(): Promise<void>;
}

/**
 * The file is records of key and hash, appended as they come: a torn last record is dropped, and a lost one costs only a
 * second reading.
 */
export async function openHashCache(cacheDirectory: string): Promise<HashCache> {
  await makeDirectory(cacheDirectory);
  const path = join(cacheDirectory, 'sha256.records');
  const known = await readRecords(path);
  const used = new CompactTable(KEY_BYTES, VALUE_BYTES);
  const file = await open(path, 'a', 0o600);
  const { size } = await file.stat();
  await file.truncate(size - (size % RECORD_BYTES));
  return {
    get(stats) {
      const key = keyOf(stats);
      const value = known.get(key);
      if (value) used.set(key, value);
      return value?.toString('hex');
    },
    async set(stats, sha256, nowMs) {
      if (stats.mtimeMs + SETTLED_MS > BigInt(nowMs)) return;
      const key = keyOf(stats);
      const value = Buffer.from(sha256, 'hex');
      known.set(key, value);
      used.set(key, value);
      await file.write(Buffer.concat([key, value]));
    },
    async close() {
      await file.close();
      await replace(path, used);
    },
  };
}

function keyOf(stats: FileIdentity): Buffer {
  const { dev, ino, birthtimeNs, size, mtimeNs } = stats;
  const text = [dev, ino, birthtimeNs, size, mtimeNs].join(' ');
  return createHash('sha256').update(text).digest().subarray(0, KEY_BYTES);
}

async function readRecords(path: string): Promise<CompactTable> {
  let content = Buffer.alloc(0);
  try {
    content = await readFile(path);
  } catch (error) {
    if (!isMissingFile(error)) throw error;
  }
  const table = new CompactTable(KEY_BYTES, VALUE_BYTES, content.length / RECORD_BYTES);
  for (let at = 0; at + RECORD_BYTES <= content.length; at += RECORD_BYTES) {
    table.set(content.subarray(at, at + KEY_BYTES), content.subarray(at + KEY_BYTES, at + RECORD_BYTES));
  }
  return table;
}

async function replace(path: string, table: CompactTable): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await writeEntries(file, table);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

async function writeEntries(file: FileHandle, table: CompactTable): Promise<void> {
  let batch: Buffer[] = [];
  for (const [key, value] of table.entries()) {
    batch.push(key, value);
    if (batch.length < 4096) continue;
    await file.write(Buffer.concat(batch));
    batch = [];
  }
  await file.write(Buffer.concat(batch));
}

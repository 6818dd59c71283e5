// Remembers a file's SHA-256 by its inode, so that a backup with no change reads no data. The key leaves out ctime: making
// or clearing a snapshot changes an SSTable's link count and so its ctime. The hashes stay on the disk; in memory is only
// where each of them is.
import { createHash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isMissingFile, makeDirectory, syncDirectory } from '../durable-files.ts';
import type { FileIdentity } from '../hashing/messages.ts';
import { CompactTable } from './compact-table.ts';

/** A record: what the file is known by, its SHA-256, and the CRC32 of both, for a write that a crash has torn. */
const KEY_BYTES = 16;
const HASH_BYTES = 32;
const CHECKED_BYTES = KEY_BYTES + HASH_BYTES;
const RECORD_BYTES = CHECKED_BYTES + 4;
/** Of a key what finds its record, whose whole key is compared. */
const INDEXED_BYTES = 8;
const RECORDS_AT_ONCE = 4096;
/** A file changed this shortly before it was hashed could change again without its times showing it. */
const SETTLED_MS = 2_000n;

export interface HashCache {
  get(identity: FileIdentity): string | undefined;
  /** @param nowMs when hashing began */
  set(identity: FileIdentity, sha256: string, nowMs: number): void;
  /** @param forgetUnused keeps only what was asked for or set since it was opened: right after a whole backup */
  close(forgetUnused: boolean): Promise<void>;
}

/** Records are appended as they come; one that is lost costs only a second reading. */
export async function openHashCache(cacheDirectory: string): Promise<HashCache> {
  await makeDirectory(cacheDirectory);
  const path = join(cacheDirectory, 'sha256.records');
  const file = await open(path, 'a+', 0o600);
  const index = new CompactTable(INDEXED_BYTES, 4);
  const used = new Set32();
  let records = await readIndex(file, index);
  await file.truncate(records * RECORD_BYTES);
  const record = Buffer.alloc(RECORD_BYTES);
  return {
    get(identity) {
      const key = keyOf(identity);
      const number = index.get(key.subarray(0, INDEXED_BYTES))?.readUInt32LE();
      if (number === undefined) return undefined;
      readSync(file.fd, record, 0, RECORD_BYTES, number * RECORD_BYTES);
      if (!isWhole(record) || !record.subarray(0, KEY_BYTES).equals(key)) return undefined;
      used.add(number);
      return record.toString('hex', KEY_BYTES, CHECKED_BYTES);
    },
    set(identity, sha256, nowMs) {
      if (identity.mtimeMs + SETTLED_MS > BigInt(nowMs)) return;
      const key = keyOf(identity);
      key.copy(record);
      record.write(sha256, KEY_BYTES, 'hex');
      record.writeUInt32LE(crc32(record.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
      writeSync(file.fd, record);
      putNumber(index, key, records);
      used.add(records);
      records += 1;
    },
    async close(forgetUnused) {
      try {
        if (forgetUnused) await keepUsed(file, path, records, used);
      } finally {
        await file.close();
      }
    },
  };
}

/** What a file is known by as long as its bytes are the same. */
export function keyOf({ dev, ino, birthtimeNs, size, mtimeNs }: FileIdentity): Buffer {
  const text = [dev, ino, birthtimeNs, size, mtimeNs].join(' ');
  return createHash('sha256').update(text).digest().subarray(0, KEY_BYTES);
}

function isWhole(record: Buffer): boolean {
  return crc32(record.subarray(0, CHECKED_BYTES)) === record.readUInt32LE(CHECKED_BYTES);
}

function putNumber(index: CompactTable, key: Buffer, number: number): void {
  const value = Buffer.alloc(4);
  value.writeUInt32LE(number);
  index.set(key.subarray(0, INDEXED_BYTES), value);
}

/** @returns how many records there are, whole or not; a torn last one is not counted */
async function readIndex(file: FileHandle, index: CompactTable): Promise<number> {
  let records = 0;
  for await (const batch of batchesOf(file)) {
    for (let at = 0; at + RECORD_BYTES <= batch.length; at += RECORD_BYTES) {
      const record = batch.subarray(at, at + RECORD_BYTES);
      if (isWhole(record)) putNumber(index, record, records);
      records += 1;
    }
  }
  return records;
}

async function* batchesOf(file: FileHandle): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(RECORDS_AT_ONCE * RECORD_BYTES);
  for (let at = 0; ; at += buffer.length) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    yield buffer.subarray(0, bytesRead);
    if (bytesRead < buffer.length) return;
  }
}

async function keepUsed(file: FileHandle, path: string, records: number, used: Set32): Promise<void> {
  const temporary = `${path}.new`;
  const kept = await open(temporary, 'w', 0o600);
  try {
    let number = 0;
    for await (const batch of batchesOf(file)) {
      const wanted: Buffer[] = [];
      for (let at = 0; at + RECORD_BYTES <= batch.length && number < records; at += RECORD_BYTES) {
        if (used.has(number)) wanted.push(batch.subarray(at, at + RECORD_BYTES));
        number += 1;
      }
      await kept.write(Buffer.concat(wanted));
    }
    await kept.sync();
  } finally {
    await kept.close();
  }
  await rename(temporary, path).catch((error: unknown) => {
    // Another upload on this host, of a run before that is about to be ended, has renamed what both have written.
    if (!isMissingFile(error)) throw error;
  });
  await syncDirectory(dirname(path));
}

/** Whole numbers, a bit each. */
class Set32 {
  #bits = new Uint8Array(4096);

  add(number: number): void {
    const at = number >>> 3;
    if (at >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (number & 7));
  }

  has(number: number): boolean {
    return ((this.#bits[number >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}

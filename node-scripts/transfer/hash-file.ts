// Reads a snapshot's file once: its SHA-256, and for Data.db whether it still is what Cassandra wrote.
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../adapters/ports.ts';
import { DataRot, FileUnstable, FileVanished } from '../../contracts/errors.ts';
import { isMissingFile, readIfThere } from '../durable-files.ts';
import type { HashCache } from './hash-cache.ts';

const CHUNK_BYTES = 1024 ** 2;

export interface HashedFile {
  sha256: string;
  sizeBytes: number;
}

/** What hashing must know besides the file. */
export interface HashOptions {
  cache: HashCache;
  clock: Clock;
  signal: AbortSignal;
}

/** @throws FileVanished FileUnstable DataRot */
export async function hashFile(path: string, options: HashOptions): Promise<HashedFile> {
  const stats = await statOf(path);
  const cached = options.cache.get(stats);
  if (cached) return { sha256: cached, sizeBytes: Number(stats.size) };
  const first = await hashOnce(path, options);
  if (first) return first;
  const second = await hashOnce(path, options);
  if (second) return second;
  throw new FileUnstable(`${path}: it changed both times while it was read`);
}

async function hashOnce(path: string, options: HashOptions): Promise<HashedFile | undefined> {
  const startedMs = options.clock.now().getTime();
  const handle = await open(path, 'r').catch((error: unknown) => vanished(path, error));
  try {
    const before = await handle.stat({ bigint: true });
    const sizeBytes = Number(before.size);
    const { sha256, crc } = await digests(handle, sizeBytes, options.signal);
    const after = await statOf(path);
    if (!sameFile(before, after)) return undefined;
    await compareWithDigest(path, crc);
    await options.cache.set(before, sha256, startedMs);
    return { sha256, sizeBytes };
  } finally {
    await handle.close();
  }
}

async function digests(
  handle: FileHandle,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<{ sha256: string; crc: number }> {
  const sha256 = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, sizeBytes)));
  let crc = 0;
  for (let at = 0; at < sizeBytes; ) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, sizeBytes - at), at);
    // Shorter than it was: the stat after shows it.
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    sha256.update(chunk);
    crc = crc32(chunk, crc);
    at += bytesRead;
  }
  return { sha256: sha256.digest('hex'), crc };
}

/** SSTables that were streamed whole have no Digest.crc32 until they are compacted. */
async function compareWithDigest(path: string, crc: number): Promise<void> {
  if (!path.endsWith('-Data.db')) return;
  const digestPath = `${path.slice(0, -'Data.db'.length)}Digest.crc32`;
  const expected = (await readIfThere(digestPath))?.trim();
  if (expected === undefined || expected === String(crc)) return;
  throw new DataRot(`${path}: got CRC32 ${crc}, expected ${expected} as its Digest.crc32 says`);
}

async function statOf(path: string): Promise<BigIntStats> {
  return stat(path, { bigint: true }).catch((error: unknown) => vanished(path, error));
}

function vanished(path: string, error: unknown): never {
  if (isMissingFile(error)) throw new FileVanished(`${path}: it is gone`, { cause: error });
  throw error;
}

function sameFile(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs;
}

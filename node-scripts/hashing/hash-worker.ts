// A worker thread that reads files once: the SHA-256 of each and of all one after another, the CRC32 that S3 checks parts
// by, and whether Data.db still is what Cassandra wrote. Small ones come back with their bytes, to be sent from memory.
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  opendirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { joinedCrc32 } from '../../adapters/joined-crc32.ts';
import { partBytesFor } from '../../adapters/part-size.ts';
import { isBesideData } from '../cassandra/sstable-files.ts';
import type { FileIdentity, FromHashWorker, Hashed, HashJob, Measured, MeasureJob } from './messages.ts';

const CHUNK_BYTES = 256 * 1024;
/** Not zero: somebody stopped the work. */
const stopped = new Int32Array(workerData as SharedArrayBuffer);
const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);

parentPort?.on('message', (job: HashJob | MeasureJob) => {
  parentPort?.postMessage(carryOut(job));
});

function carryOut(job: HashJob | MeasureJob): FromHashWorker {
  try {
    return 'directories' in job ? measure(job) : hashFiles(job);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { outcome: 'failed', message, code };
  }
}

function measure({ directories }: MeasureJob): Measured {
  const total: Measured = { outcome: 'measured', files: 0, bytes: 0 };
  for (const each of directories) measureInto(total, each);
  return total;
}

function measureInto(total: Measured, directory: string): void {
  const opened = opendirSync(directory);
  try {
    for (let entry = opened.readSync(); entry; entry = opened.readSync()) {
      const path = join(directory, entry.name);
      // Of the directories in a snapshot those of secondary indexes are data, which begin with a dot.
      if (entry.isDirectory() && entry.name.startsWith('.')) measureInto(total, path);
      if (!entry.isFile() || isBesideData(entry.name)) continue;
      total.files += 1;
      total.bytes += statSync(path).size;
    }
  } finally {
    opened.closeSync();
  }
}

function hashFiles({ paths, into }: HashJob): FromHashWorker {
  const sizes = paths.map((path) => statSync(path).size);
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  const body = into && sizeBytes <= into.length ? into.subarray(0, sizeBytes) : undefined;
  const whole = createHash('sha256');
  const parts = new PartChecksums(sizeBytes);
  const files: Hashed['files'] = [];
  let at = 0;
  for (const [index, path] of paths.entries()) {
    const size = sizes[index] ?? 0;
    // One file's hash is that of the whole.
    const own = paths.length > 1 ? createHash('sha256') : undefined;
    // One file's CRC32 is that of the whole.
    let crc = 0;
    const identity = readOnce(path, size, body?.subarray(at, at + size), (bytes) => {
      whole.update(bytes);
      own?.update(bytes);
      parts.update(bytes);
      if (own) crc = crc32(bytes, crc);
    });
    if (identity === 'stopped') return { outcome: 'stopped' };
    if (identity === 'changed') return { outcome: 'changed', path };
    const rot = path.endsWith('-Data.db') ? rotOf(path, own ? crc : parts.whole) : undefined;
    files.push({ sha256: own?.digest('hex') ?? '', identity, ...(rot && { rot }) });
    at += size;
  }
  const sha256 = whole.digest('hex');
  if (files.length === 1 && files[0]) files[0].sha256 = sha256;
  return { outcome: 'hashed', files, sha256, sizeBytes, ...parts.finish(), ...(body && { body }) };
}

/** CRC32 of each part that a file of this size is sent in, and of everything. */
class PartChecksums {
  readonly #partBytes: number;
  readonly #done: number[] = [];
  /** Of all that are done. */
  #joined = 0;
  #current = 0;
  #filled = 0;

  constructor(sizeBytes: number) {
    this.#partBytes = partBytesFor(sizeBytes);
  }

  /** Of all bytes so far. */
  get whole(): number {
    return joinedCrc32(this.#joined, this.#current, this.#filled);
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const slice = bytes.subarray(at, at + this.#partBytes - this.#filled);
      this.#current = crc32(slice, this.#current);
      this.#filled += slice.length;
      at += slice.length;
      if (this.#filled === this.#partBytes) this.#next();
    }
  }

  finish(): Pick<Hashed, 'crc32' | 'partCrc32' | 'partBytes'> {
    if (this.#filled > 0 || this.#done.length === 0) this.#next();
    return { crc32: this.whole, partCrc32: this.#done, partBytes: this.#partBytes };
  }

  #next(): void {
    this.#done.push(this.#current);
    this.#joined = this.whole;
    this.#current = 0;
    this.#filled = 0;
  }
}

/** @param into takes the bytes where they are kept; else they pass through one buffer */
function readOnce(
  path: string,
  size: number,
  into: Uint8Array | undefined,
  take: (bytes: Uint8Array) => void,
): FileIdentity | 'changed' | 'stopped' {
  const file = openSync(path, 'r');
  try {
    const before = fstatSync(file, { bigint: true });
    if (Number(before.size) !== size) return 'changed';
    for (let at = 0; at < size; ) {
      if (Atomics.load(stopped, 0) !== 0) return 'stopped';
      const target = into?.subarray(at, at + CHUNK_BYTES) ?? chunk.subarray(0, size - at);
      const bytesRead = readSync(file, target, 0, target.length, at);
      if (bytesRead === 0) return 'changed';
      take(target.subarray(0, bytesRead));
      at += bytesRead;
    }
    return isSame(before, statSync(path, { bigint: true })) ? identityOf(before) : 'changed';
  } finally {
    closeSync(file);
  }
}

/** SSTables that were streamed whole have no Digest.crc32 until they are compacted. */
function rotOf(path: string, crc: number): string | undefined {
  let expected: string;
  try {
    expected = readFileSync(`${path.slice(0, -'Data.db'.length)}Digest.crc32`, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (expected === String(crc)) return undefined;
  return `${path}: got CRC32 ${crc}, expected ${expected} as its Digest.crc32 says`;
}

function identityOf({ dev, ino, birthtimeNs, size, mtimeNs, mtimeMs }: BigIntStats): FileIdentity {
  return { dev, ino, birthtimeNs, size, mtimeNs, mtimeMs };
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs;
}

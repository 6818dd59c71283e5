// Fetches one object into the files that it holds: each under a temporary name, hashed as it comes, synced, then renamed. A
// file that has its name is whole.
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange, DataKeys, ObjectStore } from '../../adapters/ports.ts';
import { BackupDamaged, VaultDenied } from '../../contracts/errors.ts';
import type { ObjectVariant } from '../../contracts/manifests.ts';
import { decoded, isEncoded, isUndecodable } from './encoding.ts';
import { FileCutter } from './file-cutter.ts';
import { inOrder } from './in-order.ts';
import type { Pace } from './pace.ts';
import { temporaryOf, type WrongFile } from './part-file.ts';
import { RangedFile } from './ranged-file.ts';

/** Bytes that were changed on their way are asked for again. */
const ATTEMPTS = 2;
const READ_BYTES = 1024 ** 2;

/** An object, and the files in it that are wanted, in the order in which they lie in it. Plain data, for worker threads. */
export interface FetchJob {
  key: string;
  /** Else it is one file, and is asked for whole. */
  isPack: boolean;
  /** Of the object. */
  sha256: string;
  variant: ObjectVariant;
  files: [FetchFile, ...FetchFile[]];
}

export interface FetchFile {
  /** As it is listed, for messages. */
  path: string;
  /** Absolute. */
  target: string;
  sha256: string;
  sizeBytes: number;
  /** In the object. */
  offset: number;
  ownership: { uid: number; gid: number; fileMode: number };
}

export interface FetchPorts {
  store: ObjectStore;
  dataKeys: DataKeys;
  signal: AbortSignal;
  /** Waited for before the next bytes are taken. */
  pace: Pace;
  onBytes(bytes: number): void;
  ranges: Ranges;
}

/** A file of `from` bytes or more is fetched in ranges of `bytes`, `atOnce` of them at a time. */
interface Ranges {
  from: number;
  bytes: number;
  atOnce: number;
}
/** One connection to S3 carries some 50 to 90 MB/s: the last large file of a node must not wait for one. */
export const RANGES: Ranges = { from: 256 * 1024 ** 2, bytes: 64 * 1024 ** 2, atOnce: 4 };

/**
 * @returns the bytes of files that were not there already
 * @throws BackupDamaged InsufficientSpace VaultUnavailable VaultDenied
 */
export async function fetchObject(ports: FetchPorts, job: FetchJob): Promise<number> {
  const missing: FetchFile[] = [];
  for (const file of job.files) if (!(await isRight(file, ports.signal))) missing.push(file);
  let left = missing;
  for (let attempt = 1; left.length > 0; attempt += 1) {
    const wrong = await fetchOnce(ports, job, left);
    const [first] = wrong;
    if (first && attempt === ATTEMPTS) {
      const { file, got } = first;
      await rm(temporaryOf(file.target), { force: true });
      throw new BackupDamaged(
        `object ${job.key} of file ${file.path}: got ${got}, expected SHA-256 ${file.sha256}`,
      );
    }
    left = wrong.map(({ file }) => file);
  }
  return missing.reduce((sum, file) => sum + file.sizeBytes, 0);
}

/** From an attempt before, or linked: read again, rather than believed. */
async function isRight({ target, sizeBytes, sha256 }: FetchFile, signal: AbortSignal): Promise<boolean> {
  if (statSync(target, { throwIfNoEntry: false })?.size !== sizeBytes) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(target, { highWaterMark: READ_BYTES })) {
    signal.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex') === sha256;
}

/** @returns files of other bytes */
function fetchOnce(ports: FetchPorts, job: FetchJob, files: FetchFile[]): Promise<WrongFile[]> {
  const [file] = files;
  const isLarge = file && !job.isPack && !isEncoded(job.variant) && file.sizeBytes >= ports.ranges.from;
  return isLarge ? fetchInRanges(ports, job, file) : fetchAtOnce(ports, job, files);
}

/** One request for all of them, even where files lie between that nobody wants. */
async function fetchAtOnce(ports: FetchPorts, job: FetchJob, files: FetchFile[]): Promise<WrongFile[]> {
  const isWhole = isEncoded(job.variant);
  const [first] = files;
  const start = isWhole ? 0 : (first?.offset ?? 0);
  const end = Math.max(...files.map((file) => file.offset + file.sizeBytes));
  const range = job.isPack && !isWhole ? { start, end } : undefined;
  const named = nameOf(job, first);
  const received = await receive(ports, job, { named, range, bytes: isWhole ? undefined : end - start });
  const cutter = new FileCutter(files, start);
  try {
    for await (const chunk of decoded(received, job, ports.dataKeys)) {
      // The rest of a pack that nobody wants, or whatever somebody put there.
      if (cutter.at >= end) break;
      await cutter.take(chunk);
    }
    if (cutter.at < end)
      throw new BackupDamaged(`${named}: got ${cutter.at - start} bytes, expected ${end - start}`);
    return await cutter.finish();
  } catch (error) {
    if (!isUndecodable(error)) throw error;
    return files.map((file) => ({ file, got: `what cannot be decoded (${error})` }));
  } finally {
    cutter.close();
  }
}

/** Several connections write into one file; what they wrote is read again, in its order, for its hash. */
async function fetchInRanges(ports: FetchPorts, job: FetchJob, file: FetchFile): Promise<WrongFile[]> {
  const named = nameOf(job, file);
  const stop = new AbortController();
  const signal = AbortSignal.any([ports.signal, stop.signal]);
  const target = await RangedFile.create(file);
  const fetchRange = async (range: ByteRange): Promise<ByteRange> => {
    const bytes = range.end - range.start;
    const received = await receive({ ...ports, signal }, job, { named, range, bytes });
    let at = range.start;
    for await (const chunk of received) {
      target.write(chunk, at);
      at += chunk.length;
    }
    if (at === range.end) return range;
    throw new BackupDamaged(`${named}: got ${at - range.start} bytes from ${range.start}, expected ${bytes}`);
  };
  try {
    const ranges = rangesOf(file.sizeBytes, ports.ranges.bytes);
    for await (const range of inOrder(ranges, ports.ranges.atOnce, fetchRange, stop)) target.hash(range);
    return await target.finish();
  } finally {
    target.close();
  }
}

function* rangesOf(sizeBytes: number, bytes: number): Generator<ByteRange> {
  for (let start = 0; start < sizeBytes; start += bytes)
    yield { start, end: Math.min(start + bytes, sizeBytes) };
}

const nameOf = ({ key }: FetchJob, file: FetchFile | undefined) => `object ${key} of file ${file?.path}`;

/**
 * @param wanted range: undefined, the whole object; bytes: undefined, as many as there are
 * @throws BackupDamaged where there is no object, or one of another size
 */
async function receive(
  { store, signal, pace, onBytes }: FetchPorts,
  { key }: FetchJob,
  { named, range, bytes }: { named: string; range: ByteRange | undefined; bytes: number | undefined },
): Promise<AsyncIterable<Buffer>> {
  const stored = await openBody(store, key, range).catch((error: unknown) => {
    // To a host, which may not list, S3 says so of what is missing, too.
    if (error instanceof VaultDenied)
      throw new BackupDamaged(`${named}: it is gone, or this host may not read it`, { cause: error });
    throw error;
  });
  if (!stored) throw new BackupDamaged(`${named}: it is gone`);
  if (bytes !== undefined && stored.sizeBytes !== bytes) {
    stored.body.destroy();
    throw new BackupDamaged(`${named}: got ${stored.sizeBytes} bytes, expected ${bytes}`);
  }
  async function* received() {
    for await (const chunk of stored?.body ?? []) {
      signal.throwIfAborted();
      if (pace.isLimited()) await pace.take((chunk as Buffer).length, signal);
      onBytes((chunk as Buffer).length);
      yield chunk as Buffer;
    }
  }
  return received();
}

/** Of empty files in a pack nothing is asked for. */
async function openBody(store: ObjectStore, key: string, range: ByteRange | undefined) {
  if (range && range.start === range.end) return { body: Readable.from([]), sizeBytes: 0 };
  return store.getStream(key, range);
}

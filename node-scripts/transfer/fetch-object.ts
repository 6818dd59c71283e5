// Fetches one object into the files that it holds: each under a temporary name, hashed as it comes, synced, then renamed. A
// file that has its name is whole.
import { createHash } from 'node:crypto';
import { createReadStream, lstatSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ByteRange, DataKeys, ObjectStore } from '../../adapters/ports.ts';
import { BackupDamaged, EncryptionKeyDenied, VaultDenied } from '../../contracts/errors.ts';
import type { ObjectVariant } from '../../contracts/manifests.ts';
import { decoded, encodingOf, isEncoded, isUndecodable } from './encoding.ts';
import { HEADER_BYTES, type OpenChunk, openHeader, RangeOpener, sealedRange } from './encryption.ts';
import { FileCutter } from './file-cutter.ts';
import { inOrder } from './in-order.ts';
import type { Pace } from './pace.ts';
import { mustBeFree, temporaryOf, type WrongFile } from './part-file.ts';
import { journalOf } from './range-journal.ts';
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
  /** Without it, of whoever fetches it, and only his to read. */
  ownership?: { uid: number; gid: number; fileMode: number };
  /** What else has its name is left as it is, and the file refused; without it, that is replaced. */
  keepsOthers?: true;
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

/** A file of `from` bytes or more is fetched in ranges of `bytes`, whole chunks of encrypted ones, `atOnce` of them at a time. */
interface Ranges {
  from: number;
  bytes: number;
  atOnce: number;
}
/** One connection to S3 carries some 50 to 90 MB/s: the last large file of a node must not wait for one. */
export const RANGES: Ranges = { from: 256 * 1024 ** 2, bytes: 64 * 1024 ** 2, atOnce: 4 };

/**
 * @returns the bytes of files that were not there already
 * @throws BackupDamaged InsufficientSpace FileInTheWay VaultUnavailable VaultDenied
 */
export async function fetchObject(ports: FetchPorts, job: FetchJob): Promise<number> {
  const missing: FetchFile[] = [];
  for (const file of job.files) {
    if (await isRight(file, ports.signal)) continue;
    mustBeFree(file);
    missing.push(file);
  }
  let left = missing;
  for (let attempt = 1; left.length > 0; attempt += 1) {
    const wrong = await fetchOnce(ports, job, left);
    const [first] = wrong;
    if (first && attempt === ATTEMPTS) {
      const { file, got } = first;
      for (const left of [temporaryOf, journalOf]) await rm(left(file.target), { force: true });
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
  const found = lstatSync(target, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size !== sizeBytes) return false;
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
  const { isCompressed } = encodingOf(job.variant);
  const isLarge = file && !job.isPack && !isCompressed && file.sizeBytes >= ports.ranges.from;
  return isLarge ? fetchInRanges(ports, job, file) : fetchAtOnce(ports, job, files);
}

/** One request for all of them, even where files lie between that nobody wants. */
async function fetchAtOnce(ports: FetchPorts, job: FetchJob, files: FetchFile[]): Promise<WrongFile[]> {
  const [first] = files;
  const start = isEncoded(job.variant) ? 0 : (first?.offset ?? 0);
  const end = Math.max(...files.map((file) => file.offset + file.sizeBytes));
  const cutter = new FileCutter(files, start);
  try {
    if (isEncoded(job.variant)) await decodeInto(cutter, end, ports, job, nameOf(job, first));
    // Of empty files in a pack nothing is asked for.
    else if (!job.isPack || start < end) {
      const range = job.isPack ? { start, end } : undefined;
      const take = (bytes: Buffer) => cutter.take(bytes);
      await receive(ports, job, { named: nameOf(job, first), range, bytes: end - start, take });
    }
    return await cutter.finish();
  } catch (error) {
    return wrongWhereUndecodable(error, job, files);
  } finally {
    cutter.close();
  }
}

/** Stored bytes that are to blame are asked for again, as those of another hash are. */
function wrongWhereUndecodable(error: unknown, job: FetchJob, files: FetchFile[]): WrongFile[] {
  if (error instanceof EncryptionKeyDenied) {
    throw new EncryptionKeyDenied(`${nameOf(job, files[0])}: ${error.message}`, { cause: error });
  }
  if (!isUndecodable(error)) throw error;
  return files.map((file) => ({ file, got: `what cannot be decoded (${error})` }));
}

/** From its beginning, to the last byte that is wanted. */
async function decodeInto(
  cutter: FileCutter,
  end: number,
  ports: FetchPorts,
  job: FetchJob,
  named: string,
): Promise<void> {
  const { store, signal, pace, onBytes, dataKeys } = ports;
  const stored = await readable(named, () => store.getStream(job.key));
  async function* received() {
    for await (const chunk of stored.body) {
      signal.throwIfAborted();
      if (pace.isLimited()) await pace.take((chunk as Buffer).length, signal);
      onBytes((chunk as Buffer).length);
      yield chunk as Buffer;
    }
  }
  for await (const chunk of decoded(received(), job, dataKeys)) {
    // The rest of a pack that nobody wants, or whatever somebody put there.
    if (cutter.at >= end) break;
    cutter.take(chunk);
  }
  if (cutter.at < end) throw new BackupDamaged(`${named}: got ${cutter.at} bytes, expected ${end}`);
}

/** Several connections write into one file; what they wrote is read again, in its order, for its hash. */
async function fetchInRanges(ports: FetchPorts, job: FetchJob, file: FetchFile): Promise<WrongFile[]> {
  const named = nameOf(job, file);
  const stop = new AbortController();
  const signal = AbortSignal.any([ports.signal, stop.signal]);
  const target = await RangedFile.create(file, ports.ranges.bytes);
  const fetchRange = async (wanted: ByteRange, open: OpenChunk | undefined): Promise<ByteRange> => {
    if (target.has(wanted)) return wanted;
    let at = wanted.start;
    const write = (plain: Buffer) => {
      target.write(plain, at);
      at += plain.length;
    };
    const opener = open && new RangeOpener(open, wanted, file.sizeBytes, write);
    const range = open ? sealedRange(wanted) : wanted;
    const take = opener ? (sealed: Buffer) => opener.push(sealed) : write;
    await receive({ ...ports, signal }, job, { named, range, bytes: range.end - range.start, take });
    target.note(wanted);
    return wanted;
  };
  try {
    const open = isEncoded(job.variant) ? await openObject(ports, job, named) : undefined;
    const fetch = (range: ByteRange) => fetchRange(range, open);
    const ranges = rangesOf(file.sizeBytes, ports.ranges.bytes);
    for await (const range of inOrder(ranges, ports.ranges.atOnce, fetch, stop)) target.hash(range);
    return await target.finish();
  } catch (error) {
    return wrongWhereUndecodable(error, job, [file]);
  } finally {
    target.close();
  }
}

/** By its header, which is read before any part of it. */
async function openObject(ports: FetchPorts, job: FetchJob, named: string): Promise<OpenChunk> {
  const read: Buffer[] = [];
  const take = (bytes: Buffer) => void read.push(Buffer.from(bytes));
  await receive(ports, job, { named, range: { start: 0, end: HEADER_BYTES }, bytes: HEADER_BYTES, take });
  return openHeader(Buffer.concat(read), ports.dataKeys, job.sha256);
}

function* rangesOf(sizeBytes: number, bytes: number): Generator<ByteRange> {
  for (let start = 0; start < sizeBytes; start += bytes)
    yield { start, end: Math.min(start + bytes, sizeBytes) };
}

const nameOf = ({ key }: FetchJob, file: FetchFile | undefined) => `object ${key} of file ${file?.path}`;

/** @throws BackupDamaged where there is no object, or not `bytes` in it */
async function receive(
  { store, signal, pace, onBytes }: FetchPorts,
  { key }: FetchJob,
  wanted: { named: string; range: ByteRange | undefined; bytes: number; take(bytes: Buffer): void },
): Promise<void> {
  const { named, range, bytes: expected, take } = wanted;
  await readable(named, () =>
    store.receive(key, {
      ...{ range, signal },
      begin(got) {
        if (got !== expected) throw new BackupDamaged(`${named}: got ${got} bytes, expected ${expected}`);
      },
      take(bytes) {
        signal.throwIfAborted();
        const { length } = bytes;
        take(bytes);
        onBytes(length);
        return pace.isLimited() ? pace.take(length, signal) : undefined;
      },
    }),
  );
}

/** @throws BackupDamaged where there is nothing */
async function readable<Found>(named: string, read: () => Promise<Found>): Promise<NonNullable<Found>> {
  const found = await read().catch((error: unknown) => {
    // To a host, which may not list, S3 says so of what is missing, too.
    if (error instanceof VaultDenied)
      throw new BackupDamaged(`${named}: it is gone, or this host may not read it`, { cause: error });
    throw error;
  });
  if (!found) throw new BackupDamaged(`${named}: it is gone`);
  return found;
}

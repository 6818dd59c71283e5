// Cuts a run of bytes into the files that lie in it, each hashed, written, synced and renamed.
import { execFile } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsync,
  open as openFile,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ByteRange } from '../../adapters/ports.ts';
import { InsufficientSpace, UnexpectedError } from '../../contracts/errors.ts';
import { errorCode } from '../durable-files.ts';
import type { FetchFile } from './fetch-object.ts';

export interface WrongFile {
  file: FetchFile;
  /** Instead of its hash. */
  got: string;
}

const READ_BYTES = 1024 ** 2;

/** These two wait for the disk; all else is done faster than a promise is made. */
const sync = promisify(fsync);
const open = promisify(openFile);

export const temporaryOf = (target: string) => `${target}.part`;

interface OpenFile {
  file: FetchFile;
  descriptor: number;
  sha256: Hash;
  left: number;
}

export class FileCutter {
  readonly #files: FetchFile[];
  /** Not synced yet: the first sync of several that were written together does the disk's work for all. */
  readonly #written: OpenFile[] = [];
  /** Of the next byte, in the object. */
  at: number;
  #next = 0;
  #open: OpenFile | undefined;

  /** @param files in the order in which they lie @param start of the first byte that will come */
  constructor(files: FetchFile[], start: number) {
    this.#files = files;
    this.at = start;
  }

  async take(chunk: Buffer): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      if (!this.#open) await this.#openNext();
      const taken = this.#open ? this.#write(this.#open, rest) : this.#skip(rest);
      this.at += taken;
      rest = rest.subarray(taken);
      if (this.#open?.left === 0) this.#endFile(this.#open);
    }
  }

  /** Gives the files their names. @returns those that are not what they should be; they keep their temporary names */
  async finish(): Promise<WrongFile[]> {
    // Empty files at the end have no bytes that would open them.
    await this.#openNext();
    const wrong: WrongFile[] = [];
    for (const { file, descriptor, sha256 } of this.#written) {
      wrong.push(...(await nameIfRight(file, descriptor, sha256)));
    }
    return wrong;
  }

  close(): void {
    for (const { descriptor } of this.#written) closeSync(descriptor);
    if (this.#open) closeSync(this.#open.descriptor);
  }

  /** Opens the file that begins here, if one does; empty ones before it are finished at once. */
  async #openNext(): Promise<void> {
    while (!this.#open) {
      const file = this.#files[this.#next];
      if (file?.offset !== this.at) return;
      this.#next += 1;
      const descriptor = await open(temporaryOf(file.target), 'w', 0o600);
      this.#open = { file, descriptor, sha256: createHash('sha256'), left: file.sizeBytes };
      if (this.#open.left === 0) this.#endFile(this.#open);
    }
  }

  /** Bytes of files that nobody wants. */
  #skip(rest: Buffer): number {
    const next = this.#files[this.#next]?.offset ?? Number.POSITIVE_INFINITY;
    return Math.min(rest.length, next - this.at);
  }

  #write(file: OpenFile, rest: Buffer): number {
    const own = rest.subarray(0, file.left);
    file.sha256.update(own);
    writeAll(file, own);
    file.left -= own.length;
    return own.length;
  }

  #endFile(written: OpenFile): void {
    own(written);
    this.#written.push(written);
    this.#open = undefined;
  }
}

/** A file whose ranges come in any order. */
export class RangedFile {
  readonly #open: Pick<OpenFile, 'file' | 'descriptor' | 'sha256'>;

  private constructor(file: FetchFile, descriptor: number) {
    this.#open = { file, descriptor, sha256: createHash('sha256') };
  }

  /** Its space is taken at once, where the file system can: less is scattered, and too little is known now. */
  static async create(file: FetchFile): Promise<RangedFile> {
    const path = temporaryOf(file.target);
    const descriptor = await open(path, 'w+', 0o600);
    try {
      await preallocate(path, file);
      return new RangedFile(file, descriptor);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  write(bytes: Buffer, position: number): void {
    writeAll(this.#open, bytes, position);
  }

  /** In the order of the ranges. */
  hash({ start, end }: ByteRange): void {
    const { descriptor, sha256, file } = this.#open;
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - start));
    for (let at = start; at < end; ) {
      const got = readSync(descriptor, buffer, 0, Math.min(buffer.length, end - at), at);
      if (got === 0)
        throw new UnexpectedError(`${temporaryOf(file.target)}: it ends at ${at}, expected ${end}`);
      sha256.update(buffer.subarray(0, got));
      at += got;
    }
  }

  async finish(): Promise<WrongFile[]> {
    own(this.#open);
    const { file, descriptor, sha256 } = this.#open;
    return nameIfRight(file, descriptor, sha256);
  }

  close(): void {
    closeSync(this.#open.descriptor);
  }
}

/** @throws InsufficientSpace before any is taken: Cassandra may write on the same disk */
async function preallocate(path: string, { sizeBytes, target }: FetchFile): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize < sizeBytes) {
    throw new InsufficientSpace(`${target}: got ${bavail * bsize} bytes free, expected ${sizeBytes}`);
  }
  try {
    await promisify(execFile)('fallocate', ['--length', String(sizeBytes), path]);
  } catch {
    // It is not there, or the file system cannot: the file grows as it is written.
  }
}

function own({ descriptor, file }: Pick<OpenFile, 'descriptor' | 'file'>): void {
  const { uid, gid, fileMode } = file.ownership;
  fchownSync(descriptor, uid, gid);
  fchmodSync(descriptor, fileMode);
}

/** On the disk first. */
async function nameIfRight(file: FetchFile, descriptor: number, sha256: Hash): Promise<WrongFile[]> {
  await sync(descriptor);
  const got = sha256.digest('hex');
  if (got !== file.sha256) return [{ file, got: `SHA-256 ${got}` }];
  renameSync(temporaryOf(file.target), file.target);
  return [];
}

/** @param position undefined: where the last one ended */
function writeAll(
  { descriptor, file }: Pick<OpenFile, 'descriptor' | 'file'>,
  bytes: Buffer,
  position?: number,
): void {
  try {
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(
        descriptor,
        bytes,
        at,
        bytes.length - at,
        position === undefined ? null : position + at,
      );
    }
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    throw new InsufficientSpace(`${file.target}: the file system is full`, { cause: error });
  }
}

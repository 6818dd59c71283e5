// Cuts a run of bytes into the files that lie in it, each hashed, written, synced and renamed.
import { createHash, type Hash } from 'node:crypto';
import { closeSync, fchmodSync, fchownSync, fsync, open as openFile, renameSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { InsufficientSpace } from '../../contracts/errors.ts';
import { errorCode } from '../durable-files.ts';
import type { FetchFile } from './fetch-object.ts';

export interface WrongFile {
  file: FetchFile;
  /** Instead of its hash. */
  got: string;
}

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
      await sync(descriptor);
      const got = sha256.digest('hex');
      if (got === file.sha256) renameSync(temporaryOf(file.target), file.target);
      else wrong.push({ file, got: `SHA-256 ${got}` });
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
    const { uid, gid, fileMode } = written.file.ownership;
    fchownSync(written.descriptor, uid, gid);
    fchmodSync(written.descriptor, fileMode);
    this.#written.push(written);
    this.#open = undefined;
  }
}

function writeAll({ descriptor, file }: OpenFile, bytes: Buffer): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    throw new InsufficientSpace(`${file.target}: the file system is full`, { cause: error });
  }
}

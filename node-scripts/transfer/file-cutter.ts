// Cuts a run of bytes into the files that lie in it, each hashed, written, synced and renamed.
import { createHash, type Hash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { InsufficientSpace } from '../../contracts/errors.ts';
import { errorCode } from '../durable-files.ts';
import type { FetchFile } from './fetch-object.ts';

export interface WrongFile {
  file: FetchFile;
  got: string;
}

export const temporaryOf = (target: string) => `${target}.part`;

interface OpenFile {
  file: FetchFile;
  handle: FileHandle;
  sha256: Hash;
  left: number;
}

export class FileCutter {
  readonly #files: FetchFile[];
  readonly #wrong: WrongFile[] = [];
  /** Of the next byte, in the object. */
  #at: number;
  #next = 0;
  #open: OpenFile | undefined;

  /** @param files in the order in which they lie @param start of the first byte that will come */
  constructor(files: FetchFile[], start: number) {
    this.#files = files;
    this.#at = start;
  }

  async take(chunk: Buffer): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      if (!this.#open) await this.#openNext();
      const taken = this.#open ? this.#write(this.#open, rest) : this.#skip(rest);
      this.#at += taken;
      rest = rest.subarray(taken);
      if (this.#open?.left === 0) await this.#finishFile(this.#open);
    }
  }

  /** @returns the files that are not what they should be; they keep their temporary names */
  async finish(): Promise<WrongFile[]> {
    // Empty files at the end have no bytes that would open them.
    await this.#openNext();
    return this.#wrong;
  }

  async close(): Promise<void> {
    await this.#open?.handle.close();
    this.#open = undefined;
  }

  /** Opens the file that begins here, if one does; empty ones before it are finished at once. */
  async #openNext(): Promise<void> {
    while (!this.#open) {
      const file = this.#files[this.#next];
      if (file?.offset !== this.#at) return;
      this.#next += 1;
      const handle = await open(temporaryOf(file.target), 'w', 0o600);
      this.#open = { file, handle, sha256: createHash('sha256'), left: file.sizeBytes };
      if (this.#open.left === 0) await this.#finishFile(this.#open);
    }
  }

  /** Bytes of files that nobody wants. */
  #skip(rest: Buffer): number {
    const next = this.#files[this.#next]?.offset ?? Number.POSITIVE_INFINITY;
    return Math.min(rest.length, next - this.#at);
  }

  #write(open: OpenFile, rest: Buffer): number {
    const own = rest.subarray(0, open.left);
    open.sha256.update(own);
    writeAll(open, own);
    open.left -= own.length;
    return own.length;
  }

  async #finishFile({ file, handle, sha256 }: OpenFile): Promise<void> {
    await handle.chown(file.ownership.uid, file.ownership.gid);
    await handle.chmod(file.ownership.fileMode);
    await handle.sync();
    await this.close();
    const got = sha256.digest('hex');
    if (got === file.sha256) await rename(temporaryOf(file.target), file.target);
    else this.#wrong.push({ file, got });
  }
}

/** To the page cache, which takes it faster than a promise is made. */
function writeAll({ handle, file }: OpenFile, bytes: Buffer): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(handle.fd, bytes, at);
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    throw new InsufficientSpace(`${file.target}: the file system is full`, { cause: error });
  }
}

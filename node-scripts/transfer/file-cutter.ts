// Cuts a run of bytes into the files that lie in it, each hashed, written, synced and renamed.
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { FetchFile } from './fetch-object.ts';
import { nameIfRight, openPart, own, type PartFile, type WrongFile, writeAll } from './part-file.ts';

interface OpenFile extends PartFile {
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

  /** The bytes may be others afterwards. */
  take(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0; ) {
      if (!this.#open) this.#openNext();
      const taken = this.#open ? this.#write(this.#open, rest) : this.#skip(rest);
      this.at += taken;
      rest = rest.subarray(taken);
      if (this.#open?.left === 0) this.#endFile(this.#open);
    }
  }

  /** Gives the files their names. @returns those that are not what they should be; they keep their temporary names */
  async finish(): Promise<WrongFile[]> {
    // Empty files at the end have no bytes that would open them.
    this.#openNext();
    const wrong: WrongFile[] = [];
    for (const each of this.#written) wrong.push(...(await nameIfRight(each)));
    return wrong;
  }

  close(): void {
    for (const { descriptor } of this.#written) closeSync(descriptor);
    if (this.#open) closeSync(this.#open.descriptor);
  }

  /** Opens the file that begins here, if one does; empty ones before it are finished at once. */
  #openNext(): void {
    while (!this.#open) {
      const file = this.#files[this.#next];
      if (file?.offset !== this.at) return;
      this.#next += 1;
      const descriptor = openPart(file);
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

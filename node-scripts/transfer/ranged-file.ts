// A large file whose ranges come in any order, and are gone on with after a kill.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, readSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { ByteRange } from '../../adapters/ports.ts';
import { InsufficientSpace, UnexpectedError } from '../../contracts/errors.ts';
import type { FetchFile } from './fetch-object.ts';
import {
  nameIfRight,
  openPart,
  own,
  type PartFile,
  temporaryOf,
  type WrongFile,
  whereOf,
  writeAll,
} from './part-file.ts';
import { RangeJournal } from './range-journal.ts';

const READ_BYTES = 1024 ** 2;

export class RangedFile {
  readonly #open: PartFile;
  readonly #journal: RangeJournal;

  private constructor(file: FetchFile, descriptor: number, journal: RangeJournal) {
    this.#open = { file, descriptor, sha256: createHash('sha256') };
    this.#journal = journal;
  }

  /** Its space is taken at once, where the file system can: less is scattered, and too little is known now. */
  static async create(file: FetchFile, rangeBytes: number): Promise<RangedFile> {
    const journal = RangeJournal.open(file, rangeBytes);
    const descriptor = openPart(file, journal.isBegun);
    try {
      if (!journal.isBegun) await preallocate(file, descriptor);
      return new RangedFile(file, descriptor, journal);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  write(bytes: Buffer, position: number): void {
    writeAll(this.#open, bytes, position);
  }

  /** Whether it came before. */
  has(range: ByteRange): boolean {
    return this.#journal.has(range);
  }

  /** All of it is written. */
  note(range: ByteRange): void {
    this.#journal.add(range);
  }

  /** In the order of the ranges. */
  hash({ start, end }: ByteRange): void {
    const { descriptor, sha256, file } = this.#open;
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - start));
    for (let at = start; at < end; ) {
      const got = readSync(descriptor, buffer, 0, Math.min(buffer.length, end - at), at);
      if (got === 0)
        throw new UnexpectedError(`${whereOf(temporaryOf(file.target))}: it ends at ${at}, expected ${end}`);
      sha256.update(buffer.subarray(0, got));
      at += got;
    }
  }

  async finish(): Promise<WrongFile[]> {
    own(this.#open);
    // Right or wrong, nobody goes on with these.
    this.#journal.end();
    return nameIfRight(this.#open);
  }

  close(): void {
    closeSync(this.#open.descriptor);
  }
}

/** Its room was promised (reserve.ts), and may be gone since. @throws InsufficientSpace before any is taken */
async function preallocate({ sizeBytes, target }: FetchFile, descriptor: number): Promise<void> {
  const { bavail, bsize } = await statfs(temporaryOf(target));
  if (bavail * bsize < sizeBytes) {
    throw new InsufficientSpace(
      `${whereOf(target)}: got ${bavail * bsize} bytes free, expected ${sizeBytes}`,
    );
  }
  try {
    // To another process our descriptors, and the paths by them, are nothing.
    const args = ['--length', String(sizeBytes), '/dev/fd/3'];
    await once(spawn('fallocate', args, { stdio: ['ignore', 'ignore', 'ignore', descriptor] }), 'close');
  } catch {
    // It is not there, or the file system cannot: the file grows as it is written.
  }
}

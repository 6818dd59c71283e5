// A part of a file as a stream, at the pace that holds now.
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { FileUnstable, FileVanished, UnexpectedError } from '../contracts/errors.ts';
import type { SendingPace } from './ports.ts';
import { lendBuffers } from './read-buffers.ts';

/** Sent at once where there is a pace: each of many connections says something often enough. */
export const PACED_BYTES = 64 * 1024;

export interface Range {
  at: number;
  length: number;
}

/**
 * What it yields is overwritten two pieces later, when it has long been sent: S3 would refuse other bytes than were hashed. Its buffers
 * are others' once it is destroyed, which it does not do by itself: at its end the last pieces may still be on their way.
 * It fails with FileVanished, FileUnstable, UnexpectedError, or as the pace.
 */
export class FilePart extends Readable {
  readonly #path: string;
  readonly #end: number;
  readonly #lent = lendBuffers();
  readonly #pace: SendingPace | undefined;
  #file: FileHandle | undefined;
  #at: number;
  #pieces = 0;

  constructor(path: string, { at, length }: Range, pace?: SendingPace) {
    super({ highWaterMark: 1, autoDestroy: false });
    this.#pace = pace;
    this.#path = path;
    this.#at = at;
    this.#end = at + length;
  }

  override _construct(callback: (error?: Error | null) => void): void {
    open(this.#path).then(
      (file) => {
        this.#file = file;
        callback();
      },
      (error: unknown) => callback(this.#unreadable(error)),
    );
  }

  override _read(): void {
    this.#readPiece().then(
      (piece) => this.push(piece),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // Which waits for what is read.
    const closed = this.#file?.close() ?? Promise.resolve();
    closed.finally(this.#lent.giveBack).then(
      () => callback(error),
      (failed: Error) => callback(error ?? failed),
    );
  }

  async #readPiece(): Promise<Buffer | null> {
    const left = this.#end - this.#at;
    if (left === 0) return null;
    const { buffers } = this.#lent;
    const buffer = buffers[this.#pieces % buffers.length];
    if (!this.#file || !buffer) throw new Error('it is read before it is open');
    const isPaced = this.#pace?.isLimited() ?? false;
    const most = isPaced ? PACED_BYTES : buffer.length;
    const { bytesRead } = await this.#file
      .read(buffer, 0, Math.min(most, left), this.#at)
      .catch((error: unknown) => Promise.reject(this.#unreadable(error)));
    if (bytesRead === 0) {
      throw new FileUnstable(`${this.#path}: it ends ${left} bytes before the end that was hashed`);
    }
    this.#pieces += 1;
    this.#at += bytesRead;
    if (isPaced) await this.#pace?.take(bytesRead);
    return buffer.subarray(0, bytesRead);
  }

  #unreadable(cause: unknown): Error {
    const { code } = cause as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? new FileVanished(`${this.#path}: it is gone, while it was sent`, { cause })
      : new UnexpectedError(`${this.#path}: it cannot be read: ${cause}`, { cause });
  }
}

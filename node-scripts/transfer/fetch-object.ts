// Fetches one object into the files that it holds: each under a temporary name, hashed as it comes, synced, then renamed. A
// file that has its name is whole.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from '../../adapters/ports.ts';
import { BackupDamaged, InsufficientSpace } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import { errorCode, isMissingFile } from '../durable-files.ts';
import type { Ownership } from './owned-directories.ts';

/** Bytes that were changed on their way are asked for again. */
const ATTEMPTS = 2;

/** A listed file and where it goes. */
export interface WantedFile {
  listed: ListedFile;
  target: string;
  ownership: Ownership;
}

/** Files of one object, in the order in which they lie in it. */
export type WantedObject = [WantedFile, ...WantedFile[]];

/** @returns the files that were downloaded: others were there already @throws BackupDamaged InsufficientSpace VaultUnavailable VaultDenied */
export async function fetchObject(context: ActionContext, wanted: WantedObject): Promise<WantedFile[]> {
  const missing: WantedFile[] = [];
  for (const file of wanted) if (!(await isRight(file))) missing.push(file);
  let left = missing;
  for (let attempt = 1; left.length > 0; attempt += 1) {
    const wrong = await fetchOnce(context, left);
    const [first] = wrong;
    if (first && attempt === ATTEMPTS) {
      const { file, got } = first;
      await unlink(temporary(file));
      throw new BackupDamaged(
        `object ${keyOf(context, file)} of file ${file.listed.path}: got SHA-256 ${got}, expected ${file.listed.sha256}`,
      );
    }
    left = wrong.map(({ file }) => file);
  }
  return missing;
}

const temporary = ({ target }: WantedFile) => `${target}.part`;

function keyOf({ layout, document }: ActionContext, { listed }: WantedFile): string {
  const sha256 = listed.pack ?? listed.sha256;
  return listed.variant === '2'
    ? layout.objectBesideTampered(document.clusterId, sha256)
    : layout.object(document.clusterId, sha256);
}

/** From an attempt before: read again, rather than believed. */
async function isRight({ target, listed }: WantedFile): Promise<boolean> {
  try {
    if ((await stat(target)).size !== listed.sizeBytes) return false;
  } catch (error) {
    if (isMissingFile(error)) return false;
    throw error;
  }
  const sha256 = createHash('sha256');
  for await (const chunk of createReadStream(target)) sha256.update(chunk as Buffer);
  return sha256.digest('hex') === listed.sha256;
}

interface WrongFile {
  file: WantedFile;
  got: string;
}

/** One request for all of them, even where files lie between that nobody wants. @returns files of other bytes */
async function fetchOnce(context: ActionContext, files: WantedFile[]): Promise<WrongFile[]> {
  const [first] = files;
  if (!first) return [];
  const key = keyOf(context, first);
  const named = `object ${key} of file ${first.listed.path}`;
  const start = first.listed.offset ?? 0;
  const end = Math.max(...files.map(({ listed }) => (listed.offset ?? 0) + listed.sizeBytes));
  const stored = await openBody(context, key, first.listed.pack === undefined ? undefined : { start, end });
  if (!stored) throw new BackupDamaged(`${named}: it is gone`);
  if (stored.sizeBytes !== end - start) {
    stored.body.destroy();
    throw new BackupDamaged(`${named}: got ${stored.sizeBytes} bytes, expected ${end - start}`);
  }
  const cutter = new FileCutter(context, files, start);
  try {
    for await (const chunk of stored.body) {
      context.signal.throwIfAborted();
      await cutter.take(chunk as Buffer);
      context.progress.add({ transferred: (chunk as Buffer).length });
    }
    return await cutter.finish();
  } finally {
    await cutter.close();
  }
}

/** Of empty files in a pack nothing is asked for. */
async function openBody({ store }: ActionContext, key: string, range: ByteRange | undefined) {
  if (range && range.start === range.end) return { body: Readable.from([]), sizeBytes: 0 };
  return store.getStream(key, range);
}

/** Cuts a run of bytes into the files that lie in it. */
class FileCutter {
  readonly #context: ActionContext;
  readonly #files: WantedFile[];
  readonly #wrong: WrongFile[] = [];
  /** Of the next byte, in the object. */
  #at: number;
  #next = 0;
  #open:
    | { file: WantedFile; handle: FileHandle; sha256: ReturnType<typeof createHash>; left: number }
    | undefined;

  constructor(context: ActionContext, files: WantedFile[], start: number) {
    this.#context = context;
    this.#files = files;
    this.#at = start;
  }

  async take(chunk: Buffer): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      await this.#openNext();
      const file = this.#open;
      const upcoming = this.#files[this.#next];
      if (!file) {
        const skip = upcoming ? (upcoming.listed.offset ?? 0) - this.#at : rest.length;
        this.#at += Math.min(skip, rest.length);
        rest = rest.subarray(skip);
        continue;
      }
      const own = rest.subarray(0, file.left);
      file.sha256.update(own);
      await writeAll(file.handle, own, file.file.target);
      file.left -= own.length;
      this.#at += own.length;
      rest = rest.subarray(own.length);
      if (file.left === 0) await this.#finishFile();
    }
  }

  async finish(): Promise<WrongFile[]> {
    // Empty files at the end have no bytes that would open them.
    await this.#openNext();
    return this.#wrong;
  }

  async close(): Promise<void> {
    await this.#open?.handle.close();
    this.#open = undefined;
  }

  async #openNext(): Promise<void> {
    for (;;) {
      const file = this.#files[this.#next];
      if (this.#open || !file || (file.listed.offset ?? 0) !== this.#at) return;
      this.#next += 1;
      const handle = await open(temporary(file), 'w', 0o600);
      this.#open = { file, handle, sha256: createHash('sha256'), left: file.listed.sizeBytes };
      if (this.#open.left > 0) return;
      await this.#finishFile();
    }
  }

  async #finishFile(): Promise<void> {
    if (!this.#open) return;
    const { file, handle, sha256 } = this.#open;
    const { uid, gid, fileMode } = file.ownership;
    await handle.chown(uid, gid);
    await handle.chmod(fileMode);
    await handle.sync();
    await this.close();
    const got = sha256.digest('hex');
    if (got !== file.listed.sha256) {
      this.#wrong.push({ file, got });
      return;
    }
    await rename(temporary(file), file.target);
    await this.#context.failPoint('download.file');
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, path: string): Promise<void> {
  try {
    await handle.writeFile(bytes);
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    throw new InsufficientSpace(`${path}: the file system is full`, { cause: error });
  }
}

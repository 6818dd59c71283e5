// The directory that files are downloaded to: whose files lie where in it, and that nothing in it is ever overwritten.
import { readFile, rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DirectoryUnusable, FileInTheWay } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import {
  errorCode,
  isMissingFile,
  makeDirectory,
  syncDirectory,
  writeDurably,
} from '../../node-scripts/durable-files.ts';
import { tryLock } from '../../node-scripts/process-lock.ts';
import type { FetchFile } from '../../node-scripts/transfer/fetch-object.ts';

export interface DownloadDirectory {
  /** Absolute. */
  path: string;
  /** For listings, until it is closed. */
  working: string;
  freeBytes(): Promise<number>;
  /** @throws FileInTheWay where there is another file of this name */
  mustHoldOrLack(name: string, body: Buffer): Promise<void>;
  write(name: string, body: Buffer): Promise<void>;
  /** Makes its directory. @throws FileInTheWay */
  placeOf(target: string, file: ListedFile): Promise<FetchFile>;
  /** What was placed has its name after a crash, too. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Below it a node has one directory, named by its host ID. Of several data directories each has one of its own in there: two of
 * them may hold SSTables of the same name.
 */
export function placesOf(path: string, hostId: string, dataDirectories: readonly string[]) {
  return (file: ListedFile): string => {
    const data = dataDirectories.length > 1 ? [`data${file.dataDirectory + 1}`] : [];
    return join(path, hostId, ...data, file.path);
  };
}

/** @throws DirectoryUnusable */
export async function openDirectory(to: string): Promise<DownloadDirectory> {
  const path = resolve(to);
  const working = join(path, '.ringvault-download');
  await lock(path, working);
  const made = new Map<string, Promise<void>>();
  const make = (directory: string) => {
    const making = made.get(directory) ?? makeFor(directory);
    made.set(directory, making);
    return making;
  };
  return {
    ...{ path, working },
    async freeBytes() {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    },
    async mustHoldOrLack(name, body) {
      const found = await contentOf(join(path, name));
      if (found === undefined || found.equals(body)) return;
      throw new FileInTheWay(`${join(path, name)}: it is there, and is not that of the backup`);
    },
    async write(name, body) {
      if ((await contentOf(join(path, name))) === undefined) await writeDurably(join(path, name), body);
    },
    async placeOf(target, { path: listed, sha256, sizeBytes, offset = 0 }) {
      await make(dirname(target));
      return { path: listed, target, sha256, sizeBytes, offset, keepsOthers: true };
    },
    async sync() {
      for (const directory of made.keys()) await syncDirectory(directory);
    },
    close: () => rm(working, { recursive: true, force: true }),
  };
}

/** Two that write the same files would write into each other's. */
async function lock(path: string, working: string): Promise<void> {
  const held = await tryLock(working).catch((cause: Error) => {
    throw new DirectoryUnusable(`${path}: ${cause.message}`, { cause });
  });
  if (held === 'held') throw new DirectoryUnusable(`${path}: another download is writing to it`);
}

async function makeFor(directory: string): Promise<void> {
  try {
    await makeDirectory(directory);
  } catch (cause) {
    if (!['EEXIST', 'ENOTDIR'].includes(errorCode(cause) ?? '')) throw cause;
    throw new FileInTheWay(`${directory}: got a file there, or above it, expected a directory`, { cause });
  }
}

async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}

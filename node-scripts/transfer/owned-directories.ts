// Directories and files that Cassandra will own: each gets owner and mode of the data directory it is below.
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdtemp, open, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FileInTheWay } from '../../contracts/errors.ts';
import { errorCode, isMissingFile, isThere, syncDirectory } from '../durable-files.ts';

export interface Ownership {
  uid: number;
  gid: number;
  directoryMode: number;
  fileMode: number;
}

export async function ownershipOf(dataDirectory: string): Promise<Ownership> {
  const { uid, gid, mode } = await stat(dataDirectory);
  return { uid, gid, directoryMode: mode & 0o7777, fileMode: mode & 0o666 };
}

/** Not through a link. */
function openDirectory(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/** Undefined where there is nothing, or something else. */
export function openIfDirectory(path: string): Promise<FileHandle | undefined> {
  return openDirectory(path).catch((error: unknown) => {
    if (isMissingFile(error) || errorCode(error) === 'ELOOP') return undefined;
    throw error;
  });
}

/** Undefined where there is nothing. @throws FileInTheWay where there is something else */
export async function openDirectoryIfThere(path: string): Promise<FileHandle | undefined> {
  const directory = await openIfDirectory(path);
  if (directory) return directory;
  const found = await lstat(path).catch((error: unknown) => {
    if (!isMissingFile(error)) throw error;
  });
  if (found) throw new FileInTheWay(`${path}: it is there, expected nothing, or a directory`);
  return undefined;
}

/** What is below it is reached so whatever becomes of the names above it. */
export const heldPath = ({ fd }: FileHandle) => `/proc/self/fd/${fd}`;

/**
 * Like mkdir -p, durable; directories that are there already are left as they are. One that has its name has its owner:
 * whoever makes it may be killed in between. Not by several at the same time: a rename puts a directory in the place of an
 * empty one, in which another may just be about to make something.
 */
export async function makeOwnedDirectory(path: string, ownership: Ownership): Promise<void> {
  if (await isThere(path)) return;
  await makeOwnedDirectory(dirname(path), ownership);
  const temporary = await mkdtemp(join(dirname(path), `.${basename(path)}.new-`));
  // By its descriptor: whoever owns the directory above may have put a link there by now.
  const directory = await openDirectory(temporary);
  try {
    await directory.chmod(ownership.directoryMode);
    await directory.chown(ownership.uid, ownership.gid);
  } finally {
    await directory.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

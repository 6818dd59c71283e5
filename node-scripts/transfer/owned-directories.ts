// Directories and files that Cassandra will own: each gets owner and mode of the data directory it is below.
import { chmod, chown, mkdtemp, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isThere, syncDirectory } from '../durable-files.ts';

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

/** Directories that were made, or are being made. */
export type MadeDirectories = Map<string, Promise<void>>;

/**
 * Like mkdir -p, durable; directories that are there already are left as they are. One that has its name has its owner:
 * whoever makes it may be killed in between.
 * @param made shared by those who make directories at the same time: each is made once, since a rename puts a directory in
 *   the place of an empty one, in which another may just be about to make something
 */
export function makeOwnedDirectory(
  path: string,
  ownership: Ownership,
  made: MadeDirectories = new Map(),
): Promise<void> {
  const making = made.get(path) ?? makeOnce(path, ownership, made);
  made.set(path, making);
  return making;
}

async function makeOnce(path: string, ownership: Ownership, made: MadeDirectories): Promise<void> {
  if (await isThere(path)) return;
  await makeOwnedDirectory(dirname(path), ownership, made);
  const temporary = await mkdtemp(join(dirname(path), `.${basename(path)}.new-`));
  await chown(temporary, ownership.uid, ownership.gid);
  await chmod(temporary, ownership.directoryMode);
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

// Directories and files that Cassandra will own: each gets owner and mode of the data directory it is below.
import { chmod, chown, mkdtemp, rename, rmdir, stat } from 'node:fs/promises';
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

/**
 * Like mkdir -p, durable; directories that are there already are left as they are. One that has its name has its owner:
 * whoever makes it may be killed in between.
 */
export async function makeOwnedDirectory(path: string, ownership: Ownership): Promise<void> {
  if (await isThere(path)) return;
  await makeOwnedDirectory(dirname(path), ownership);
  const temporary = await mkdtemp(join(dirname(path), `.${basename(path)}.new-`));
  await chown(temporary, ownership.uid, ownership.gid);
  await chmod(temporary, ownership.directoryMode);
  try {
    await rename(temporary, path);
  } catch (error) {
    // Somebody else has made it, and put something into it.
    if (!(await isThere(path))) throw error;
    await rmdir(temporary);
  }
  await syncDirectory(dirname(path));
}

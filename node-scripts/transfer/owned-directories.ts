// Directories and files that Cassandra will own: each gets owner and mode of the data directory it is below.
import { chmod, chown, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isThere, makeDirectory } from '../durable-files.ts';

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

/** Like mkdir -p, durable; directories that are there already are left as they are. */
export async function makeOwnedDirectory(path: string, ownership: Ownership): Promise<void> {
  const missing: string[] = [];
  for (let each = path; !(await isThere(each)); each = dirname(each)) missing.push(each);
  await makeDirectory(path);
  for (const each of missing) {
    await chown(each, ownership.uid, ownership.gid);
    await chmod(each, ownership.directoryMode);
  }
}

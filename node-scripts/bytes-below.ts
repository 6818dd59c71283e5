// How much a directory takes up.
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere } from './durable-files.ts';

/** Of files that have no other link: a file that a snapshot still holds frees nothing. */
export async function bytesBelow(directory: string): Promise<number> {
  if (!(await isThere(directory))) return 0;
  let bytes = 0;
  for await (const entry of await opendir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += await bytesBelow(path);
    else {
      const { size, nlink } = await lstat(path);
      if (nlink === 1) bytes += size;
    }
  }
  return bytes;
}

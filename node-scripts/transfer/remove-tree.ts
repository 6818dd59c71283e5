// Deletes trees in whose directories Cassandra's user may put links meanwhile: by descriptors, so that no name above what is deleted counts.
import { type FileHandle, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissingFile } from '../durable-files.ts';
import { heldPath, openDirectoryIfThere, openIfDirectory } from './owned-directories.ts';

/** Of a link the link alone. @throws FileInTheWay where the directory above is a link */
export async function removeTree(path: string): Promise<void> {
  const above = await openDirectoryIfThere(dirname(path));
  if (!above) return;
  try {
    await removeIn(above, basename(path));
  } finally {
    await above.close();
  }
}

async function removeIn(above: FileHandle, name: string): Promise<void> {
  const path = join(heldPath(above), name);
  const directory = await openIfDirectory(path);
  if (!directory) return rm(path, { force: true });
  try {
    const entries = await readdir(heldPath(directory), { withFileTypes: true });
    for (const entry of entries) {
      if (entry.isDirectory()) await removeIn(directory, entry.name);
      else await rm(join(heldPath(directory), entry.name), { force: true });
    }
  } finally {
    await directory.close();
  }
  await rmdir(path).catch((error: unknown) => {
    if (!isMissingFile(error)) throw error;
  });
}

// Moves SSTables from where Cassandra linked them to where only we look; by rename, so that a file is always in one of the two.
import { rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FileUnstable } from '../../contracts/errors.ts';
import { isMissingFile, makeDirectory, syncDirectory } from '../durable-files.ts';
import { collectedDirectory, fileOf, keyIfThere, type PlacedSSTable } from './places.ts';
import type { Candidate } from './whole.ts';

/** Data.db first: half of an SSTable is known by it, on either side. */
export async function collect(
  dataDirectories: string[],
  { parts }: Candidate,
  beforeFile: () => Promise<void>,
): Promise<void> {
  for (const part of parts) {
    const target = collectedDirectory(dataDirectories[part.dataDirectory] ?? '', part.path);
    if (part.directory === target) continue;
    await makeDirectory(dirname(join(target, `${part.stem}Data.db`)));
    for (const component of dataFirst(part.components)) {
      await beforeFile();
      await move(fileOf(part, component), join(target, part.stem + component));
    }
    await syncDirectory(dirname(join(target, `${part.stem}Data.db`)));
  }
}

const dataFirst = (components: readonly string[]) =>
  components.toSorted((one, other) => Number(other === 'Data.db') - Number(one === 'Data.db'));

/** What was looked at is what was moved. */
async function move(from: string, to: string): Promise<void> {
  const key = keyIfThere(from);
  if (keyIfThere(to) !== undefined) throw new FileUnstable(`${to}: got a file there, expected none`);
  await rename(from, to);
  const moved = keyIfThere(to);
  if (moved !== key) throw new FileUnstable(`${to}: got another file than was looked at, expected the same`);
}

/** What a sealed backup holds. Data.db last: without it nobody knows what the rest is. */
export async function discard(sstable: PlacedSSTable): Promise<void> {
  for (const component of dataFirst(sstable.components).toReversed()) {
    await rm(fileOf(sstable, component), { force: true });
  }
}

/** Empty directories of a tree, from the bottom up, as far as they are empty. @param root stays */
export async function removeEmpty(directory: string, root: string): Promise<void> {
  for (let path = directory; path.startsWith(`${root}/`); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      const isThere = await stat(path).catch((cause: unknown) => {
        if (isMissingFile(cause)) return undefined;
        throw error;
      });
      if (isThere) return;
    }
  }
}

// A host that a dead node is to be brought back on: nothing of another node may be on it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HostNotEmpty } from '../contracts/errors.ts';
import type { NodeDirectories } from './cassandra/directories.ts';
import { parseTableDirectory } from './cassandra/sstable-files.ts';
import { contentIn } from './swap/place-tables.ts';

/** In each volume of its own. */
const OF_FILE_SYSTEM = 'lost+found';

/** @throws HostNotEmpty where a table, the commit log or the hints have anything in them */
export async function mustHaveNoNode({
  data,
  commitLog,
  hints,
}: Pick<NodeDirectories, 'data' | 'commitLog' | 'hints'>): Promise<void> {
  const mustBeEmpty = async (path: string) => {
    const [first] = (await contentIn(path)).filter((name) => name !== OF_FILE_SYSTEM);
    if (first) throw new HostNotEmpty(`${path}: got ${first}, expected nothing in it`);
  };
  for (const path of [commitLog, hints]) await mustBeEmpty(path);
  for (const root of data) {
    for (const keyspace of await directoriesIn(root)) {
      for (const table of await directoriesIn(join(root, keyspace)))
        if (parseTableDirectory(table)) await mustBeEmpty(join(root, keyspace, table));
    }
  }
}

async function directoriesIn(path: string): Promise<string[]> {
  const own = new Set(await contentIn(path));
  if (own.size === 0) return [];
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && own.has(entry.name)).map(({ name }) => name);
}

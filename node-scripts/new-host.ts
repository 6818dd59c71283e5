// A host that a dead node is to be brought back on: nothing of another node may be on it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HostNotEmpty } from '../contracts/errors.ts';
import { parseTableDirectory } from './cassandra/sstable-files.ts';
import { namesIn } from './durable-files.ts';
import { contentIn } from './swap/place-tables.ts';

/** @throws HostNotEmpty where a data directory has a table with anything in it */
export async function mustHaveNoNode(data: readonly string[]): Promise<void> {
  for (const root of data) {
    for (const keyspace of await directoriesIn(root)) {
      for (const table of await directoriesIn(join(root, keyspace))) {
        const path = join(root, keyspace, table);
        const [first] = parseTableDirectory(table) ? await namesIn(path) : [];
        if (first) throw new HostNotEmpty(`${root}: got ${join(keyspace, table, first)}, expected no table`);
      }
    }
  }
}

async function directoriesIn(path: string): Promise<string[]> {
  const own = new Set(await contentIn(path));
  if (own.size === 0) return [];
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && own.has(entry.name)).map(({ name }) => name);
}

// The states that the node's data went through, each kept by a snapshot; and for the peers, who know no snapshots, each as a
// tree of hard links with the same files.
import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { filesOf } from './files.ts';

export const STATES = ['first', 'added', 'compacted'] as const;
export type StateName = (typeof STATES)[number];

/** Written last: data without it are not whole. */
export const DATA_FILE = 'bench-data.json';

const state = z.strictObject({
  files: z.int(),
  bytes: z.int(),
  sstables: z.int(),
  /** Not in the state before. */
  newSstables: z.int(),
  newBytes: z.int(),
  tables: z.array(z.strictObject({ keyspace: z.string(), table: z.string(), tableId: z.string() })),
});
const benchData = z.strictObject({
  sizeMiB: z.int(),
  directory: z.string(),
  cassandraVersion: z.string(),
  states: z.record(z.enum(STATES), state),
});
export type BenchData = z.infer<typeof benchData>;

export const tagOf = (name: StateName) => `bench-${name}`;
/** The node's data directory. */
export const dataDirectoryOf = (data: Pick<BenchData, 'directory'>) => join(data.directory, 'data');
export const treeOf = (data: Pick<BenchData, 'directory'>, name: StateName) =>
  join(data.directory, 'trees', name);

export async function readData(directory: string): Promise<BenchData | undefined> {
  const path = join(directory, DATA_FILE);
  return existsSync(path) ? benchData.parse(JSON.parse(await readFile(path, 'utf8'))) : undefined;
}

/** Links each state's tree and counts it. */
export async function describeStates(data: Omit<BenchData, 'states'>): Promise<BenchData> {
  const states: Partial<BenchData['states']> = {};
  let before = new Set<number>();
  for (const name of STATES) {
    const { counted, inodes } = await linkTree(data, name, before);
    states[name] = counted;
    before = inodes;
  }
  return benchData.parse({ ...data, states });
}

async function linkTree(data: Omit<BenchData, 'states'>, name: StateName, before: Set<number>) {
  const tables = await snapshotTables(dataDirectoryOf(data), tagOf(name));
  const counted: BenchData['states'][StateName] = {
    files: 0,
    bytes: 0,
    sstables: 0,
    newSstables: 0,
    newBytes: 0,
    tables: tables.map(({ keyspace, table, tableId }) => ({ keyspace, table, tableId })),
  };
  const inodes = new Set<number>();
  for (const { keyspace, table, tableId, snapshot } of tables) {
    for (const [path, { size, ino }] of await filesOf(snapshot)) {
      if (NOT_DATA.has(path)) continue;
      const target = join(treeOf(data, name), keyspace, `${table}-${tableId}`, path);
      await mkdir(dirname(target), { recursive: true });
      await link(join(snapshot, path), target);
      const isNew = !before.has(ino);
      const isData = path.endsWith('-Data.db');
      inodes.add(ino);
      counted.files += 1;
      counted.bytes += size;
      if (isNew) counted.newBytes += size;
      if (isData) counted.sstables += 1;
      if (isData && isNew) counted.newSstables += 1;
    }
  }
  return { counted, inodes };
}

/** Of Cassandra's snapshot, not of the table. */
const NOT_DATA = new Set(['manifest.json', 'schema.cql']);

async function snapshotTables(root: string, tag: string) {
  const tables: Array<{ keyspace: string; table: string; tableId: string; snapshot: string }> = [];
  for (const keyspace of await readdir(root)) {
    for (const name of await readdir(join(root, keyspace))) {
      const [, table, tableId] = /^(.+)-([0-9a-f]{32})$/.exec(name) ?? [];
      const snapshot = join(root, keyspace, name, 'snapshots', tag);
      if (table && tableId && existsSync(snapshot)) tables.push({ keyspace, table, tableId, snapshot });
    }
  }
  return tables;
}

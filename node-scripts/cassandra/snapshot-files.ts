// What a snapshot holds on the disk, table by table, and whether it is whole: by Cassandra's own snapshot manifest, by each
// TOC.txt where there is one, and by what Cassandra cannot open an SSTable without.
import { readFileSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SnapshotIncomplete } from '../../contracts/errors.ts';
import { isMissingFile, readIfThere } from '../durable-files.ts';
import { isBesideData, parseFileName, parseTableDirectory, requiredComponents } from './sstable-files.ts';

const snapshotManifest = z.looseObject({ files: z.array(z.string()) });

export interface SnapshotTable {
  keyspace: string;
  table: string;
  tableId: string;
  /** `<keyspace>/<table>-<id>`. */
  path: string;
  /** The table's snapshot in each data directory that has one; or another directory that holds SSTables of it. */
  parts: Array<{ dataDirectory: number; snapshot: string }>;
  /** True: it was collected SSTable by SSTable, and Cassandra wrote no manifest of it. */
  isIncrement?: true;
}

/** The files of one SSTable in one data directory; or one file that is no part of an SSTable. */
export interface SnapshotSSTable {
  /** What all its files begin with, below the snapshot: `nb-1-big-`, `.by_name/nb-1-big-`; of another file its name. */
  stem: string;
  dataDirectory: number;
  /** Absolute, of the snapshot. */
  directory: string;
  /** What follows the stem, sorted: `Data.db`, `Filter.db`, …. SSTables with the same components share one array. */
  components: readonly string[];
}

/** Every table that has a snapshot of the tag, in any data directory, sorted by path. */
export function snapshotTables(dataDirectories: string[], tag: string): Promise<SnapshotTable[]> {
  return tablesWith(dataDirectories, (root, path) => join(root, path, 'snapshots', tag));
}

/** Every table that has such a directory, in any data directory, sorted by path. @param directoryOf of a table's path */
export async function tablesWith(
  dataDirectories: string[],
  directoryOf: (root: string, path: string) => string,
): Promise<SnapshotTable[]> {
  const tables = new Map<string, SnapshotTable>();
  for (const [dataDirectory, root] of dataDirectories.entries()) {
    for await (const keyspace of directoriesIn(root)) {
      for await (const name of directoriesIn(join(root, keyspace))) {
        const parsed = parseTableDirectory(name);
        const path = `${keyspace}/${name}`;
        const snapshot = directoryOf(root, path);
        if (!parsed || keyspace.startsWith('.') || !(await isDirectory(snapshot))) continue;
        const table = tables.get(path) ?? { keyspace, ...parsed, path, parts: [] };
        table.parts.push({ dataDirectory, snapshot });
        tables.set(path, table);
      }
    }
  }
  const sortKey = (table: SnapshotTable) => `${table.path}/`;
  return [...tables.values()].sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1));
}

/**
 * What one table's snapshot holds, sorted by stem and data directory; the Data.db files are those of Cassandra's manifest.
 * @throws SnapshotIncomplete
 */
export async function sstablesOf(table: SnapshotTable): Promise<SnapshotSSTable[]> {
  const sstables = await sstablesIn(table);
  if (table.isIncrement) return sstables;
  const manifests = table.parts.map(({ snapshot }) => join(snapshot, 'manifest.json'));
  const found = (await Promise.all(manifests.map(readManifest))).filter((each) => each !== undefined);
  if (found.length === 0) {
    throw new SnapshotIncomplete(`${table.path}: its snapshot has no manifest.json in any data directory`);
  }
  checkAgainstManifest(table, sstables, new Set(found.flat()));
  return sstables;
}

/** Whatever SSTables lie in these directories, whole or not, sorted by stem and data directory. */
export async function sstablesIn({ parts }: Pick<SnapshotTable, 'parts'>): Promise<SnapshotSSTable[]> {
  const sstables: SnapshotSSTable[] = [];
  const interned = new Map<string, readonly string[]>();
  const names = new Map<string, string>();
  for (const { dataDirectory, snapshot } of parts) {
    const stems = new Map<string, string[]>();
    for await (const name of filesBelow(snapshot)) {
      if (isBesideData(name)) continue;
      const stem = stemOf(name);
      const ending = name.slice(stem.length);
      const component = names.get(ending) ?? ending;
      names.set(component, component);
      const components = stems.get(stem);
      if (components) components.push(component);
      else stems.set(stem, [component]);
    }
    for (const [stem, found] of stems) {
      const key = found.sort().join('\0');
      const components = interned.get(key) ?? found;
      interned.set(key, components);
      sstables.push({ stem, dataDirectory, directory: snapshot, components });
    }
  }
  return sstables.sort((one, other) =>
    one.stem === other.stem ? one.dataDirectory - other.dataDirectory : one.stem < other.stem ? -1 : 1,
  );
}

function stemOf(name: string): string {
  const folder = name.slice(0, name.lastIndexOf('/') + 1);
  return folder + (parseFileName(name.slice(folder.length))?.prefix ?? name.slice(folder.length));
}

/** The manifest is one for all data directories, and lists Data.db alone. */
function checkAgainstManifest(table: SnapshotTable, sstables: SnapshotSSTable[], listed: Set<string>): void {
  const withData = sstables.filter((each) => each.components.includes('Data.db'));
  const found = new Set(withData.map((each) => `${each.stem}Data.db`));
  const missing = [...listed].filter((name) => !found.has(name));
  const unknown = [...found].filter((name) => !listed.has(name));
  if (missing.length + unknown.length === 0) return;
  throw new SnapshotIncomplete(
    `${table.path}: got ${found.size} Data.db files, expected the ${listed.size} of Cassandra's manifest.json;${tell('missing', missing)}${tell('not listed', unknown)}`,
  );
}

function tell(what: string, names: string[]): string {
  return names.length > 0 ? ` ${what}: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}` : '';
}

/** @throws SnapshotIncomplete where a component is missing */
export function checkComponents(table: SnapshotTable, sstable: SnapshotSSTable): void {
  const { stem, directory, components } = sstable;
  const parsed = parseFileName(`${stem.slice(stem.lastIndexOf('/') + 1)}x`);
  if (!parsed) return;
  if (components.includes('Data.db')) demand(table, sstable, requiredComponents(parsed.kind));
  if (components.includes('TOC.txt')) {
    const toc = readFileSync(join(directory, `${stem}TOC.txt`), 'utf8');
    const listed = toc.split('\n').map((line) => line.trim());
    // An SAI index made after the snapshot was added to the linked TOC; Cassandra builds SAI again at start.
    demand(
      table,
      sstable,
      listed.filter((component) => component !== '' && !component.startsWith('SAI+')),
    );
  }
}

function demand(table: SnapshotTable, { stem, components }: SnapshotSSTable, needed: string[]): void {
  const missing = needed.filter((component) => !components.includes(component));
  if (missing.length > 0) {
    throw new SnapshotIncomplete(`${table.path}: the SSTable ${stem}* lacks ${missing.join(', ')}`);
  }
}

async function readManifest(path: string): Promise<string[] | undefined> {
  const content = await readIfThere(path);
  if (content === undefined) return undefined;
  try {
    return snapshotManifest.parse(JSON.parse(content)).files;
  } catch (cause) {
    throw new SnapshotIncomplete(`${path}: expected Cassandra's manifest with "files"`, { cause });
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    await (await opendir(path)).close();
    return true;
  } catch (error) {
    if (isMissingFile(error)) return false;
    throw error;
  }
}

async function* directoriesIn(path: string): AsyncGenerator<string> {
  for await (const entry of await opendir(path)) if (entry.isDirectory()) yield entry.name;
}

/** Files of a directory, and of the dot directories of secondary indexes in it. */
async function* filesBelow(path: string): AsyncGenerator<string> {
  for await (const entry of await opendir(path)) {
    if (entry.isFile()) yield entry.name;
    else if (entry.isDirectory() && entry.name.startsWith('.')) {
      for await (const inner of await opendir(join(path, entry.name))) {
        if (inner.isFile()) yield `${entry.name}/${inner.name}`;
      }
    }
  }
}

// What a snapshot holds on the disk, table by table, and whether it is whole: by Cassandra's own snapshot manifest, by each
// TOC.txt where there is one, and by what Cassandra cannot open an SSTable without.
import { opendir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SnapshotIncomplete } from '../../contracts/errors.ts';
import { isMissingFile } from '../durable-files.ts';
import { parseFileName, parseTableDirectory, requiredComponents } from './sstable-files.ts';

/** Written by Cassandra for each snapshot, not data: schema.json of the backup says more, and these change each time. */
const NOT_DATA = new Set(['manifest.json', 'schema.cql']);
const snapshotManifest = z.looseObject({ files: z.array(z.string()) });

export interface SnapshotTable {
  keyspace: string;
  table: string;
  tableId: string;
  /** `<keyspace>/<table>-<id>`. */
  path: string;
  /** The table's snapshot in each data directory that has one. */
  parts: Array<{ dataDirectory: number; snapshot: string }>;
}

export interface SnapshotFile {
  /** Below the snapshot: `nb-1-big-Data.db`, `.by_name/nb-1-big-Data.db`. */
  name: string;
  dataDirectory: number;
  /** Absolute. */
  source: string;
}

/** Every table that has a snapshot of the tag, in any data directory, sorted by path. */
export async function snapshotTables(dataDirectories: string[], tag: string): Promise<SnapshotTable[]> {
  const tables = new Map<string, SnapshotTable>();
  for (const [dataDirectory, root] of dataDirectories.entries()) {
    for await (const keyspace of directoriesIn(root)) {
      for await (const name of directoriesIn(join(root, keyspace))) {
        const parsed = parseTableDirectory(name);
        const snapshot = join(root, keyspace, name, 'snapshots', tag);
        if (!parsed || keyspace.startsWith('.') || !(await isDirectory(snapshot))) continue;
        const path = `${keyspace}/${name}`;
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
 * The files of one table's snapshot, checked, sorted by name and data directory.
 * @throws SnapshotIncomplete
 */
export async function checkedFiles(table: SnapshotTable): Promise<SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  const listed = new Set<string>();
  let manifests = 0;
  for (const { dataDirectory, snapshot } of table.parts) {
    for await (const name of filesBelow(snapshot)) {
      const source = join(snapshot, name);
      if (name === 'manifest.json') {
        manifests += 1;
        for (const each of await readManifest(source)) listed.add(each);
      }
      if (!NOT_DATA.has(name)) files.push({ name, dataDirectory, source });
    }
  }
  if (manifests === 0) {
    throw new SnapshotIncomplete(`${table.path}: its snapshot has no manifest.json in any data directory`);
  }
  checkAgainstManifest(table, files, listed);
  await checkComponents(table, files);
  return files.sort((one, other) =>
    one.name === other.name ? one.dataDirectory - other.dataDirectory : one.name < other.name ? -1 : 1,
  );
}

/** The manifest is one for all data directories, and lists Data.db alone. */
function checkAgainstManifest(table: SnapshotTable, files: SnapshotFile[], listed: Set<string>): void {
  const found = new Set(files.filter((file) => file.name.endsWith('-Data.db')).map((file) => file.name));
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

async function checkComponents(table: SnapshotTable, files: SnapshotFile[]): Promise<void> {
  const here = new Set(files.map((file) => `${file.dataDirectory}/${file.name}`));
  for (const file of files) {
    const folder = file.name.includes('/') ? file.name.slice(0, file.name.indexOf('/') + 1) : '';
    const parsed = parseFileName(file.name.slice(folder.length));
    if (!parsed) continue;
    const isThere = (component: string) =>
      here.has(`${file.dataDirectory}/${folder}${parsed.prefix}${component}`);
    if (parsed.component === 'Data.db') demand(table, file, requiredComponents(parsed.kind), isThere);
    if (parsed.component === 'TOC.txt') {
      const toc = (await readFile(file.source, 'utf8')).split('\n').map((line) => line.trim());
      // An SAI index made after the snapshot was added to the linked TOC; Cassandra builds SAI again at start.
      demand(
        table,
        file,
        toc.filter((component) => component !== '' && !component.startsWith('SAI+')),
        isThere,
      );
    }
  }
}

function demand(
  table: SnapshotTable,
  file: SnapshotFile,
  components: string[],
  isThere: (component: string) => boolean,
): void {
  const missing = components.filter((component) => !isThere(component));
  if (missing.length > 0) {
    throw new SnapshotIncomplete(`${table.path}: the SSTable of ${file.name} lacks ${missing.join(', ')}`);
  }
}

async function readManifest(path: string): Promise<string[]> {
  try {
    return snapshotManifest.parse(JSON.parse(await readFile(path, 'utf8'))).files;
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

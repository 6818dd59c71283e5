// Reads a node's part of a backup with all that it goes on from, as one: a base, and the increments since.
import type { BackupSource } from '../../contracts/actions.ts';
import { IncrementsDiffer } from '../../contracts/errors.ts';
import type { ListedFile, NodeHeader, TableTotals } from '../../contracts/manifests.ts';
import { type NodeBackup, type ReadContext, readNodeBackup } from './read-backup.ts';

/** @param sources the base first @throws BackupDamaged IncrementsDiffer */
export async function readNodeChain(
  context: ReadContext,
  sources: readonly BackupSource[],
): Promise<NodeBackup> {
  const links: NodeBackup[] = [];
  for (const source of sources) links.push(await readNodeBackup(context, source));
  const [first, ...more] = links;
  if (!first) throw new Error('a chain has at least a base');
  for (const { header } of more) {
    const [got, expected] = [header, first.header].map((each) => each.dataDirectories.join(', '));
    if (got !== expected)
      throw new IncrementsDiffer(`${header.backupId}: got data directories ${got}, expected ${expected}`);
  }
  if (more.length === 0) return first;
  return { header: headerOf(links.map(({ header }) => header)), files: () => merged(links) };
}

/** Of the newest, with the sums of all. */
function headerOf(headers: NodeHeader[]): NodeHeader {
  const newest = headers.at(-1) as NodeHeader;
  const tables = new Map<string, TableTotals>();
  for (const table of headers.flatMap((header) => header.tables)) {
    const key = `${table.keyspace}/${table.table}-${table.tableId}`;
    const { files = 0, bytes = 0, sstables = 0 } = tables.get(key) ?? {};
    tables.set(key, {
      ...table,
      ...{ files: files + table.files, bytes: bytes + table.bytes, sstables: sstables + table.sstables },
    });
  }
  const sum = (field: 'files' | 'bytes' | 'damagedFiles') =>
    headers.reduce((total, header) => total + header[field], 0);
  return {
    ...newest,
    sstableFormats: [...new Set(headers.flatMap((header) => header.sstableFormats))].sort(),
    tables: [...tables.values()],
    ...{ files: sum('files'), bytes: sum('bytes'), damagedFiles: sum('damagedFiles') },
  };
}

/** In the order of a listing; a file that two of them have is named once. */
async function* merged(links: readonly NodeBackup[]): AsyncGenerator<ListedFile> {
  const readers = links.map(({ files }) => files());
  try {
    const heads = await Promise.all(readers.map(async (reader) => (await reader.next()).value));
    for (;;) {
      let least: ListedFile | undefined;
      for (const head of heads) if (head && (!least || compare(head, least) < 0)) least = head;
      if (!least) return;
      yield least;
      for (const [index, head] of heads.entries()) {
        if (!head || compare(head, least) !== 0) continue;
        mustBeSame(head, least);
        heads[index] = (await readers[index]?.next())?.value;
      }
    }
  } finally {
    for (const reader of readers) await reader.return(undefined);
  }
}

function compare(one: ListedFile, other: ListedFile): number {
  if (one.path === other.path) return one.dataDirectory - other.dataDirectory;
  return one.path < other.path ? -1 : 1;
}

function mustBeSame(one: ListedFile, other: ListedFile): void {
  if (one.sha256 === other.sha256) return;
  throw new IncrementsDiffer(
    `${one.path}: got SHA-256 ${one.sha256} and ${other.sha256} in one chain, expected one`,
  );
}

// Which of this node's directories a backed-up file goes to: now to staging, after the swap in place.
import { join } from 'node:path';
import type { TableRef } from '../../contracts/actions.ts';
import type { ListedFile, NodeHeader } from '../../contracts/manifests.ts';

/**
 * Index of the backup's data directory → one of the node's own: the same path where it has it, else in turn. None that is for
 * Cassandra's own tables alone: it takes these from any.
 * @param forTables of users
 */
export function mapDataDirectories(header: NodeHeader, { forTables }: { forTables: string[] }): string[] {
  return header.dataDirectories.map((path, index) => {
    const mapped = forTables.includes(path) ? path : forTables[index % forTables.length];
    if (!mapped) throw new Error('a node has at least one data directory');
    return mapped;
  });
}

/** `<keyspace>/<table>-<id>` of a listed file. */
export function tablePathOf(file: Pick<ListedFile, 'path'>): string {
  return file.path.split('/', 2).join('/');
}

export function tablePath(table: TableRef): string {
  return `${table.keyspace}/${table.table}-${table.tableId}`;
}

/** Only files of these tables are restored. */
export async function* filesOfTables(
  files: AsyncIterable<ListedFile>,
  tables: TableRef[],
): AsyncGenerator<ListedFile> {
  const wanted = new Set(tables.map(tablePath));
  for await (const file of files) if (wanted.has(tablePathOf(file))) yield file;
}

/** How much {@link filesOfTables} will name. */
export function totalsOfTables(header: NodeHeader, tables: TableRef[]): { files: number; bytes: number } {
  const wanted = new Set(tables.map(tablePath));
  const total = { files: 0, bytes: 0 };
  for (const table of header.tables.filter((each) => wanted.has(tablePath(each)))) {
    total.files += table.files;
    total.bytes += table.bytes;
  }
  return total;
}

/** Deep enough that Cassandra takes neither for a keyspace; on the data directory's own file system. */
export function stagingRoot(dataDirectory: string, runId: string): string {
  return join(dataDirectory, '.ringvault', `${runId}.new`);
}
export function asideRoot(directory: string, runId: string): string {
  return join(directory, '.ringvault', runId);
}
/** What was collected for incremental backups and is in no sealed one yet. */
export function incrementsRoot(dataDirectory: string): string {
  return join(dataDirectory, '.ringvault', 'increments');
}
export function undoneRoot(directory: string, runId: string): string {
  return join(directory, '.ringvault', `${runId}.undone`);
}

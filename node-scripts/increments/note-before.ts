// Around a base's snapshot, where incremental backups are on: what lay under backups/ before it, which SSTables it holds, and
// up to where in the commit log. Nothing is moved or deleted: another tool may want what lies there.

import { withCql } from '../cassandra/cql.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { incrementalBackups } from '../cassandra/nodetool.ts';
import { type SnapshotTable, sstablesIn } from '../cassandra/snapshot-files.ts';
import { readTruncations } from '../cassandra/table-state.ts';
import type { ActionContext } from '../context.ts';
import { forgetNoted, readNoted, remember, writeNoted } from './memory.ts';
import {
  fileOf,
  keyIfThere,
  keysByTable,
  nameOf,
  type PlacedSSTable,
  sstablesAt,
  storeOf,
} from './places.ts';
import { readOrigin, upToOf } from './positions.ts';

/** @returns whether incremental backups are on */
export async function noteBefore(context: ActionContext): Promise<boolean> {
  await forgetNoted(context, context.document.runId);
  if (!(await incrementalBackups(context))) return false;
  const { data } = await nodeDirectories(context);
  const truncated = await withCql(context, readTruncations);
  const before = [...(await sstablesAt('linked', data)), ...(await sstablesAt('collected', data))];
  await writeNoted(context, context.document.runId, {
    formatVersion: 1,
    dataDirectories: data,
    truncated,
    before: keysByTable(before),
  });
  return true;
}

/** Of the snapshot's tables, before its manifests name them. */
export async function rememberBase(
  context: ActionContext,
  { backupId, hostId }: { backupId: string; hostId: string },
  tables: SnapshotTable[],
): Promise<void> {
  const noted = await readNoted(context, backupId);
  if (!noted) return;
  const held: PlacedSSTable[] = [];
  for (const table of tables) {
    for (const sstable of await sstablesIn(table)) {
      held.push({ ...sstable, path: table.path, key: keyIfThere(fileOf(sstable, 'Data.db')) });
    }
  }
  const upTo: Record<string, string> = {};
  for (const sstable of held) {
    const origin = await readOrigin(sstable, hostId);
    const store = storeOf(sstable);
    if (origin) upTo[store] = upToOf(upTo[store], origin);
  }
  const sstables = Object.fromEntries(held.flatMap((each) => (each.key ? [[nameOf(each), each.key]] : [])));
  // Of a table that it does not hold nothing is superfluous.
  const paths = new Set(tables.map(({ path }) => path));
  const before = Object.fromEntries(Object.entries(noted.before).filter(([path]) => paths.has(path)));
  await remember(context, { ...noted, backupId, before, sstables, unfinished: {}, upTo });
}

// import: Cassandra takes the staged SSTables in while it serves; then looks that it took every one, since an import that
// finds nothing it can take succeeds.
import { join } from 'node:path';
import { z } from 'zod';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { ImportIncomplete } from '../../contracts/errors.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { nodetool } from '../cassandra/nodetool.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import type { ActionContext } from '../context.ts';
import { namesIn, readIfThere, writeDurably } from '../durable-files.ts';
import { mustBeAllowed } from '../guard.ts';
import { mustHoldAll } from '../transfer/held-files.ts';
import { useUpStaging } from '../transfer/kept-staging.ts';
import { linkedBefore } from '../transfer/local-files.ts';
import { mapDataDirectories, stagingRoot, tablePath } from '../transfer/placement.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { removeTree } from '../transfer/remove-tree.ts';
import { inVaultOf } from '../transfer/source-vault.ts';
import { giveStagingAway } from '../transfer/staging-root.ts';

const NAMED = 5;
/** Of what was staged, kept for a retry, which finds less. */
const totals = z.strictObject({ files: z.int(), bytes: z.int() });

export async function importTables(
  context: ActionContext,
  { sources, tables }: ActionInput<'import'>,
): Promise<ActionOutput<'import'>> {
  await mustBeAllowed(context);
  const backup = await readNodeChain(inVaultOf(context, sources), sources);
  const directories = await nodeDirectories(context);
  const { runId } = context.document;
  const mapped = mapDataDirectories(backup.header, directories);
  const staged = mapped.map((root) => stagingRoot(root, runId));
  // Cassandra moves what it takes: only before the first import everything is there.
  const begun = join(context.directory, 'import-begun');
  const counted = await readIfThere(begun);
  const total =
    counted === undefined
      ? await mustHoldAll(context, backup, tables, staged, 'staging', linkedBefore(staged))
      : parseDocument(totals, counted, begun);
  await useUpStaging(context);
  await writeDurably(begun, JSON.stringify(total));
  await giveStagingAway(mapped, runId);
  const roots = [...new Set(staged)];
  for (const table of tables) {
    await context.beforeDestroying(`import into ${table.keyspace}.${table.table}`);
    const directories = roots.map((root) => join(root, tablePath(table)));
    const wanted = (await Promise.all(directories.map(sstablesIn))).map((names, index) => ({ names, index }));
    const full = wanted.filter(({ names }) => names.length > 0);
    if (full.length === 0) continue;
    const from = full.map(({ index }) => directories[index] ?? '');
    // The rings were found to be the same. What the node had and does not own any more, before a cleanup, must not fail the rest.
    await nodetool(context, 'import', '--no-tokens', table.keyspace, table.table, ...from);
    await context.failPoint('import.table');
    const left = (await Promise.all(from.map(sstablesIn))).flat();
    if (left.length > 0) throw notTaken(table.keyspace, table.table, left);
  }
  await context.beforeDestroying('delete what is left of staging');
  for (const root of roots) await removeTree(root);
  return { tables: tables.length, ...total };
}

/** Data.db of each SSTable; those of indexes lie deeper, and are made anew. */
async function sstablesIn(directory: string): Promise<string[]> {
  const names = await namesIn(directory);
  return names.filter((name) => parseFileName(name)?.component === 'Data.db');
}

function notTaken(keyspace: string, table: string, left: string[]): Error {
  const named = `${left.slice(0, NAMED).join(', ')}${left.length > NAMED ? ', …' : ''}`;
  return new ImportIncomplete(
    `nodetool import into ${keyspace}.${table} said that it succeeded: got ${left.length} SSTables not taken (${named}), expected none`,
  );
}

// What a restore that ended after its download has left in staging: the next restore of the same goes on with it, any other
// deletes it. Until its files are swapped in or imported, no failure of that restore deletes it.
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type ActionInput, actions } from '../../contracts/actions.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { bytesBelow } from '../bytes-below.ts';
import type { ActionContext } from '../context.ts';
import { isThere, readIfThere, syncDirectory, writeDurably } from '../durable-files.ts';
import { stagingRoot } from './placement.ts';
import { removeTree } from './remove-tree.ts';

const { sources, tables } = actions.download.input.shape;
const keptStaging = z.strictObject({
  formatVersion: z.literal(1),
  /** Whose staging it is by now. */
  runId: z.string(),
  sources,
  tables,
  /** The node's data directory for each of the backup's. */
  mapped: z.array(z.string()),
});
type KeptStaging = z.infer<typeof keptStaging>;
type Paths = Pick<ActionContext, 'paths'>;
type Wanted = Pick<ActionInput<'download'>, 'sources' | 'tables'> & { mapped: string[] };

async function readKept({ paths }: Paths): Promise<KeptStaging | undefined> {
  const content = await readIfThere(paths.keptStaging);
  return content === undefined ? undefined : parseDocument(keptStaging, content, paths.keptStaging);
}

/** Once all of it is there, verified and durable. */
export function keepStaging(
  { paths, document }: Pick<ActionContext, 'paths' | 'document'>,
  { sources, tables, mapped }: Wanted,
): Promise<void> {
  const kept: KeptStaging = { formatVersion: 1, runId: document.runId, sources, tables, mapped };
  return writeDurably(paths.keptStaging, JSON.stringify(kept));
}

/**
 * Makes it the staging of this run, which looks at each file again; deletes it where it is of anything else, or was for other data
 * directories. Idempotent: what says whose it is changes last.
 */
export async function takeKeptStaging(
  context: Pick<ActionContext, 'paths' | 'document' | 'beforeDestroying'>,
  { sources, tables, mapped }: Wanted,
): Promise<void> {
  const kept = await readKept(context);
  const { runId } = context.document;
  if (!kept || kept.runId === runId) return;
  const { formatVersion: _, runId: from, ...of } = kept;
  const isSame = isDeepStrictEqual(of, { sources, tables, mapped });
  await context.beforeDestroying('take over or delete what an earlier restore has staged');
  for (const root of new Set(kept.mapped)) {
    const [theirs, own] = [stagingRoot(root, from), stagingRoot(root, runId)];
    if (!(await isThere(theirs))) continue;
    if (isSame && !(await isThere(own))) await rename(theirs, own);
    else await removeTree(theirs);
    await syncDirectory(dirname(theirs));
  }
  if (isSame) await keepStaging(context, { sources, tables, mapped });
  else await rm(context.paths.keptStaging, { force: true });
}

/** Whether what a run has staged outlives its failure. */
export async function isKept(context: Paths, runId: string): Promise<boolean> {
  return (await readKept(context))?.runId === runId;
}

/** From then on its files go where they belong. */
export async function useUpStaging({ paths }: Paths): Promise<void> {
  await rm(paths.keptStaging, { force: true });
}

/** What of a data directory the next restore has at its disposal besides what is free. */
export async function keptBytes(context: Paths, root: string): Promise<number> {
  const kept = await readKept(context);
  return kept ? bytesBelow(stagingRoot(root, kept.runId)) : 0;
}

// What a restore that ended after its download has left in staging: the next restore of the same goes on with it, any other
// deletes it.
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

const { sources, tables } = actions.download.input.shape;
const keptStaging = z.strictObject({
  formatVersion: z.literal(1),
  runId: z.string(),
  sources,
  tables,
  /** By data directory: what it takes up of it. */
  bytes: z.record(z.string(), z.int().nonnegative()),
});
type KeptStaging = z.infer<typeof keptStaging>;
type Context = Pick<ActionContext, 'paths'>;
type Wanted = Pick<ActionInput<'download'>, 'sources' | 'tables'>;

async function readKept({ paths }: Context): Promise<KeptStaging | undefined> {
  const content = await readIfThere(paths.keptStaging);
  return content === undefined ? undefined : parseDocument(keptStaging, content, paths.keptStaging);
}

/** Once all of it is there, verified and durable. */
export async function keepStaging(
  { paths, document }: Pick<ActionContext, 'paths' | 'document'>,
  data: readonly string[],
  { sources, tables }: Wanted,
): Promise<void> {
  const { runId } = document;
  const bytes: KeptStaging['bytes'] = {};
  for (const root of data) bytes[root] = await bytesBelow(stagingRoot(root, runId));
  const kept: KeptStaging = { formatVersion: 1, runId, sources, tables, bytes };
  await writeDurably(paths.keptStaging, JSON.stringify(kept));
}

/**
 * Makes it the staging of this run, which looks at each file again; deletes it where it is of anything else. Idempotent: what
 * says that there is one goes last.
 */
export async function takeKeptStaging(
  context: Pick<ActionContext, 'paths' | 'document' | 'beforeDestroying'>,
  data: readonly string[],
  wanted: Wanted,
): Promise<void> {
  const kept = await readKept(context);
  const { runId } = context.document;
  if (!kept || kept.runId === runId) return;
  const { sources, tables } = wanted;
  const isSame = isDeepStrictEqual({ sources, tables }, { sources: kept.sources, tables: kept.tables });
  await context.beforeDestroying('take over or delete what an earlier restore has staged');
  for (const root of new Set([...data, ...Object.keys(kept.bytes)])) {
    const [from, to] = [stagingRoot(root, kept.runId), stagingRoot(root, runId)];
    if (!(await isThere(from))) continue;
    if (isSame && !(await isThere(to))) await rename(from, to);
    else await rm(from, { recursive: true, force: true });
    await syncDirectory(dirname(from));
  }
  await rm(context.paths.keptStaging, { force: true });
}

/** What of a data directory the next restore has at its disposal besides what is free. */
export async function keptBytes(context: Context, root: string): Promise<number> {
  const kept = await readKept(context);
  if (!kept || !(await isThere(stagingRoot(root, kept.runId)))) return 0;
  return kept.bytes[root] ?? 0;
}

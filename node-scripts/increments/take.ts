// Takes what was written since the backup before: looks until nothing is under way, then deletes what backups hold, moves the
// rest, and remembers up to where it is. Killed at any moment, it is begun anew and loses nothing.
import type { ActionContext } from '../context.ts';
import { tablePath } from '../transfer/placement.ts';
import { collect, discard } from './collect.ts';
import { type Look, type LookOptions, look } from './look.ts';
import { type Memory, remember } from './memory.ts';
import { keysByTable, nameOf } from './places.ts';

/** What is being linked, or compacted, at the first look is done with at the last. */
const LOOKS = 3;
const PAUSE_MS = 2_000;
type TakeContext = Pick<
  ActionContext,
  'paths' | 'clock' | 'signal' | 'document' | 'failPoint' | 'beforeDestroying'
>;

/** @param truncated as it was before the look @returns the gaps for which nothing was taken, if there are */
export async function takeIncrements(
  context: TakeContext,
  options: LookOptions,
  truncated: Record<string, string>,
): Promise<{ gaps: string[]; sstables: number; unfinished: number }> {
  const found = await lookUntilClear(context, options);
  if (found.gaps.length > 0) return { gaps: found.gaps, sstables: 0, unfinished: 0 };
  await context.beforeDestroying('collect increments');
  for (const sstable of found.held) await discard(sstable);
  for (const candidate of found.whole) {
    await collect(options.dataDirectories, candidate, () => context.failPoint('collect.file'));
  }
  await remember(context, memoryAfter(context.document.runId, options, truncated, found));
  return { gaps: [], sstables: found.whole.length, unfinished: found.unfinished.length };
}

async function lookUntilClear(context: TakeContext, options: LookOptions): Promise<Look> {
  let found: Look | undefined;
  for (let count = 1; ; count += 1) {
    found = await look(options, found);
    if (count >= LOOKS || found.gaps.length + found.unfinished.length === 0) return found;
    await context.clock.sleep(PAUSE_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

function memoryAfter(
  backupId: string,
  { previous, tables }: LookOptions,
  truncated: Record<string, string>,
  { whole, unfinished, upTo }: Look,
): Memory {
  const paths = new Set(tables.map(tablePath));
  const looked = new Set(tables.map(({ tableId }) => tableId));
  const records = (of: Record<string, string>, isWanted: (tableId: string) => boolean) =>
    Object.entries(of).filter(([tableId]) => isWanted(tableId));
  const taken = whole.flatMap(({ parts }) => {
    const [first] = parts;
    const key = parts.find((part) => part.key !== undefined)?.key;
    return first && key ? [[nameOf(first), key] as const] : [];
  });
  const sstables = { ...previous.sstables, ...Object.fromEntries(taken) };
  return {
    ...{ ...previous, backupId, sstables, upTo },
    // What is unfinished or truncated of a table that this one is not of is for the next one to find.
    unfinished: {
      ...Object.fromEntries(Object.entries(previous.unfinished).filter(([path]) => !paths.has(path))),
      ...keysByTable(unfinished.flatMap(({ parts }) => parts)),
    },
    truncated: Object.fromEntries([
      ...records(previous.truncated, (tableId) => !looked.has(tableId)),
      ...records(truncated, (tableId) => looked.has(tableId)),
    ]),
  };
}

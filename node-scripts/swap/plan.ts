// What one restore swaps on one node, written down whole before anything is moved: the put-back works by it, with Cassandra
// down and the configuration perhaps changed since.
import { join } from 'node:path';
import { z } from 'zod';
import { parseDocument } from '../../contracts/documents.ts';
import { NothingToUndo } from '../../contracts/errors.ts';
import { readIfThere, writeDurably } from '../durable-files.ts';

const swappedTable = z.strictObject({
  /** Where Cassandra has it. */
  live: z.string(),
  /** Where it is kept for undo. */
  aside: z.string(),
  /** Where the restored one is staged; an empty one where the backup has none. */
  staged: z.string(),
  /** Where the restored one goes at undo, and is kept until its release. */
  undone: z.string(),
  /** Whether there was one before the restore. */
  existed: z.boolean(),
});
export type SwappedTable = z.infer<typeof swappedTable>;

const emptiedDirectory = z.strictObject({ live: z.string(), aside: z.string(), undone: z.string() });

const swapPlan = z.strictObject({
  formatVersion: z.literal(1),
  runId: z.string(),
  dataDirectories: z.array(z.string()),
  tables: z.array(swappedTable),
  /** Commit log, hints, saved caches: their content is moved aside, the directories stay (they may be mount points). */
  emptied: z.array(emptiedDirectory),
});
export type SwapPlan = z.infer<typeof swapPlan>;

/** The directories that a swap keeps its own beside. */
export function swapRoots({ dataDirectories, emptied }: SwapPlan): string[] {
  return [...dataDirectories, ...emptied.map((each) => each.live)];
}

/** The files of one restore's swap below the host's `journals/`. */
export function journalPaths(journals: string, restoreRunId: string) {
  const path = (name: string) => join(journals, `${restoreRunId}.${name}`);
  return {
    plan: path('plan.json'),
    place: path('place.json'),
    putBack: path('put-back.json'),
    released: path('released.json'),
  };
}

export async function writePlan(journals: string, plan: Omit<SwapPlan, 'formatVersion'>): Promise<void> {
  await writeDurably(journalPaths(journals, plan.runId).plan, JSON.stringify({ formatVersion: 1, ...plan }));
}

export async function readPlan(journals: string, restoreRunId: string): Promise<SwapPlan | undefined> {
  const { plan } = journalPaths(journals, restoreRunId);
  const content = await readIfThere(plan);
  return content === undefined ? undefined : parseDocument(swapPlan, content, plan);
}

/** @throws NothingToUndo */
export async function readPlanOf(journals: string, restoreRunId: string): Promise<SwapPlan> {
  const plan = await readPlan(journals, restoreRunId);
  if (!plan) throw new NothingToUndo(`restore ${restoreRunId} has swapped nothing on this host`);
  return plan;
}

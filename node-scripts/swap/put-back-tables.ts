// The inverse of a swap, from wherever it stands: the data from before go back into place. What the restore had placed, and
// what was written since, goes aside; it stays there until it is released, or is deleted when all is back.
import { mkdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SwapConflict } from '../../contracts/errors.ts';
import { errorCode, isThere, makeDirectory } from '../durable-files.ts';
import { makeOwnedDirectory, ownershipOf } from '../transfer/owned-directories.ts';
import { asideRoot, stagingRoot, undoneRoot } from '../transfer/placement.ts';
import { removeTree } from '../transfer/remove-tree.ts';
import { type RenameStep, renameJournal } from './journalled-renames.ts';
import { contentIn, KEPT_WITH_TABLE, mustGoThroughNoLink, rootOf } from './place-tables.ts';
import { journalPaths, type SwapPlan, type SwappedTable, swapRoots } from './plan.ts';

export interface PutBackOptions {
  /** Whether what is taken out of the live directories is kept until it is released. */
  keeps: boolean;
  /** Is called before the first rename of each table, and before anything is deleted. */
  before?: (step: string) => Promise<void>;
}

/** Idempotent, by the same options. */
export async function putBackTables(
  journals: string,
  plan: SwapPlan,
  { keeps, before = async () => undefined }: PutBackOptions,
): Promise<void> {
  const journal = renameJournal(journalPaths(journals, plan.runId).putBack);
  if (!(await journal.exists())) {
    const isPlaced = await renameJournal(journalPaths(journals, plan.runId).place).isDone();
    const gone = isPlaced ? await missingAside(plan) : [];
    if (gone.length > 0)
      throw new SwapConflict(`restore ${plan.runId}: ${gone.join('; ')}. Nothing was moved`);
    await mustGoThroughNoLink(plan);
    await makeTargets(plan);
    await journal.write(await renamesBack(plan, isPlaced));
  }
  const tableAt = new Map(plan.tables.flatMap((table) => [table.live, table.aside].map((at) => [at, table])));
  const asked = new Set<SwappedTable>();
  await journal.carryOut(async ({ from }) => {
    const table = tableAt.get(from) ?? tableAt.get(dirname(from));
    if (!table || asked.has(table)) return;
    asked.add(table);
    await before('put a table back');
  });
  await before(keeps ? 'tidy up' : 'delete what the restore had placed');
  await deleteAround(plan, keeps ? [stagingRoot, asideRoot] : [stagingRoot, asideRoot, undoneRoot]);
}

/** In words, what a swap that is done has put aside and is not there any more. */
export async function missingAside({ tables }: SwapPlan): Promise<string[]> {
  const gone: string[] = [];
  for (const { existed, aside } of tables)
    if (existed && !(await isThere(aside)))
      gone.push(
        `got no ${aside}, expected there what was live before: somebody deleted it, or a disk was replaced`,
      );
  return gone;
}

/** Seen from the directories as they are: the swap may have stopped anywhere, or Cassandra have served since. */
async function renamesBack(plan: SwapPlan, isPlaceDone: boolean): Promise<RenameStep[]> {
  const placed = isPlaceDone || (await anyTableMoved(plan));
  const steps: RenameStep[] = [];
  for (const table of plan.tables) steps.push(...(await tableBack(table)));
  for (const { live, aside, undone } of plan.emptied) {
    const before = new Set(await contentIn(aside));
    // Where the swap stopped before its content was all aside, what is still in place is from before.
    const since = placed ? await contentIn(live) : (await contentIn(live)).filter((name) => before.has(name));
    for (const name of since) steps.push({ from: join(live, name), to: join(undone, name) });
    for (const name of before) steps.push({ from: join(aside, name), to: join(live, name) });
  }
  return steps;
}

/** The content of commit log, hints and caches goes first: once a table was moved, all of it is aside. */
async function anyTableMoved(plan: SwapPlan): Promise<boolean> {
  for (const table of plan.tables) {
    if ((await isThere(table.aside)) || !(await isThere(table.staged))) return true;
  }
  return false;
}

async function tableBack(table: SwappedTable): Promise<RenameStep[]> {
  const { live, aside, undone } = table;
  const [isLive, isAside] = [await isThere(live), await isThere(aside)];
  // Not begun: what is live is from before.
  if (table.existed && !isAside) return [];
  if (!table.existed && (await isThere(table.staged))) return [];
  if (!isLive) return isAside ? [{ from: aside, to: live }] : [];
  const names = await contentIn(live);
  const kept = names.filter((name) => KEPT.includes(name));
  if (!isAside && kept.length > 0) {
    // Snapshots made since of a table that was not there before are nobody's to delete: they stay where they are.
    await mkdir(undone, { recursive: true });
    return names.filter((name) => !KEPT.includes(name)).map((name) => step(live, undone, name));
  }
  const steps: RenameStep[] = [];
  for (const name of isAside ? kept : []) {
    // Still aside where the swap had not got so far.
    if (!(await isThere(join(aside, name)))) steps.push(step(live, aside, name));
  }
  steps.push({ from: live, to: undone });
  if (isAside) steps.push({ from: aside, to: live });
  return steps;
}

const KEPT: readonly string[] = KEPT_WITH_TABLE;
const step = (from: string, to: string, name: string) => ({ from: join(from, name), to: join(to, name) });

async function makeTargets(plan: SwapPlan): Promise<void> {
  for (const { live, undone } of plan.emptied) {
    if (await isThere(live)) await makeDirectory(undone);
  }
  for (const table of plan.tables) {
    await makeOwnedDirectory(dirname(table.undone), await ownershipOf(rootOf(plan, table)));
  }
}

/** Of this restore on this host; what was aside is emptied by now. */
async function deleteAround(plan: SwapPlan, roots: ReadonlyArray<typeof asideRoot>): Promise<void> {
  for (const root of swapRoots(plan)) {
    for (const of of roots) await removeTree(of(root, plan.runId));
    await removeIfEmpty(join(root, '.ringvault'));
  }
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) throw error;
  }
}

// Swaps restored tables in: what the live directories hold goes aside, what is staged takes its place, snapshots and
// incrementals of a table stay with it; commit log, hints and caches of the time before go aside too.
import { basename, dirname, join } from 'node:path';
import type { TableRef } from '../../contracts/actions.ts';
import { parseTableDirectory } from '../cassandra/sstable-files.ts';
import { isThere, makeDirectory, namesIn } from '../durable-files.ts';
import { makeOwnedDirectory, openDirectoryIfThere, ownershipOf } from '../transfer/owned-directories.ts';
import { asideRoot, stagingRoot, tablePath, undoneRoot } from '../transfer/placement.ts';
import { type RenameStep, renameJournal } from './journalled-renames.ts';
import { journalPaths, readPlan, type SwapPlan, type SwappedTable, swapRoots, writePlan } from './plan.ts';

/** What a table's directory holds besides its data; it is not swapped. */
export const KEPT_WITH_TABLE = ['snapshots', 'backups'] as const;

export interface SwapOptions {
  journals: string;
  runId: string;
  dataDirectories: string[];
  tables: TableRef[];
  /** Tables of the node itself, by name, that are swapped for nothing. */
  emptiedTables: Array<{ keyspace: string; table: string }>;
  /** Commit log, hints, saved caches. */
  emptiedDirectories: string[];
}

/** Plans once; a plan that was written is what is carried out. */
export async function planSwap(options: SwapOptions): Promise<SwapPlan> {
  const planned = await readPlan(options.journals, options.runId);
  if (planned) return planned;
  const { runId, dataDirectories, journals } = options;
  const tables: SwappedTable[] = [];
  for (const root of dataDirectories) {
    const paths = [
      ...options.tables.map(tablePath),
      ...(await directoriesNamed(root, options.emptiedTables)),
    ];
    for (const path of paths.sort()) {
      const [live, staged] = [join(root, path), join(stagingRoot(root, runId), path)];
      const existed = await isThere(live);
      if (!existed && !(await isThere(staged))) continue;
      const aside = join(asideRoot(root, runId), path);
      tables.push({ live, staged, aside, undone: join(undoneRoot(root, runId), path), existed });
    }
  }
  const emptied = options.emptiedDirectories.map((live) => ({
    live,
    aside: asideRoot(live, runId),
    undone: undoneRoot(live, runId),
  }));
  await writePlan(journals, { runId, dataDirectories, tables, emptied });
  return readPlanAgain(journals, runId);
}

async function readPlanAgain(journals: string, runId: string): Promise<SwapPlan> {
  const plan = await readPlan(journals, runId);
  if (!plan) throw new Error(`the plan of ${runId} was written and is not there`);
  return plan;
}

/** Idempotent. @param beforeTable is called before the first rename of each table */
export async function placeTables(
  journals: string,
  plan: SwapPlan,
  beforeTable: () => Promise<void> = async () => undefined,
): Promise<void> {
  const journal = renameJournal(journalPaths(journals, plan.runId).place);
  if (!(await journal.exists())) {
    await mustGoThroughNoLink(plan);
    await makeTargets(plan);
    await journal.write(await renamesOf(plan));
  }
  const firsts = new Set(plan.tables.map((table) => (table.existed ? table.live : table.staged)));
  await journal.carryOut(async (step) => {
    if (firsts.has(step.from)) await beforeTable();
  });
}

async function renamesOf(plan: SwapPlan): Promise<RenameStep[]> {
  const steps: RenameStep[] = [];
  for (const { live, aside, emptied } of await contentOf(plan)) {
    for (const name of emptied) steps.push({ from: join(live, name), to: join(aside, name) });
  }
  for (const table of plan.tables) {
    if (table.existed) steps.push({ from: table.live, to: table.aside });
    steps.push({ from: table.staged, to: table.live });
    for (const name of KEPT_WITH_TABLE) {
      if (await isThere(join(table.live, name))) {
        steps.push({ from: join(table.aside, name), to: join(table.live, name) });
      }
    }
  }
  return steps;
}

async function contentOf(plan: SwapPlan): Promise<Array<{ live: string; aside: string; emptied: string[] }>> {
  return Promise.all(plan.emptied.map(async (each) => ({ ...each, emptied: await contentIn(each.live) })));
}

/** What is Cassandra's in a directory, in order. */
export async function contentIn(directory: string): Promise<string[]> {
  return (await namesIn(directory)).filter((name) => name !== '.ringvault').sort();
}

/** What is aside could not be deleted there. @throws FileInTheWay */
export async function mustGoThroughNoLink(plan: SwapPlan): Promise<void> {
  for (const root of swapRoots(plan))
    await (await openDirectoryIfThere(dirname(asideRoot(root, plan.runId))))?.close();
}

/** Every directory that a rename goes into, and an empty one where nothing is staged. */
async function makeTargets(plan: SwapPlan): Promise<void> {
  for (const { live, aside } of plan.emptied) {
    if (await isThere(live)) await makeDirectory(aside);
  }
  for (const table of plan.tables) {
    const ownership = await ownershipOf(rootOf(plan, table));
    await makeOwnedDirectory(table.staged, ownership);
    await makeOwnedDirectory(dirname(table.live), ownership);
    await makeOwnedDirectory(dirname(table.aside), ownership);
  }
}

export function rootOf(plan: SwapPlan, table: SwappedTable): string {
  const root = plan.dataDirectories.find((directory) => table.live.startsWith(`${directory}/`));
  if (!root) throw new Error(`${table.live} is in none of the data directories of its own plan`);
  return root;
}

/** `<keyspace>/<table>-<id>` of tables known by name, whatever their IDs. */
async function directoriesNamed(
  root: string,
  tables: Array<{ keyspace: string; table: string }>,
): Promise<string[]> {
  const found: string[] = [];
  for (const { keyspace, table } of tables) {
    for (const name of await contentIn(join(root, keyspace))) {
      if (parseTableDirectory(name)?.table === table) found.push(`${keyspace}/${basename(name)}`);
    }
  }
  return found;
}

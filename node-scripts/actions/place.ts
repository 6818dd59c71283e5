// place: swaps the staged data in, journalled, with Cassandra stopped; then looks whether every file is where it must be.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { mustBeStopped } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { forget } from '../increments/memory.ts';
import { mustHaveNoNode } from '../new-host.ts';
import { renameJournal } from '../swap/journalled-renames.ts';
import { placeTables, planSwap } from '../swap/place-tables.ts';
import { journalPaths } from '../swap/plan.ts';
import { mustHoldAll } from '../transfer/held-files.ts';
import { useUpStaging } from '../transfer/kept-staging.ts';
import { linkedBefore } from '../transfer/local-files.ts';
import { mapDataDirectories, stagingRoot } from '../transfer/placement.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { inVaultOf } from '../transfer/source-vault.ts';
import { giveStagingAway } from '../transfer/staging-root.ts';

type Input = ActionInput<'place'>;

export async function place(context: ActionContext, input: Input): Promise<ActionOutput<'place'>> {
  await mustBeAllowed(context);
  const { paths, document } = context;
  const backup = await readNodeChain(inVaultOf(context, input.sources), input.sources);
  const directories = await nodeDirectories(context);
  const { data, commitLog, hints, savedCaches } = directories;
  const mapped = mapDataDirectories(backup.header, directories);
  const staged = mapped.map((root) => stagingRoot(root, document.runId));
  const hasBegun = await renameJournal(journalPaths(paths.journals, document.runId).place).exists();
  if (!hasBegun) await mustHoldAll(context, backup, input.tables, staged, 'staging', linkedBefore(staged));
  await context.beforeDestroying('swap restored data in');
  await mustBeStopped(context);
  if (!hasBegun && input.newHost) await mustHaveNoNode(directories);
  const plan = await planSwap({
    journals: paths.journals,
    runId: document.runId,
    dataDirectories: data,
    tables: input.tables,
    emptiedTables: input.emptied,
    emptiedDirectories: [commitLog, hints, savedCaches],
  });
  // No increment goes on from what was there.
  await forget(context);
  await useUpStaging(context);
  if (!hasBegun) await giveStagingAway(mapped, document.runId);
  await placeTables(paths.journals, plan, async () => {
    await context.beforeDestroying('swap a restored table in');
    await context.failPoint('place.table');
  });
  const total = await mustHoldAll(context, backup, input.tables, mapped, 'place');
  return { tables: plan.tables.length, ...total };
}

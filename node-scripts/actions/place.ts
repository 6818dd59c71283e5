// place: swaps the staged data in, journalled, with Cassandra stopped; then looks whether every file is where it must be.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { RestoreIncomplete } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { mustBeStopped } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { isMissingFile } from '../durable-files.ts';
import { mustBeAllowed } from '../guard.ts';
import { forget } from '../increments/memory.ts';
import { renameJournal } from '../swap/journalled-renames.ts';
import { placeTables, planSwap } from '../swap/place-tables.ts';
import { journalPaths } from '../swap/plan.ts';
import { linkedBefore } from '../transfer/local-files.ts';
import { filesOfTables, mapDataDirectories, stagingRoot } from '../transfer/placement.ts';
import type { NodeBackup } from '../transfer/read-backup.ts';
import { readNodeChain } from '../transfer/read-chain.ts';

type Input = ActionInput<'place'>;

export async function place(context: ActionContext, input: Input): Promise<ActionOutput<'place'>> {
  await mustBeAllowed(context);
  const { paths, document } = context;
  const backup = await readNodeChain(context, input.sources);
  const { data, commitLog, hints, savedCaches } = await nodeDirectories(context);
  const mapped = mapDataDirectories(backup.header, data);
  const staged = mapped.map((root) => stagingRoot(root, document.runId));
  const hasBegun = await renameJournal(journalPaths(paths.journals, document.runId).place).exists();
  if (!hasBegun) await mustHoldAll(context, backup, input, staged, 'staging', linkedBefore(staged));
  await context.beforeDestroying('swap restored data in');
  await mustBeStopped(context);
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
  await placeTables(paths.journals, plan, async () => {
    await context.beforeDestroying('swap a restored table in');
    await context.failPoint('place.table');
  });
  const total = await mustHoldAll(context, backup, input, mapped, 'place');
  return { tables: plan.tables.length, ...total };
}

/** @param roots by the backup's data directory @throws RestoreIncomplete */
async function mustHoldAll(
  context: ActionContext,
  backup: NodeBackup,
  input: Input,
  roots: string[],
  where: 'staging' | 'place',
  linkedBefore = Number.POSITIVE_INFINITY,
): Promise<{ files: number; bytes: number }> {
  const total = { files: 0, bytes: 0 };
  for await (const file of filesOfTables(backup.files(), input.tables)) {
    context.signal.throwIfAborted();
    await mustHold(join(roots[file.dataDirectory] ?? '', file.path), file, where, linkedBefore);
    total.files += 1;
    total.bytes += file.sizeBytes;
  }
  return total;
}

async function mustHold(path: string, file: ListedFile, where: string, linkedBefore: number): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (isMissingFile(error)) return undefined;
    throw error;
  });
  // Cassandra had it too, until it was stopped.
  if (found && found.nlink > 1 && found.mtimeMs >= linkedBefore) {
    const changed = found.mtime.toISOString();
    throw new RestoreIncomplete(`${path}: it was changed at ${changed}, expected none after it was verified`);
  }
  if (found?.size === file.sizeBytes) return;
  const got = found === undefined ? 'no file' : `${found.size} bytes`;
  throw new RestoreIncomplete(`${path}: got ${got} in ${where}, expected ${file.sizeBytes} bytes`);
}

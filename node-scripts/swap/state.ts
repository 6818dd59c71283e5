// How the swap of a restore stands on this host, as its journals say.
import type { SwapState } from '../../contracts/actions.ts';
import { SwapConflict } from '../../contracts/errors.ts';
import { isThere, namesIn } from '../durable-files.ts';
import { renameJournal } from './journalled-renames.ts';
import { journalPaths } from './plan.ts';

export async function swapState(journals: string, restoreRunId: string): Promise<SwapState> {
  const paths = journalPaths(journals, restoreRunId);
  const [place, putBack] = [renameJournal(paths.place), renameJournal(paths.putBack)];
  if (await isThere(paths.released)) return 'released';
  if (await putBack.exists()) return (await putBack.isDone()) ? 'put-back' : 'partly-put-back';
  if (await place.exists()) return (await place.isDone()) ? 'placed' : 'partly-placed';
  return 'none';
}

/** @throws SwapConflict where any restore's swap is half done on this host */
export async function mustBeWhole(journals: string): Promise<void> {
  const names = await namesIn(journals);
  for (const name of names) {
    const runId = /^(.+)\.place\.json$/.exec(name)?.[1];
    const state = runId && (await swapState(journals, runId));
    if (state === 'partly-placed' || state === 'partly-put-back') {
      throw new SwapConflict(
        `the swap of restore ${runId} is ${state} on this host: Cassandra must not be started`,
      );
    }
  }
}

// Which restore an undo or a release is about.
import { NothingToUndo } from '../../contracts/errors.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

/** @param restoreRunId or `latest`. @throws NothingToUndo */
export async function findRestore(
  { catalog }: Pick<StepPorts, 'catalog'>,
  clusterId: string,
  operation: 'undo' | 'release',
  restoreRunId: string,
): Promise<RunRecord & { backupId: string }> {
  const restores = (await catalog.listRuns(clusterId, { workflow: 'restore' })).filter((run) => run.undo);
  const open = restores.filter((run) => run.undo === 'possible');
  const named = restores.find((run) => run.runId === restoreRunId);
  const found = restoreRunId === 'latest' ? open[0] : named;
  if (!found?.backupId) {
    throw new NothingToUndo(
      restoreRunId === 'latest'
        ? `cluster "${clusterId}" has no restore whose data from before is kept`
        : `${restoreRunId} is no restore of cluster "${clusterId}" that placed data`,
    );
  }
  // Released on some hosts only, where a release was stopped: it may be released again.
  const again = operation === 'release' && found.undo === 'released';
  if (found.undo !== 'possible' && !again) {
    throw new NothingToUndo(`restore ${found.runId} was ${found.undo} already`);
  }
  const newer = open.find((run) => run.runId > found.runId);
  if (operation === 'undo' && newer) {
    throw new NothingToUndo(
      `restore ${newer.runId} came after ${found.runId}: undo or release that one first`,
    );
  }
  return { ...found, backupId: found.backupId };
}

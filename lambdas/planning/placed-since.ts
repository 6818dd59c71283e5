// Restores and undos that have placed data since, or may have: as the history knows them.
import type { RunRecord } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { FROM_STOP } from './swap-phases.ts';

/** @param id of the run that came before. Newest first */
export async function placedSince(
  { catalog }: Pick<StepPorts, 'catalog'>,
  clusterId: string,
  id: string,
): Promise<RunRecord[]> {
  const restores = await catalog.listRuns(clusterId, { workflow: 'restore' });
  const placed: RunRecord[] = [];
  for (const restore of restores) {
    // Also one of a later ID: the run may have waited for the cluster while it was restored.
    if (restore.runId < id || !mayPlace(restore)) continue;
    const nodes = await catalog.listNodes(restore.runId);
    if (restore.status === 'COMPLETED' || nodes.some(({ phase }) => FROM_STOP.includes(phase)))
      placed.push(restore);
  }
  return placed;
}

export const operationOf = ({ request }: RunRecord) => String(request['operation'] ?? 'restore');

function mayPlace(run: RunRecord): boolean {
  const { dryRun, stopAfterStep } = run.request;
  return operationOf(run) !== 'release' && dryRun !== true && !stopAfterStep;
}

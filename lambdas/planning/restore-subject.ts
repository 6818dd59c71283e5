// Which restore an undo or a release is about, and which of its nodes are still there.
import { NothingToUndo } from '../../contracts/errors.ts';
import { isKeptFor, type RunRecord } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { placedSince } from './placed-since.ts';
import type { MappedNode, MatchedNodes } from './restore-nodes.ts';

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
  const newest = restores.find((run) => isKeptFor(operation, run));
  const found = restoreRunId === 'latest' ? newest : named;
  if (!found?.backupId) {
    throw new NothingToUndo(
      restoreRunId === 'latest'
        ? `cluster "${clusterId}" has no restore of which anything is kept to ${operation}`
        : `${restoreRunId} is no restore of cluster "${clusterId}" that placed data`,
    );
  }
  // One that is released already may be so on some hosts only, where the release was stopped.
  if (operation === 'undo' && found.undo !== 'possible') {
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

/**
 * What is kept of the data from before is on the hosts that were restored. A dead node came back on another; and what tells the
 * nodes of another cluster's backup, their tokens, a node has too that took the place of one that was restored.
 */
export async function stillThere(
  ports: Pick<StepPorts, 'catalog'>,
  { clusterId, runId }: Pick<RunRecord, 'clusterId' | 'runId'>,
  { mapped, problems }: MatchedNodes,
  isOfOthers: boolean,
): Promise<Pick<MatchedNodes, 'mapped' | 'problems'>> {
  const restored = new Set((await ports.catalog.listNodes(runId)).map(({ hostId }) => hostId));
  const since = await placedSince(ports, clusterId, runId);
  const cameBack = new Set(
    since.filter(({ request }) => request['deadNode']).flatMap(({ selection }) => selection?.nodes ?? []),
  );
  const isNew = ({ header }: MappedNode) =>
    cameBack.has(header.hostId) || (isOfOthers && !restored.has(header.hostId));
  const inPlaceOfOthers = mapped
    .filter(isNew)
    .map(
      ({ described: { host }, header }) =>
        `got ${host.instanceId} with host ID ${header.hostId}, which was not restored there`,
    );
  return { mapped: mapped.filter((node) => !isNew(node)), problems: [...problems, ...inPlaceOfOthers] };
}

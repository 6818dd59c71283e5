// Nodes of a run that came to no good end: which failed, and which were stopped because of it.
import { isFinal, outcomeOf } from '../../adapters/catalog-items.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

export async function unfinishedNodes(
  { catalog }: Pick<StepPorts, 'catalog'>,
  { runId, endedAt }: Pick<RunRecord, 'runId' | 'endedAt'>,
): Promise<NodeOutcome[]> {
  const items = await catalog.listNodes(runId);
  return items
    .map(outcomeOf)
    .map((outcome) =>
      isFinal(outcome) ? outcome : { ...outcome, status: 'CANCELLED', ...(endedAt && { endedAt }) },
    );
}

/** What was asked of a node and did not fail is done, where its run is. */
export function reachedNode(node: NodeOutcome, endedAt: string | undefined): NodeOutcome {
  if (isFinal(node)) return node;
  const status = node.status === 'STARTED' ? 'COMPLETED' : 'CANCELLED';
  return { ...node, status, ...(endedAt && { endedAt }) };
}

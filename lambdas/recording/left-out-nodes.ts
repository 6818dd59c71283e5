// Hosts that were asked who they are, and that the run's plan then left out: that is all that became of them.
import { outcomeOf } from '../../adapters/catalog-items.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { reachedNode } from './unfinished-nodes.ts';

/** @returns sorted by instance ID */
export async function withNodesLeftOut(
  { catalog }: Pick<StepPorts, 'catalog'>,
  { runId, endedAt }: Pick<RunRecord, 'runId' | 'endedAt'>,
  planned: readonly NodeOutcome[],
): Promise<NodeOutcome[]> {
  const inPlan = new Set(planned.map((node) => node.instanceId));
  const leftOut = (await catalog.listNodes(runId))
    .map(outcomeOf)
    .filter((node) => !inPlan.has(node.instanceId))
    .map((node) => reachedNode(node, endedAt));
  return [...planned, ...leftOut].sort((one, other) => (one.instanceId < other.instanceId ? -1 : 1));
}

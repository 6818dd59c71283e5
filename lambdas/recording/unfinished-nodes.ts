// Nodes of a run that came to no good end: which failed, and which were stopped because of it.
import { outcomeOf } from '../../adapters/catalog-items.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

export async function unfinishedNodes(
  { catalog }: Pick<StepPorts, 'catalog'>,
  { runId }: Pick<RunRecord, 'runId'>,
): Promise<NodeOutcome[]> {
  const items = await catalog.listNodes(runId);
  return items
    .map(outcomeOf)
    .map((outcome) => (outcome.status === 'STARTED' ? { ...outcome, status: 'CANCELLED' } : outcome));
}

// When each node's part in a run began and ended: by the catalog, and by the host's own last word of the action that decided.
import pMap from 'p-map';
import { actionIdOf } from '../../contracts/identifiers.ts';
import type { Host } from '../../contracts/plans.ts';
import { type NodeOutcome, progress, type RunRecord } from '../../contracts/runs.ts';
import { findDocument } from '../vault/documents.ts';
import { READS_AT_ONCE } from '../vault/results.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog'>;

/** Of nodes that completed; a host whose last word was lost ended with its run, at the latest. */
export async function withTimes(
  ports: Ports,
  { runId, endedAt }: Pick<RunRecord, 'runId' | 'endedAt'>,
  nodes: readonly { host: Pick<Host, 'instanceArn'>; outcome: NodeOutcome }[],
): Promise<NodeOutcome[]> {
  const known = new Map((await ports.catalog.listNodes(runId)).map((node) => [node.instanceId, node]));
  return pMap(
    nodes,
    async ({ host, outcome }) => {
      const key = ports.layout.progress(host.instanceArn, actionIdOf(runId, outcome.phase));
      const last = await findDocument(ports, key, progress);
      const startedAt = known.get(outcome.instanceId)?.startedAt;
      const ended = last?.state === 'succeeded' ? last.updatedAt : endedAt;
      return { ...outcome, ...(startedAt && { startedAt }), ...(ended && { endedAt: ended }) };
    },
    { concurrency: READS_AT_ONCE },
  );
}

// `ringvault list [cluster]`: the history, newest first, of one cluster or of all.
import type { RunStatus, WorkflowName } from '../../contracts/runs.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { knownClusters, requireCluster } from '../lookup.ts';
import { runsTable } from '../render/tables.ts';

interface ListOptions {
  workflow?: WorkflowName;
  status?: RunStatus;
  limit: number;
}

/** @throws UnknownCluster */
export async function list(
  session: Session,
  clusterId: string | undefined,
  { limit, ...filter }: ListOptions,
): Promise<Answer> {
  const { deployment } = session;
  const clusters = clusterId ? [clusterId] : await knownClusters(deployment);
  const histories = await Promise.all(
    clusters.map((each) => deployment.catalog.listRuns(each, { ...filter, limit })),
  );
  const runs = histories
    .flat()
    .sort((one, other) => other.startedAt.localeCompare(one.startedAt))
    .slice(0, limit);
  if (clusterId && runs.length === 0) await requireCluster(deployment, clusterId);
  return { document: { runs }, text: runs.length > 0 ? runsTable(runs) : nothingFound(filter, clusters) };
}

function nothingFound(filter: Omit<ListOptions, 'limit'>, clusters: string[]): string {
  if (filter.workflow || filter.status) return 'No run matches.';
  return clusters.length > 0
    ? 'No run yet.'
    : 'No run yet. Start a backup with: ringvault backup <cluster>, a cluster ID of ringvault.yaml';
}

// `ringvault list [cluster]`: the history, newest first, of one cluster or of all.
import type { RunFilter } from '../../adapters/ports.ts';
import { UnknownBackup, UnknownNode } from '../../contracts/errors.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { knownClusters, requireCluster } from '../lookup.ts';
import { runsTable } from '../render/tables.ts';

type ListOptions = RunFilter & { limit: number };

/** @throws UnknownCluster UnknownBackup UnknownNode */
export async function list(
  { deployment }: Session,
  clusterId: string | undefined,
  options: ListOptions,
): Promise<Answer> {
  const clusters = clusterId ? [clusterId] : await knownClusters(deployment);
  const find = async (filter: ListOptions): Promise<RunRecord[]> => {
    const histories = await Promise.all(clusters.map((each) => deployment.catalog.listRuns(each, filter)));
    return histories
      .flat()
      .sort((one, other) => other.startedAt.localeCompare(one.startedAt))
      .slice(0, filter.limit);
  };
  const runs = await find(options);
  if (runs.length > 0) return { document: { runs }, text: runsTable(runs) };
  if (clusterId) await requireCluster(deployment, clusterId);
  const { node, backupId, workflow, kind, status } = options;
  const within = clusterId ? `cluster "${clusterId}"` : 'the history';
  const filters = [node, backupId, workflow, kind, status].filter(Boolean).length;
  // With no other filter that is what was asked just now.
  const isUnknown = async (filter: RunFilter) =>
    filters === 1 || (await find({ ...filter, limit: 1 })).length === 0;
  if (node && (await isUnknown({ node }))) throw new UnknownNode(`${within} has no run with node ${node}`);
  if (backupId && (await isUnknown({ backupId })))
    throw new UnknownBackup(`${within} has no backup ${backupId}`);
  return { document: { runs }, text: filters > 0 ? 'No run matches.' : noneYet(clusters) };
}

function noneYet(clusters: string[]): string {
  return clusters.length > 0
    ? 'No run yet.'
    : 'No run yet. Start a backup with: ringvault backup <cluster>, a cluster ID of ringvault.yaml';
}

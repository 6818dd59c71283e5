// Finding what a person names: clusters, runs and backups, or saying by name that there is none.
import { parseDocument } from '../contracts/documents.ts';
import {
  NoBackup,
  NothingToUndo,
  UnknownBackup,
  UnknownCluster,
  UnknownRegistration,
  UnknownRun,
} from '../contracts/errors.ts';
import { latestBackup } from '../contracts/latest-backup.ts';
import { type ClusterManifest, clusterManifest } from '../contracts/manifests.ts';
import type { RegisteredSummary } from '../contracts/registrations.ts';
import { isKeptFor, type RunRecord } from '../contracts/runs.ts';
import type { Deployment } from './deployment.ts';

/** Clusters that had a run: the first claim of a cluster writes its configuration to the vault. */
export async function knownClusters({ store, layout }: Deployment): Promise<string[]> {
  const found: string[] = [];
  for await (const prefix of store.list(layout.clusters, { delimiter: '/' })) {
    found.push(prefix.slice(layout.clusters.length).replace(/\/$/, ''));
  }
  return found;
}

/** @throws UnknownCluster */
export async function requireCluster(deployment: Deployment, clusterId: string): Promise<void> {
  const known = await knownClusters(deployment);
  if (known.includes(clusterId)) return;
  throw new UnknownCluster(
    `got cluster "${clusterId}", expected one that had a run: ${known.join(', ') || 'there is none yet'}`,
  );
}

/** @throws UnknownCluster UnknownRegistration */
export async function requireRegistration(
  deployment: Deployment,
  clusterId: string,
): Promise<RegisteredSummary> {
  const known = await deployment.catalog.readRegistration(clusterId);
  if (known) return known;
  await requireCluster(deployment, clusterId);
  throw new UnknownRegistration(`cluster "${clusterId}" is not registered`);
}

/**
 * The run named; or the one that has the cluster; or the newest that is no Recover, which follows what people ask about.
 * @throws UnknownCluster UnknownRun
 */
export async function requireRun(
  deployment: Deployment,
  clusterId: string,
  runId: string | undefined,
): Promise<RunRecord> {
  const run = runId
    ? await deployment.catalog.readRun(clusterId, runId)
    : ((await holder(deployment, clusterId)) ?? (await newestAsked(deployment, clusterId)));
  if (run) return run;
  await requireCluster(deployment, clusterId);
  throw new UnknownRun(
    runId ? `cluster "${clusterId}" has no run ${runId}` : `cluster "${clusterId}" has no run yet`,
  );
}

/** A newer one may be waiting for it, or was refused because of it. */
async function holder({ catalog }: Deployment, clusterId: string): Promise<RunRecord | undefined> {
  const lock = await catalog.readLock(clusterId);
  return lock && catalog.readRun(clusterId, lock.subjectRunId ?? lock.runId);
}

async function newestAsked({ catalog }: Deployment, clusterId: string): Promise<RunRecord | undefined> {
  const runs = await catalog.listRuns(clusterId, { limit: 20 });
  return runs.find((run) => run.workflow !== 'recover') ?? runs[0];
}

/**
 * The restore named (the workflow says whether it can be undone or released), or the newest that can.
 * @throws UnknownCluster UnknownRun NothingToUndo
 */
export async function requireKeptRestore(
  deployment: Deployment,
  clusterId: string,
  operation: 'undo' | 'release',
  runId: string | undefined,
): Promise<RunRecord> {
  if (runId) {
    return requireRun(deployment, clusterId, runId);
  }
  const restores = await deployment.catalog.listRuns(clusterId, { workflow: 'restore' });
  const kept = restores.find((run) => isKeptFor(operation, run));
  if (kept) return kept;
  await requireCluster(deployment, clusterId);
  throw new NothingToUndo(`cluster "${clusterId}" has no restore of which anything is kept to ${operation}`);
}

/**
 * The manifest of a sealed backup; its existence in the vault is what makes it restorable.
 * @throws UnknownCluster UnknownBackup NoBackup
 */
export async function requireBackup(
  deployment: Deployment,
  clusterId: string,
  backupId: string,
): Promise<ClusterManifest> {
  if (backupId !== 'latest') {
    const manifest = await readManifest(deployment, clusterId, backupId);
    if (manifest) return manifest;
    await requireCluster(deployment, clusterId);
    throw new UnknownBackup(`cluster "${clusterId}" has no sealed backup ${backupId}`);
  }
  const latest = await latestBackup(await newestFirst(deployment, clusterId), (candidate) =>
    readManifest(deployment, clusterId, candidate),
  );
  if (latest) return latest;
  await requireCluster(deployment, clusterId);
  throw new NoBackup(`cluster "${clusterId}" has no sealed backup that is not of a part of it`);
}

async function newestFirst({ store, layout }: Deployment, clusterId: string): Promise<string[]> {
  const prefix = layout.backups(clusterId);
  const found: string[] = [];
  for await (const each of store.list(prefix, { delimiter: '/' })) {
    found.push(each.slice(prefix.length).replace(/\/$/, ''));
  }
  return found.sort().reverse();
}

async function readManifest(
  { store, layout }: Deployment,
  clusterId: string,
  backupId: string,
): Promise<ClusterManifest | undefined> {
  const key = layout.clusterManifest(clusterId, backupId);
  const stored = await store.get(key);
  return stored && parseDocument(clusterManifest, stored.body.toString(), key);
}

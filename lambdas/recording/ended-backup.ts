// What a backup's record says at its end: by the vault, whatever happened to its execution.
import { BackupIncomplete } from '../../contracts/errors.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import { type BackupPlan, backupPlan } from '../../contracts/plans.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
import { readDocument } from '../vault/documents.ts';
import { findResult, readResults } from '../vault/results.ts';
import { findManifest } from '../vault/sealed-backups.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { mergeWarnings } from './keep-record.ts';
import { unfinishedNodes } from './unfinished-nodes.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog'>;

/** @throws BackupIncomplete where it is to be COMPLETED and is not sealed */
export async function endedBackup(ports: Ports, base: RunRecord): Promise<RunRecord> {
  const { clusterId, runId } = base;
  if (base.status !== 'COMPLETED') return { ...base, nodes: await unfinishedNodes(ports, base) };
  const manifest = await findManifest(ports, clusterId, runId);
  if (!manifest) throw new BackupIncomplete(`backup ${runId} has no cluster manifest, expected a sealed one`);
  const plan = await readDocument(ports, ports.layout.plan(clusterId, runId), backupPlan);
  const { error: _, ...succeeded } = base;
  return { ...succeeded, ...totals(manifest), ...(await nodesOf(ports, plan, base.warnings)) };
}

function totals({ backupId, snapshotSpreadMs, files, bytes }: ClusterManifest) {
  return { backupId, snapshotSpreadMs, files, bytes };
}

async function nodesOf(
  ports: Ports,
  plan: BackupPlan,
  known: readonly string[],
): Promise<Pick<RunRecord, 'nodes' | 'uploadedBytes' | 'warnings'>> {
  const { runId, nodes: hosts } = plan;
  const uploads = await readResults(ports, 'upload', { runId, phase: 'upload', hosts });
  const nodes = uploads.map(({ host: { instanceId, hostId }, result }): NodeOutcome => {
    const { files, bytes, uploadedBytes } = result;
    return { instanceId, hostId, status: 'COMPLETED', phase: 'upload', files, bytes, uploadedBytes };
  });
  const tampered = uploads.flatMap(({ host, result }) =>
    result.tampered.map((key) => `${host.instanceId} found ${key} with other bytes than its name says`),
  );
  const rotten = uploads
    .filter(({ result }) => result.rottenFiles > 0)
    .map(
      ({ host, result: { rottenFiles, rotten } }) =>
        `${host.instanceId} has ${rottenFiles} files that rotted on its disk: ${rotten.join(', ')}${rottenFiles > rotten.length ? ', …' : ''}`,
    );
  return {
    nodes: sortedByInstance(nodes),
    uploadedBytes: uploads.reduce((sum, { result }) => sum + result.uploadedBytes, 0),
    warnings: mergeWarnings(known, [
      ...plan.warnings,
      ...tampered,
      ...rotten,
      ...(await lateSnapshots(ports, plan)),
    ]),
  };
}

async function lateSnapshots(ports: Ports, { runId, round, nodes }: BackupPlan): Promise<string[]> {
  const actionId = actionIdOf(runId, `snapshot-${round}`);
  const late = [];
  for (const { instanceArn, instanceId } of nodes) {
    const result = await findResult(ports, 'snapshot', { instanceArn, actionId });
    if (result?.late)
      late.push(`${instanceId} was late: asked ${result.times.askedAt}, began ${result.times.startedAt}`);
  }
  return late;
}

export function sortedByInstance<Node extends { instanceId: string }>(nodes: readonly Node[]): Node[] {
  return [...nodes].sort((one, other) => (one.instanceId < other.instanceId ? -1 : 1));
}

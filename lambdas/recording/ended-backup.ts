// What a backup's record says at its end: by the vault, whatever happened to its execution.
import { BackupIncomplete } from '../../contracts/errors.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import type { MeasuredPause } from '../../contracts/pause.ts';
import { type BackupPlan, backupPlan } from '../../contracts/plans.ts';
import type { NodeOutcome, RunRecord } from '../../contracts/runs.ts';
import { readDocument } from '../vault/documents.ts';
import { findResult, readResults } from '../vault/results.ts';
import { findManifest } from '../vault/sealed-backups.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { mergeWarnings } from './keep-record.ts';
import { withNodesLeftOut } from './left-out-nodes.ts';
import { withTimes } from './node-times.ts';
import { changesSeen } from './registrations.ts';
import { unfinishedNodes } from './unfinished-nodes.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog' | 'clock'>;

/** @throws BackupIncomplete where it is to be COMPLETED and is not sealed */
export async function endedBackup(ports: Ports, base: RunRecord): Promise<RunRecord> {
  const { clusterId, runId } = base;
  if (base.status !== 'COMPLETED') return { ...base, nodes: await unfinishedNodes(ports, base) };
  const manifest = await findManifest(ports, clusterId, runId);
  if (!manifest) throw new BackupIncomplete(`backup ${runId} has no cluster manifest, expected a sealed one`);
  const plan = await readDocument(ports, ports.layout.plan(clusterId, runId), backupPlan);
  const { error: _, failedStep: __, ...succeeded } = base;
  const { changes, warnings } = await changesSeen(ports, plan);
  const ended = await nodesOf(ports, plan, base);
  return {
    ...{ ...succeeded, ...totals(manifest), ...ended, ...(changes && { changes }) },
    warnings: mergeWarnings(ended.warnings, warnings),
  };
}

function totals({ pause, base, ...manifest }: ClusterManifest) {
  const { backupId, kind, snapshotSpreadMs, selection, leftOut, files, bytes } = manifest;
  return {
    ...{ backupId, kind, snapshotSpreadMs, selection, leftOut, files, bytes },
    ...(base && { baseBackupId: base.backupId }),
    ...(pause && { pause: pauseTotals(pause) }),
  };
}

function pauseTotals({ applications }: MeasuredPause): RunRecord['pause'] {
  const longestMs = Math.max(0, ...applications.map(({ pausedMs = 0 }) => pausedMs));
  return { applications: applications.length, longestMs };
}

const NOTHING_WRITTEN = 'Nothing was written since the backup before: it holds no file';

async function nodesOf(
  ports: Ports,
  plan: BackupPlan,
  base: RunRecord,
): Promise<Pick<RunRecord, 'nodes' | 'uploadedBytes' | 'warnings'>> {
  const { runId, nodes: hosts } = plan;
  const uploads = await readResults(ports, 'upload', { runId, phase: 'upload', hosts });
  const stored = uploads.map(({ host, result: { files, bytes, uploadedBytes } }) => {
    const { instanceId, hostId } = host;
    const outcome: NodeOutcome = { instanceId, hostId, status: 'COMPLETED', phase: 'upload' };
    return { host, outcome: { ...outcome, files, bytes, uploadedBytes } };
  });
  const nodes = await withTimes(ports, base, stored);
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
    nodes: await withNodesLeftOut(ports, base, nodes),
    uploadedBytes: uploads.reduce((sum, { result }) => sum + result.uploadedBytes, 0),
    warnings: mergeWarnings(base.warnings, [
      ...plan.warnings,
      ...(plan.kind === 'incremental' && uploads.every(({ result }) => result.files === 0)
        ? [NOTHING_WRITTEN]
        : []),
      ...tampered,
      ...rotten,
      ...(await lateSnapshots(ports, plan)),
      ...(await collectedIncrements(ports, plan)),
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

async function collectedIncrements(
  ports: Ports,
  { runId, round, nodes, kind }: BackupPlan,
): Promise<string[]> {
  const told = [];
  for (const { instanceArn, instanceId } of nodes) {
    const ofRound = (each: number) =>
      findResult(ports, 'collect-increments', {
        instanceArn,
        actionId: actionIdOf(runId, `collect-increments-${each}`),
      });
    const results = await Promise.all(Array.from({ length: round }, (_, index) => ofRound(index + 1)));
    if (results.some((each) => each?.turnedOn))
      told.push(`${instanceId}: incremental backups were off and were turned on`);
    const result = results.at(-1);
    if (kind === 'incremental' && result?.unfinished)
      told.push(
        `${instanceId}: ${result.unfinished} SSTables were not whole yet, the next incremental takes them`,
      );
  }
  return told;
}

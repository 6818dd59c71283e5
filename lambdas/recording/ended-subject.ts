// What the record of a run says that Recover brought to its end.

import { InvalidDocument } from '../../contracts/errors.ts';
import { type RecoveryPlan, recoveryPlan } from '../../contracts/plans.ts';
import type { RunRecord, RunRef, RunStatus } from '../../contracts/runs.ts';
import { findSubjectPlan } from '../planning/subject-plan.ts';
import { findDocument } from '../vault/documents.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { endedBackup } from './ended-backup.ts';
import { aboutOf, keepsOldData } from './ended-restore.ts';
import { mergeWarnings } from './keep-record.ts';
import { unfinishedNodes } from './unfinished-nodes.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog' | 'clock'>;

export function recoveryOf(
  ports: Pick<StepPorts, 'vault' | 'layout'>,
  run: RunRef,
): Promise<RecoveryPlan | undefined> {
  return findDocument(ports, ports.layout.plan(run.clusterId, run.runId), recoveryPlan);
}

/** @throws InvalidDocument where the subject's history was not begun: ClaimRecovery begins it */
export async function endedSubject(
  ports: Ports,
  clusterId: string,
  { runId, status }: { runId: string; status: RunStatus },
  recovery: RecoveryPlan | undefined,
): Promise<RunRecord> {
  const begun = await ports.catalog.readRun(clusterId, runId);
  if (!begun)
    throw new InvalidDocument(`the catalog has no run ${runId}, expected the run that is recovered`);
  const base: RunRecord = {
    ...begun,
    status,
    endedAt: ports.clock.now().toISOString(),
    ...(status === 'FAILED' && { error: begun.error ?? NO_CAUSE }),
    warnings: mergeWarnings(begun.warnings, recovery?.warnings ?? []),
  };
  if (begun.workflow === 'backup') return endedBackup(ports, base);
  const plan = begun.workflow === 'restore' ? await findSubjectPlan(ports, clusterId, runId) : undefined;
  const nodes = await unfinishedNodes(ports, base);
  if (plan?.workflow !== 'restore') return { ...base, nodes };
  const { undo: _, ...about } = aboutOf(plan);
  const placed = keepsOldData(plan) && recovery?.direction === 'forward';
  return { ...base, ...about, ...(placed && { undo: 'possible' as const }), nodes };
}

const NO_CAUSE = {
  errorName: 'UnexpectedError',
  message: 'the execution ended without telling why: it timed out, or could not go on',
  hint: 'Look at the execution in the Step Functions console, then start again.',
};

/** An undo or release changes what may still be undone, in the history of the restore that it is about. */
export async function tellRestore(
  { catalog }: Pick<StepPorts, 'catalog'>,
  record: RunRecord,
  recovery?: RecoveryPlan,
): Promise<void> {
  const operation = record.request['operation'];
  if (!record.restoreRunId || record.request['dryRun']) return;
  const tell = (undo: 'undone' | 'released') =>
    catalog.amendRun(record.clusterId, record.restoreRunId ?? '', { undo });
  const completed = record.status === 'COMPLETED';
  if (operation === 'undo' && (completed || recovery?.direction === 'back')) await tell('undone');
  // Where one host's old data is gone, the restore cannot be undone as a whole any more.
  if (operation === 'release' && (completed || recovery?.releasedHosts.length)) await tell('released');
}

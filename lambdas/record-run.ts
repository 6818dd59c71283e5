// RecordRun: the immutable record in the vault, then the catalog. Of a Recover run: of its subject first, then its own.
import { outcomeOf } from '../adapters/catalog-items.ts';
import type { NodeOutcome, RunRecord, RunRef } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { begunRecord } from './locking/begin-run.ts';
import { requireLock } from './locking/held-lock.ts';
import { endedBackup } from './recording/ended-backup.ts';
import { endedRestore } from './recording/ended-restore.ts';
import { endedSubject, recoveryOf, tellRestore } from './recording/ended-subject.ts';
import { keepRecord, mergeWarnings } from './recording/keep-record.ts';
import { changesKept, tellRegistration } from './recording/registrations.ts';
import { reachedNode } from './recording/unfinished-nodes.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws RunEnded BackupIncomplete */
export async function recordRun(
  input: StepInput<'RecordRun'>,
  ports: StepPorts,
): Promise<StepOutput<'RecordRun'>> {
  const { run, recovered } = input;
  await requireLock(ports, run);
  const begun = await readBegun(ports, run);
  if (recovered) {
    const recovery = await recoveryOf(ports, run);
    const subject = await keepRecord(ports, await endedSubject(ports, run.clusterId, recovered, recovery));
    await tellRestore(ports, subject, recovery);
    await tellRegistration(ports, subject);
    await endEarlierRecoveries(ports, run, recovered.runId);
  }
  const kept = await keepRecord(ports, await ended(input, begun, ports));
  if (kept.workflow === 'restore') await tellRestore(ports, kept);
  await tellRegistration(ports, kept);
  return { status: kept.status };
}

async function readBegun({ catalog }: StepPorts, run: RunRef): Promise<RunRecord> {
  const known = await catalog.readRun(run.clusterId, run.runId);
  return known ?? begunRecord(run, 'STARTED', { clusterId: run.clusterId });
}

/** A Recover run that died was itself taken over: nobody else ends its history. */
async function endEarlierRecoveries(ports: StepPorts, run: RunRef, subjectRunId: string): Promise<void> {
  const begun = await ports.catalog.listRuns(run.clusterId, { workflow: 'recover', status: 'STARTED' });
  for (const earlier of begun) {
    if (earlier.recoveredRunId !== subjectRunId || earlier.runId === run.runId) continue;
    await keepRecord(ports, { ...earlier, status: 'FAILED', endedAt: ports.clock.now().toISOString() });
  }
}

async function ended(
  { run, planKey, status, recovered, warnings }: StepInput<'RecordRun'>,
  begun: RunRecord,
  ports: StepPorts,
): Promise<RunRecord> {
  const base: RunRecord = {
    ...begun,
    status,
    endedAt: ports.clock.now().toISOString(),
    warnings: mergeWarnings(begun.warnings, warnings),
  };
  if (run.workflow === 'backup') return endedBackup(ports, base);
  if (run.workflow === 'restore') return endedRestore(ports, base, planKey);
  const changes = run.workflow === 'register' ? await changesKept(ports, run) : undefined;
  return {
    ...base,
    ...(changes && { changes }),
    ...(recovered && { recoveredRunId: recovered.runId }),
    nodes: await reachedNodes(ports, base),
  };
}

/** Of a registration, or of a Recover run: what was done on a host and did not fail is done. */
async function reachedNodes({ catalog }: StepPorts, { runId, endedAt }: RunRecord): Promise<NodeOutcome[]> {
  const items = await catalog.listNodes(runId);
  return items.map(outcomeOf).map((node) => reachedNode(node, endedAt));
}

export const handler = defineStep('RecordRun', recordRun);

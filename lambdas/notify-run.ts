// NotifyRun: a mail that a person understands, about the run's record.
import { UnknownRun } from '../contracts/errors.ts';
import { type RunRecord, runRecord } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { mergeWarnings } from './recording/keep-record.ts';
import { runMail } from './reporting/run-mail.ts';
import { findDocument } from './vault/documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws UnknownRun */
export async function notifyRun(
  { run, aboutRunId = run.runId, warnings }: StepInput<'NotifyRun'>,
  ports: StepPorts,
): Promise<StepOutput<'NotifyRun'>> {
  const record = await readRecord(ports, run.clusterId, aboutRunId);
  const merged = { ...record, warnings: mergeWarnings(record.warnings, warnings) };
  return ports.notifier.publish(runMail(merged));
}

/** The vault's record has the nodes; warnings that came up since are in the catalog alone. */
async function readRecord(ports: StepPorts, clusterId: string, runId: string): Promise<RunRecord> {
  const [kept, known] = await Promise.all([
    findDocument(ports, ports.layout.runRecord(clusterId, runId), runRecord),
    ports.catalog.readRun(clusterId, runId),
  ]);
  if (kept) return { ...kept, warnings: mergeWarnings(kept.warnings, known?.warnings ?? []) };
  if (!known) throw new UnknownRun(`cluster "${clusterId}" has no run ${runId}`);
  return { ...known, nodes: await ports.catalog.listNodes(runId) };
}

export const handler = defineStep('NotifyRun', notifyRun);

// FailRun: finds the first cause and keeps it with the run. Recover follows, and ends the run's history.
import type { NodeItem } from '../adapters/ports.ts';
import { LockLost, type ToldError } from '../contracts/errors.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { begunRecord } from './locking/begin-run.ts';
import { tellCaught } from './reporting/caught.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

export async function failRun(
  { run, error }: StepInput<'FailRun'>,
  { catalog }: StepPorts,
): Promise<StepOutput<'FailRun'>> {
  // A map only says that too many of its items failed; each item kept its own cause.
  const fromMap = error.Error.startsWith('States.');
  const first = fromMap ? firstFailure(await catalog.listNodes(run.runId)) : undefined;
  const told = first ?? tellCaught(error);
  const known = await catalog.readRun(run.clusterId, run.runId);
  const record = known ?? begunRecord(run, 'STARTED', { clusterId: run.clusterId });
  try {
    await catalog.putRun(run, { ...record, error: told, ...(error.Step && { failedStep: error.Step }) });
  } catch (lost) {
    if (!(lost instanceof LockLost)) throw lost;
  }
  return told;
}

/** By time; the message says on which host and in which phase. */
function firstFailure(nodes: readonly NodeItem[]): ToldError | undefined {
  const failed = nodes.filter((node) => node.status === 'FAILED' && node.error);
  const [first] = failed.sort((one, other) => (one.updatedAt < other.updatedAt ? -1 : 1));
  if (!first?.error) return undefined;
  const { errorName, message, hint } = first.error;
  return { errorName, message: `${first.phase} on ${first.instanceId}: ${message}`, hint };
}

export const handler = defineStep('FailRun', failRun);

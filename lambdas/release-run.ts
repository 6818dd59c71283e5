// ReleaseRun: keeps warnings that came up after the record, then gives the cluster's lock back.
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** `released: false`: an earlier try gave it back already, or another run has it. */
export async function releaseRun(
  { run, warnings }: StepInput<'ReleaseRun'>,
  { catalog }: StepPorts,
): Promise<StepOutput<'ReleaseRun'>> {
  if (warnings.length > 0) await catalog.amendRun(run.clusterId, run.runId, { warnings });
  return { released: await catalog.release(run) };
}

export const handler = defineStep('ReleaseRun', releaseRun);

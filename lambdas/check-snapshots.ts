// CheckSnapshots: ring and schema must be the same before and after, and the snapshots near to each other.
import type { ActionOutput } from '../contracts/actions.ts';
import { SnapshotSpreadExceeded } from '../contracts/errors.ts';
import { type BackupPlan, backupPlan } from '../contracts/plans.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { retakeAfterChange, spreadOf } from './planning/taken.ts';
import { readConfiguration, readDocument } from './vault/documents.ts';
import { readResults } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

interface Taken {
  host: BackupPlan['nodes'][number];
  result: ActionOutput<'snapshot'>;
}

/** @throws in round 2: RingChanged SchemaChanged; in any: SnapshotSpreadExceeded */
export async function checkSnapshots(
  { run, planKey, round }: StepInput<'CheckSnapshots'>,
  ports: StepPorts,
): Promise<StepOutput<'CheckSnapshots'>> {
  await requireLock(ports, run);
  const plan = await readDocument(ports, planKey, backupPlan);
  const { policy } = await readConfiguration(ports, run);
  const asked = { runId: run.runId, phase: `snapshot-${round}`, hosts: plan.nodes };
  const taken = await readResults(ports, 'snapshot', asked);

  const retake = retakeAfterChange(plan, round, taken);
  if (retake) return retake;
  const spreadMs = spreadOf(taken);
  if (spreadMs > policy.maxSnapshotSpreadSeconds * 1_000) {
    throw new SnapshotSpreadExceeded(
      `got snapshots ${spreadMs} ms apart, expected at most ${policy.maxSnapshotSpreadSeconds} s: ${timesOf(taken)}`,
    );
  }
  return { outcome: 'consistent', spreadMs };
}

function timesOf(taken: readonly Taken[]): string {
  return taken
    .map(
      ({ host, result: { times, late } }) =>
        `${host.instanceId} ${times.startedAt} to ${times.doneAt}${late ? ', late' : ''}, clock off by ${times.clockOffsetMs} ms`,
    )
    .join('; ');
}

export const handler = defineStep('CheckSnapshots', checkSnapshots);

// CheckIncrements: ring and schema must be the same before and after; and what was collected must be all that was written since
// the backup before. Where it is not, a whole backup is taken instead, or the run fails, as policy says.
import { IncrementalGap } from '../contracts/errors.ts';
import { type BackupPlan, backupPlan } from '../contracts/plans.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { retakeAfterChange, spreadOf } from './planning/taken.ts';
import { readConfiguration, readDocument, serialize } from './vault/documents.ts';
import { readResults } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws IncrementalGap, and in round 2: RingChanged SchemaChanged */
export async function checkIncrements(
  { run, planKey, round }: StepInput<'CheckIncrements'>,
  ports: StepPorts,
): Promise<StepOutput<'CheckIncrements'>> {
  await requireLock(ports, run);
  const plan = await readDocument(ports, planKey, backupPlan);
  const { incremental } = await readConfiguration(ports, run);
  const asked = { runId: run.runId, phase: `collect-increments-${round}`, hosts: plan.nodes };
  const taken = await readResults(ports, 'collect-increments', asked);
  const retake = retakeAfterChange(plan, round, taken);
  if (retake) return retake;

  const ofNodes = taken.flatMap(({ host, result }) =>
    result.gaps.length > 0 ? [`${host.instanceId}: ${result.gaps.join('; ')}`] : [],
  );
  const gaps = [...plan.gaps, ...ofNodes];
  if (gaps.length === 0) return { outcome: 'consistent', spreadMs: spreadOf(taken) };
  // Before there is a base nothing can be missing.
  if (incremental.onGap === 'fail' && plan.base) throw new IncrementalGap(gaps.join('; '));
  await ports.vault.put(planKey, serialize(asSnapshot(plan, gaps)), 'overwrite');
  return { outcome: 'base-needed', gaps: gaps.slice(0, GAPS_TOLD) };
}

/** A workflow's data are small; the plan has all of them. */
const GAPS_TOLD = 20;

/** A retry finds the plan rewritten, and comes to the same. */
function asSnapshot({ base: _, previous: __, ...plan }: BackupPlan, gaps: string[]): BackupPlan {
  const said = gaps.map((gap) => `A whole backup was taken, not an incremental: ${gap}`);
  return {
    ...plan,
    kind: 'snapshot',
    gaps: plan.gaps,
    warnings: [...new Set([...plan.warnings, ...said])],
  };
}

export const handler = defineStep('CheckIncrements', checkIncrements);

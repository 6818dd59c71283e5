// CheckDead: right before a dead node is started on its new host, the others are asked once more whether it is dead.
import { NodeDown } from '../contracts/errors.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import { restorePlan } from '../contracts/plans.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { upHost } from './planning/agreement.ts';
import { requireSeenDown } from './planning/dead-node.ts';
import { readDocument } from './vault/documents.ts';
import { readResults, readRing } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

const PHASE = 'describe-before-start';

/** @throws NodeNotDead NodeDown RunEnded */
export async function checkDead(
  { run, planKey }: StepInput<'CheckDead'>,
  ports: StepPorts,
): Promise<StepOutput<'CheckDead'>> {
  await requireLock(ports, run);
  const { deadNode, nodes } = await readDocument(ports, planKey, restorePlan);
  const asked = { runId: run.runId, phase: PHASE, hosts: deadNode?.others ?? [] };
  const up = (await readResults(ports, 'describe', asked)).flatMap((each) => upHost(each) ?? []);
  const [first] = up;
  if (!first) throw new NodeDown('got no node that is up, expected one that says whether the dead one is');
  const { instanceArn } = first.host;
  const ring = await readRing(ports, { instanceArn, actionId: actionIdOf(run.runId, PHASE) });
  for (const { hostId } of nodes) requireSeenDown(up, ring, hostId);
  return {};
}

export const handler = defineStep('CheckDead', checkDead);

// SetRendezvous: the moment at which every node takes its snapshot.
import { PauseExceeded } from '../contracts/errors.ts';
import { COMMANDS_PER_SECOND } from '../contracts/limits.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { readConfiguration } from './vault/documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** As long after the last host was told as the policy says: one that comes late snapshots at once and says so. @throws PauseExceeded */
export async function setRendezvous(
  { run, nodeCount, notAfter }: StepInput<'SetRendezvous'>,
  ports: StepPorts,
): Promise<StepOutput<'SetRendezvous'>> {
  const { policy } = await readConfiguration(ports, run);
  const seconds = policy.rendezvousSeconds + Math.floor(nodeCount / COMMANDS_PER_SECOND);
  const at = new Date(ports.clock.now().getTime() + seconds * 1_000).toISOString();
  if (notAfter && at > notAfter) {
    throw new PauseExceeded(`got a rendezvous at ${at}, expected one before the pause ends at ${notAfter}`);
  }
  return { at };
}

export const handler = defineStep('SetRendezvous', setRendezvous);

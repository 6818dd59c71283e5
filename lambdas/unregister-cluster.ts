// UnregisterCluster: forgets what a cluster is. Its backups and its history stay.
import { UnknownRegistration } from '../contracts/errors.ts';
import type { Registration } from '../contracts/registrations.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { serialize } from './vault/documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws UnknownRegistration RunEnded */
export async function unregisterCluster(
  { run }: StepInput<'UnregisterCluster'>,
  ports: StepPorts,
): Promise<StepOutput<'UnregisterCluster'>> {
  await requireLock(ports, run);
  const { clusterId, runId } = run;
  if (!(await ports.catalog.readRegistration(clusterId))) {
    throw new UnknownRegistration(`cluster "${clusterId}" is not registered`);
  }
  const document: Registration = {
    ...{ formatVersion: 1, clusterId, runId, state: 'unregistered', seenAt: ports.clock.now().toISOString() },
  };
  await ports.vault.put(ports.layout.registration(clusterId, runId), serialize(document), 'create');
  return {};
}

export const handler = defineStep('UnregisterCluster', unregisterCluster);

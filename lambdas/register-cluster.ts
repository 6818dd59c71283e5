// RegisterCluster: every node's own word of itself, ring and schema must agree; what they agree on is what the cluster is.
import { UnknownNode } from '../contracts/errors.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import {
  requireDatacenters,
  requireMembers,
  requireOneRing,
  requireOneSchema,
  requireUp,
  requireUpNormal,
  type UpHost,
} from './planning/agreement.ts';
import { topologyOf } from './planning/topology.ts';
import { keepRegistration } from './recording/registrations.ts';
import { readConfiguration, readHosts } from './vault/documents.ts';
import { readResults, readRing, readSchema } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

const PHASE = 'describe';

/** @throws NodeDown UnmanagedNode RingDisagreement SchemaDisagreement InvalidConfiguration UnknownNode RunEnded ActionLost */
export async function registerCluster(
  { run, request, hostsKey }: StepInput<'RegisterCluster'>,
  ports: StepPorts,
): Promise<StepOutput<'RegisterCluster'>> {
  await requireLock(ports, run);
  const { datacenters } = await readConfiguration(ports, run);
  const hosts = await readHosts(ports, hostsKey);
  const described = await readResults(ports, 'describe', { runId: run.runId, phase: PHASE, hosts });
  const up = requireUp(described);
  requireDatacenters(up, datacenters);
  const { seedInstanceId } = request;
  const first = seedInstanceId ? requireSeed(up, seedInstanceId) : requireOneRing(up);
  const by = { instanceArn: first.host.instanceArn, actionId: actionIdOf(run.runId, PHASE) };
  const [ring, schema] = await Promise.all([readRing(ports, by), readSchema(ports, by)]);
  // Members in datacenters that are not configured run on no host of ours. They must be up all the same.
  const elsewhere = ring.nodes.filter((member) => !datacenters.includes(member.datacenter));
  // Before the views are compared: a host of another cluster is named as a stranger to the seed's ring.
  requireMembers(up, ring, elsewhere);
  requireUpNormal(up);
  requireOneRing(up);
  requireOneSchema(up);
  const { topology, changes } = await keepRegistration(ports, run, topologyOf({ described, ring, schema }));
  return { nodes: topology.nodes.length, changes: changes.length };
}

function requireSeed(up: readonly UpHost[], instanceId: string): UpHost {
  const seed = up.find(({ host }) => host.instanceId === instanceId);
  if (seed) return seed;
  const known = up.map(({ host }) => host.instanceId).join(', ');
  throw new UnknownNode(`got seed ${instanceId}, expected an instance with the cluster’s tag: ${known}`);
}

export const handler = defineStep('RegisterCluster', registerCluster);

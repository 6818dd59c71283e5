// What a cluster is found to be: by a registration, and by every backup of a cluster that is registered. The document comes
// first; the catalog's summary follows once the run is recorded as COMPLETED.
import { RingvaultError } from '../../contracts/errors.ts';
import type { BackupPlan } from '../../contracts/plans.ts';
import { type Registered, registration, summaryOf, type Topology } from '../../contracts/registrations.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import { topologyOf } from '../planning/topology.ts';
import { topologyChanges } from '../planning/topology-changes.ts';
import { findDocument, readHosts, serialize } from '../vault/documents.ts';
import { readResults, readRing, readSchema } from '../vault/results.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout' | 'catalog' | 'clock'>;
type OfRun = Pick<RunRecord, 'clusterId' | 'runId'>;

/** @returns what stands there: of an earlier try, if there was one */
export async function keepRegistration(
  ports: Ports,
  { clusterId, runId }: OfRun,
  topology: Topology,
): Promise<Registered> {
  const key = ports.layout.registration(clusterId, runId);
  const last = await lastRegistration(ports, clusterId);
  const now = ports.clock.now().toISOString();
  const document: Registered = {
    ...{ formatVersion: 1, clusterId, runId, state: 'registered' },
    ...{ registeredAt: last?.registeredAt ?? now, seenAt: now },
    changes: last ? topologyChanges(last.topology, topology) : [],
    topology,
  };
  await ports.vault.put(key, serialize(document), 'create');
  return (await findRegistered(ports, clusterId, runId)) ?? document;
}

/**
 * What a backup found to be different from what its cluster is registered as, which it then is. A backup that is sealed is not
 * lost over it: what cannot be read is a warning.
 */
export async function changesSeen(
  ports: Ports,
  plan: BackupPlan,
): Promise<Pick<RunRecord, 'changes' | 'warnings'>> {
  try {
    const earlier = await findRegistered(ports, plan.clusterId, plan.runId);
    if (earlier) return { changes: earlier.changes, warnings: [] };
    const last = await lastRegistration(ports, plan.clusterId);
    if (!last) return { warnings: [] };
    const topology = await topologySeen(ports, plan);
    // A part of the cluster can be backed up while nobody can tell what the others are.
    const has = (nodes: ReadonlyArray<{ hostId: string }>, hostId: string) =>
      nodes.some((node) => node.hostId === hostId);
    const unseen = plan.leftOut.nodes.filter(({ hostId }) => !has(topology.nodes, hostId));
    if (unseen.some(({ hostId }) => has(last.topology.nodes, hostId))) return { warnings: [] };
    if (topologyChanges(last.topology, topology).length === 0) return { warnings: [] };
    const { changes } = await keepRegistration(ports, plan, topology);
    return { changes, warnings: [] };
  } catch (error) {
    if (!(error instanceof RingvaultError) || error.retryable) throw error;
    return { warnings: [`The registration was not brought up to date: ${error.message}`] };
  }
}

async function topologySeen(ports: Ports, { clusterId, runId, describedBy }: BackupPlan): Promise<Topology> {
  const phase = describedBy.actionId.slice(runId.length + 1);
  const hosts = await readHosts(ports, ports.layout.hosts(clusterId, runId, 'hosts'));
  const [described, ring, schema] = await Promise.all([
    readResults(ports, 'describe', { runId, phase, hosts }),
    readRing(ports, describedBy),
    readSchema(ports, describedBy),
  ]);
  return topologyOf({ described, ring, schema });
}

/** What a registration that is to be COMPLETED has found; nothing where it forgets the cluster. */
export async function changesKept(ports: Ports, { clusterId, runId }: OfRun): Promise<string[] | undefined> {
  return (await findRegistered(ports, clusterId, runId))?.changes;
}

async function lastRegistration(ports: Ports, clusterId: string): Promise<Registered | undefined> {
  const known = await ports.catalog.readRegistration(clusterId);
  return known && findRegistered(ports, clusterId, known.runId);
}

async function findRegistered(
  ports: Ports,
  clusterId: string,
  runId: string,
): Promise<Registered | undefined> {
  const found = await findDocument(ports, ports.layout.registration(clusterId, runId), registration);
  return found?.state === 'registered' ? found : undefined;
}

/** Makes the catalog say what a run that completed has kept in the vault. */
export async function tellRegistration(
  ports: Ports,
  { clusterId, runId, status }: Pick<RunRecord, 'clusterId' | 'runId' | 'status'>,
): Promise<void> {
  if (status !== 'COMPLETED') return;
  const kept = await findDocument(ports, ports.layout.registration(clusterId, runId), registration);
  if (kept) await ports.catalog.putRegistration(summaryOf(kept));
}

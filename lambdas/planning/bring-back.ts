// The plan for a dead node: it comes back with its identity, on a host that has no node yet. See ADR 0024.
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RestoreRequest } from '../../contracts/requests.ts';
import type { RunRef } from '../../contracts/runs.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import type { DescribedHost } from './agreement.ts';
import { forgottenFrom, requireNoCounters, requireWithinGcGrace } from './beside-newer.ts';
import {
  type DeadNode,
  deadNodeWarnings,
  othersOf,
  requireDead,
  requireNotRestoredSince,
  tablesOfNode,
  truncatedSince,
  withNewHost,
} from './dead-node.ts';
import { knownHosts, liveRing, readLive } from './live-cluster.ts';
import { placedSince } from './placed-since.ts';
import { type RestorableBackup, readBackup } from './restorable-backup.ts';
import { mapNodes, requireAllowed, requireSameRing, requireSpace } from './restore-nodes.ts';
import { damageOf, planOf } from './restore-plan.ts';
import { restoredPart } from './restored-part.ts';

interface Asked {
  request: Extract<RestoreRequest, { operation: 'restore' }> & { deadNode: DeadNode };
  described: DescribedHost[];
  cluster: ClusterConfiguration;
}

/**
 * @throws HostNotEmpty NodeNotDead NodeDown NothingSelected RestoredSince CountersAtRisk GcGracePassed TopologyMismatch
 *   RestoreNotAllowed InsufficientSpace RingDisagreement SchemaDisagreement UnknownBackup NoBackup BackupDamaged
 */
export async function planToBringBack(ports: StepPorts, run: RunRef, asked: Asked): Promise<RestorePlan> {
  const { request, described, cluster } = asked;
  const { dryRun, repair = true } = request;
  const { whole, backup, nodes, others, live } = await findDead(ports, run, asked);
  const { snapshotAt, clusterName } = whole.manifest;
  const liveTables = live.schema?.tables ?? [];
  const truncated = truncatedSince(described, whole.chain[0]?.manifest.snapshotAt ?? snapshotAt);
  const tables = nodes.flatMap((node) => tablesOfNode(node, liveTables, truncated));
  requireSpace(nodes, { tables }, cluster.limits);
  const held = heldBy(backup, tables);
  if (!request.ignoreCounters) requireNoCounters(held);
  const age = { from: snapshotAt, now: ports.clock.now() };
  if (!request.ignoreGcGrace) requireWithinGcGrace(held, live.schema, age);

  const stopAfterDownload = request.stopAfterStep === 'download';
  const about = {
    ...({ operation: 'restore', dryRun, stopAfterDownload, online: false, repair } as const),
    ...{ onlyBackedUpDatacenters: false, sourceCluster: run.clusterId, sourceVault: undefined },
    selection: { nodes: nodes.map(({ header }) => header.hostId) },
  };
  const repairBefore = forgottenFrom(held, live.schema, snapshotAt);
  const named = liveTables.filter(({ id }) => truncated.has(id));
  const warnings = deadNodeWarnings(whole, {
    ...{ repairBefore, repairs: repair },
    truncated: named.map(({ keyspace, name }) => `${keyspace}.${name}`),
  });
  return {
    ...planOf(run, { ...about, tables, backup, nodes, live }),
    ...{ restoreRunId: run.runId, settlesWrites: false },
    deadNode: { ...others, clusterName },
    ...(!request.ignoreGcGrace && { notAfter: repairBefore }),
    warnings: [...damageOf(nodes), ...(stopAfterDownload ? [] : warnings)],
  };
}

/** The node as the backup has it, on its new host; and the cluster that it is missing from, which must be whole but for it. */
async function findDead(ports: StepPorts, run: RunRef, { request, described, cluster }: Asked) {
  const { deadNode, snapshotOnly } = request;
  const { clusterId } = run;
  const whole = await readBackup(ports, clusterId, request.backupId, snapshotOnly);
  const { backupId } = whole.manifest;
  requireNotRestoredSince(await placedSince(ports, clusterId, backupId), backupId);
  const backup = restoredPart(whole, { nodes: [deadNode.node] }, knownHosts(described));
  const [hostId = ''] = backup.manifest.nodes.map((node) => node.hostId);
  const { mapped: nodes } = mapNodes(withNewHost(described, hostId, deadNode), backup);
  const others = othersOf(described);
  requireAllowed(nodes, clusterId);
  const onlyBackedUpDatacenters = false;
  const live = await readLive(ports, run, { described, cluster, backup: whole, onlyBackedUpDatacenters });
  const ring = await liveRing(ports, run, described);
  // Of all datacenters: the node's own tables know all members.
  const members = [...ring.nodes, ...whole.ring.nodes];
  requireSameRing(ring, whole, new Set(members.map(({ datacenter }) => datacenter)));
  requireDead(live.up, ring, hostId);
  return { whole, backup, nodes, others, live };
}

/** What was dropped or truncated since refuses nothing. */
function heldBy(backup: RestorableBackup, tables: RestorePlan['tables']): RestorableBackup {
  const ids = new Set(tables.map(({ tableId }) => tableId));
  const { schema } = backup;
  return { ...backup, schema: { ...schema, tables: schema.tables.filter(({ id }) => ids.has(id)) } };
}

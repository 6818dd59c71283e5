// The plan for a dead node: it comes back on a host that has no node yet, with its identity or in its place. See ADRs 0024 and 0028.
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RestoreRequest } from '../../contracts/requests.ts';
import type { RingView } from '../../contracts/ring.ts';
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
import { knownHosts, readLive, readNow } from './live-cluster.ts';
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
  const { newHostId } = request.deadNode;
  const { whole, backup, nodes, others, live, address } = await findDead(ports, run, asked);
  const { snapshotAt, clusterName } = whole.manifest;
  const liveTables = live.schema?.tables ?? [];
  const truncated = truncatedSince(described, whole.chain[0]?.manifest.snapshotAt ?? snapshotAt);
  const tables = nodes.flatMap((node) => tablesOfNode(node, liveTables, { truncated, newHostId }));
  requireSpace(nodes, { tables }, cluster.limits);
  const held = heldBy(backup, tables);
  // Under another host ID it counts anew, beside what it had.
  if (!request.ignoreCounters && !newHostId) requireNoCounters(held);
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
    ...{ repairBefore, repairs: repair, newHostId },
    truncated: named.map(({ keyspace, name }) => `${keyspace}.${name}`),
  });
  return {
    ...planOf(run, { ...about, tables, backup, nodes, live }),
    ...{ restoreRunId: run.runId, settlesWrites: false },
    deadNode: { ...others, clusterName, ...(newHostId && { replaces: address }) },
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
  const { newInstanceId, newHostId } = deadNode;
  const hosts = withNewHost(described, hostId, deadNode);
  const isAsked = ({ host }: DescribedHost) => !newHostId || host.instanceId === newInstanceId;
  const { mapped: nodes } = mapNodes(hosts.filter(isAsked), backup);
  const others = othersOf(described);
  requireAllowed(nodes, clusterId);
  const now = await readNow(ports, run, described);
  // The node's own tables know all members; of one in its place only its tokens must be what they were.
  const known = ({ nodes: members, ...view }: RingView) => ({
    ...view,
    nodes: members.filter((member) => !newHostId || member.hostId === hostId),
  });
  const [then, ring] = [known(whole.ring), known(now.ring)];
  const asKnown = { ...whole, ring: then };
  const asIs = { described, cluster, backup: asKnown, onlyBackedUpDatacenters: false };
  const live = await readLive(ports, run, asIs, { ...now, ring });
  const datacenters = [...then.nodes, ...ring.nodes].map(({ datacenter }) => datacenter);
  requireSameRing(ring, asKnown, new Set(datacenters));
  const { address } = requireDead(live.up, now.ring, hostId);
  return { whole, backup, nodes, others, live, address };
}

/** What was dropped or truncated since refuses nothing. */
function heldBy(backup: RestorableBackup, tables: RestorePlan['tables']): RestorableBackup {
  const ids = new Set(tables.map(({ tableId }) => tableId));
  const { schema } = backup;
  return { ...backup, schema: { ...schema, tables: schema.tables.filter(({ id }) => ids.has(id)) } };
}

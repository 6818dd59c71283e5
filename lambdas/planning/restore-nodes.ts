// Which host gets which node's part of a backup, and whether it can take it. A restore in place maps by host ID.
import type { BackupSource } from '../../contracts/actions.ts';
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import {
  IncompatibleVersion,
  InsufficientSpace,
  RestoreNotAllowed,
  TopologyMismatch,
} from '../../contracts/errors.ts';
import type { NodeHeader } from '../../contracts/manifests.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RingView } from '../../contracts/ring.ts';
import { bytesForPeople } from '../reporting/for-people.ts';
import type { DescribedHost } from './agreement.ts';
import type { RestorableBackup } from './restorable-backup.ts';

export interface MappedNode {
  described: DescribedHost;
  header: NodeHeader;
  source: BackupSource;
}

/** @throws TopologyMismatch unless hosts and the backup's nodes are the same set */
export function mapNodes(described: readonly DescribedHost[], backup: RestorableBackup): MappedNode[] {
  const { mapped, problems } = matchNodes(described, backup);
  if (problems.length === 0) return mapped;
  throw new TopologyMismatch(`backup ${backup.manifest.backupId}: ${problems.join('; ')}`);
}

/** The nodes that are still there, and in words those that are not, or are new. */
export function matchNodes(
  described: readonly DescribedHost[],
  backup: RestorableBackup,
): { mapped: MappedNode[]; problems: string[] } {
  const taken = new Set<DescribedHost>();
  const problems: string[] = [];
  const mapped = backup.manifest.nodes.flatMap((node, index) => {
    const header = backup.headers[index];
    const host = findHost(described, node);
    if (!host || !header) {
      problems.push(`got no host with host ID ${node.hostId}`);
      return [];
    }
    taken.add(host);
    const { instanceArn, headerSha256, listingSha256 } = node;
    const source = { backupId: backup.manifest.backupId, instanceArn, headerSha256, listingSha256 };
    return [{ described: host, header, source }];
  });
  for (const { host, result } of described.filter((each) => !taken.has(each))) {
    const known = result.hostId ?? 'unknown';
    problems.push(`got ${host.instanceId} with host ID ${known}, which the backup does not have`);
  }
  return { mapped, problems };
}

/** A node that lost even its memory is known by the instance that it was backed up on. */
function findHost(described: readonly DescribedHost[], node: { hostId: string; instanceArn: string }) {
  return (
    described.find(({ result }) => result.hostId === node.hostId) ??
    described.find(({ host, result }) => !result.hostId && host.instanceArn === node.instanceArn)
  );
}

/** @throws TopologyMismatch unless the live ring is the backup's, by host ID and tokens */
export function requireSameRing(live: RingView, backup: RestorableBackup): void {
  const problems: string[] = [];
  if (live.clusterName !== backup.manifest.clusterName) {
    problems.push(`got cluster name "${live.clusterName}", expected "${backup.manifest.clusterName}"`);
  }
  const tokens = new Map(live.nodes.map((node) => [node.hostId, node.tokens.join(',')]));
  for (const node of backup.ring.nodes) {
    const now = tokens.get(node.hostId);
    if (now === undefined) problems.push(`got no ring member ${node.hostId} (${node.address})`);
    else if (now !== node.tokens.join(','))
      problems.push(`got other tokens of ${node.hostId} than in the backup`);
    tokens.delete(node.hostId);
  }
  problems.push(
    ...[...tokens.keys()].map((hostId) => `got ring member ${hostId}, which the backup does not have`),
  );
  if (problems.length > 0) throw new TopologyMismatch(`live ring: ${problems.join('; ')}`);
}

/** @throws RestoreNotAllowed */
export function requireAllowed(described: readonly DescribedHost[], clusterId: string): void {
  const guarded = described.filter(({ result }) => !result.restoreAllowed).map(({ host }) => host.instanceId);
  if (guarded.length === 0) return;
  throw new RestoreNotAllowed(
    `got ${guarded.length} of ${described.length} hosts whose guard file does not name "${clusterId}": ${guarded.join(', ')}`,
  );
}

/** @throws IncompatibleVersion */
export function requireReadable(nodes: readonly MappedNode[]): void {
  const problems = nodes.flatMap(({ described: { host, result }, header }) => {
    const unreadable = header.sstableFormats.filter(
      (format) => !(result.readableFormats ?? [format]).includes(format),
    );
    const reads = result.readableFormats?.join(', ');
    return unreadable.map((format) => `${host.instanceId} reads ${reads}, the backup has ${format}`);
  });
  if (problems.length > 0) throw new IncompatibleVersion(problems.join('; '));
}

/** In total; each host then checks each of its data directories. @throws InsufficientSpace */
export function requireSpace(
  nodes: readonly MappedNode[],
  plan: Pick<RestorePlan, 'tables'>,
  { reserveBytes }: ClusterConfiguration['limits'],
): void {
  const problems = nodes.flatMap((node) => {
    const { host, result } = node.described;
    const free = result.dataDirectories.reduce((sum, each) => sum + each.freeBytes, 0);
    const needed = bytesOf(node.header, plan.tables) + reserveBytes * result.dataDirectories.length;
    if (result.dataDirectories.length === 0 || free >= needed) return [];
    return [`${host.instanceId} has ${bytesForPeople(free)} free, needs ${bytesForPeople(needed)}`];
  });
  if (problems.length > 0) throw new InsufficientSpace(`${problems.join('; ')} (the reserve included)`);
}

/** What a node has of the tables that are restored. */
export function bytesOf(header: NodeHeader, tables: RestorePlan['tables']): number {
  const ids = new Set(tables.map((table) => table.tableId));
  return header.tables.reduce((sum, table) => sum + (ids.has(table.tableId) ? table.bytes : 0), 0);
}

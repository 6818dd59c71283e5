// Which host gets which node's part of a backup, and whether it can take it. A restore in place maps by host ID.
import type { BackupSource, TableRef } from '../../contracts/actions.ts';
import type { ClusterConfiguration, VaultPlace } from '../../contracts/configuration.ts';
import {
  IncompatibleVersion,
  InsufficientSpace,
  RestoreNotAllowed,
  TopologyMismatch,
} from '../../contracts/errors.ts';
import type { NodeHeader } from '../../contracts/manifests.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RingNode, RingView } from '../../contracts/ring.ts';
import { bytesForPeople } from '../reporting/for-people.ts';
import type { DescribedHost } from './agreement.ts';
import type { ChainLink, RestorableBackup } from './restorable-backup.ts';

export interface MappedNode {
  described: DescribedHost;
  /** The newest. */
  header: NodeHeader;
  /** Of the chain, the base first. */
  parts: Array<{ header: NodeHeader; source: BackupSource }>;
}

/** @throws TopologyMismatch unless hosts and the backup's nodes are the same set, but for those that it leaves out */
export function mapNodes(described: readonly DescribedHost[], backup: RestorableBackup): MatchedNodes {
  const matched = matchNodes(described, backup);
  const { problems } = matched;
  if (problems.length === 0) return matched;
  throw new TopologyMismatch(`backup ${backup.manifest.backupId}: ${problems.join('; ')}`);
}

export interface MatchedNodes {
  /** The nodes that are still there. */
  mapped: MappedNode[];
  /** Hosts whose nodes were in the ring and are not in the backup. */
  leftOut: DescribedHost[];
  /** In words, nodes that are gone or new. */
  problems: string[];
}

export function matchNodes(described: readonly DescribedHost[], backup: RestorableBackup): MatchedNodes {
  const taken = new Set<DescribedHost>();
  const leftOut: DescribedHost[] = [];
  const problems: string[] = [];
  const mapped = backup.manifest.nodes.flatMap((node) => {
    const parts = partsOf(backup, node.hostId);
    const header = parts.at(-1)?.header;
    const host = findHost(described, node, backup.isOfOthers);
    if (parts.length < backup.chain.length) {
      problems.push(`got no part of node ${node.hostId} in a backup that it goes on from`);
      return [];
    }
    if (!host || !header) {
      problems.push(`got no host with host ID ${node.hostId}`);
      return [];
    }
    taken.add(host);
    return [{ described: host, header, parts }];
  });
  for (const each of described.filter((other) => !taken.has(other))) {
    const { host, result } = each;
    if (backup.ring.nodes.some((member) => member.hostId === result.hostId)) {
      leftOut.push(each);
      continue;
    }
    const known = result.hostId ?? 'unknown';
    problems.push(`got ${host.instanceId} with host ID ${known}, which the backup does not have`);
  }
  return { mapped, leftOut, problems };
}

/** Of the chain, the base first; fewer than it has backups where one lacks the node. */
export function partsOf(
  { chain, place }: Pick<RestorableBackup, 'chain' | 'place'>,
  hostId: string,
): MappedNode['parts'] {
  return chain.flatMap((link) => partOf(link, hostId, place) ?? []);
}

function partOf(
  { manifest, headers }: ChainLink,
  hostId: string,
  place: VaultPlace | undefined,
): MappedNode['parts'][number] | undefined {
  const index = manifest.nodes.findIndex((node) => node.hostId === hostId);
  const [node, header] = [manifest.nodes[index], headers[index]];
  if (!node || !header) return undefined;
  const { instanceArn, headerSha256, listingSha256 } = node;
  const { clusterId, backupId } = manifest;
  const vault = place && { vault: place };
  return { header, source: { ...vault, clusterId, backupId, instanceArn, headerSha256, listingSha256 } };
}

/** A node that lost even its memory is known by the instance that it was backed up on. */
function findHost(
  described: readonly DescribedHost[],
  node: { hostId: string; instanceArn: string },
  isOfOthers: boolean,
) {
  const known = described.find(({ result }) => result.hostId === node.hostId);
  if (known || isOfOthers) return known;
  return described.find(({ host, result }) => !result.hostId && host.instanceArn === node.instanceArn);
}

/**
 * In the datacenters that the backup has nodes of, if nothing else is said: each replicates for itself.
 * @throws TopologyMismatch unless the live ring is the backup's, by host ID and tokens
 */
export function requireSameRing(
  live: RingView,
  backup: RestorableBackup,
  datacenters = backedUpDatacenters(backup),
): void {
  const problems: string[] = [];
  if (live.clusterName !== backup.manifest.clusterName) {
    problems.push(`got cluster name "${live.clusterName}", expected "${backup.manifest.clusterName}"`);
  }
  const inThem = (node: RingNode) => datacenters.has(node.datacenter);
  const tokens = new Map(live.nodes.filter(inThem).map((node) => [node.hostId, node.tokens.join(',')]));
  for (const node of backup.ring.nodes.filter(inThem)) {
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

export function backedUpDatacenters({ headers }: Pick<RestorableBackup, 'headers'>): Set<string> {
  return new Set(headers.map((header) => header.datacenter));
}

/** @throws RestoreNotAllowed */
export function requireAllowed(nodes: ReadonlyArray<Pick<MappedNode, 'described'>>, clusterId: string): void {
  const guarded = nodes
    .filter(({ described }) => !described.result.restoreAllowed)
    .map(({ described }) => described.host.instanceId);
  if (guarded.length === 0) return;
  throw new RestoreNotAllowed(
    `got ${guarded.length} of ${nodes.length} hosts whose guard file does not name "${clusterId}": ${guarded.join(', ')}`,
  );
}

/** @throws IncompatibleVersion */
export function requireReadable(nodes: ReadonlyArray<Omit<MappedNode, 'header'>>): void {
  const problems = nodes.flatMap(({ described: { host, result }, parts }) => {
    const formats = new Set(parts.flatMap(({ header }) => header.sstableFormats));
    const unreadable = [...formats].filter(
      (format) => !(result.readableFormats ?? [format]).includes(format),
    );
    const reads = result.readableFormats?.join(', ');
    return unreadable.map((format) => `${host.instanceId} reads ${reads}, the backup has ${format}`);
  });
  if (problems.length > 0) throw new IncompatibleVersion(problems.join('; '));
}

/**
 * A schema of a newer Cassandra is not taken by an older one, though it reads the SSTables.
 * @param statements that are to be applied
 * @throws IncompatibleVersion
 */
export function requireNotOlder(
  described: ReadonlyArray<Pick<DescribedHost, 'host' | 'result'>>,
  headers: readonly NodeHeader[],
  statements: readonly unknown[],
): void {
  if (statements.length === 0) return;
  const newest = Math.max(...headers.map(({ cassandraVersion }) => release(cassandraVersion)));
  const older = described.filter(
    ({ result: { cassandraVersion } }) => cassandraVersion && release(cassandraVersion) < newest,
  );
  if (older.length === 0) return;
  const named = older.map(({ host, result }) => `${host.instanceId} (${result.cassandraVersion})`).join(', ');
  const version = headers.find((header) => release(header.cassandraVersion) === newest)?.cassandraVersion;
  throw new IncompatibleVersion(
    `got ${named}, expected at least ${version} of the backup, whose keyspaces and tables are to be made: make them yourself, or restore to that Cassandra`,
  );
}

/** "4.1.10" → 4.01: major and minor. */
function release(version: string): number {
  const [major = '0', minor = '0'] = version.split('.');
  return Number.parseInt(major, 10) + Number.parseInt(minor, 10) / 100;
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
    const needed = bytesOf(node, plan.tables) + reserveBytes * result.dataDirectories.length;
    if (result.dataDirectories.length === 0 || free >= needed) return [];
    return [`${host.instanceId} has ${bytesForPeople(free)} free, needs ${bytesForPeople(needed)}`];
  });
  if (problems.length > 0) throw new InsufficientSpace(`${problems.join('; ')} (the reserve included)`);
}

/** What a node has of the tables that are restored. */
export function bytesOf({ parts }: Pick<MappedNode, 'parts'>, tables: readonly TableRef[]): number {
  const ids = new Set(tables.map((table) => table.tableId));
  return parts
    .flatMap(({ header }) => header.tables)
    .reduce((sum, table) => sum + (ids.has(table.tableId) ? table.bytes : 0), 0);
}

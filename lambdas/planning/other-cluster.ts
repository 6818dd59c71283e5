// A backup of another cluster, as if it were of the one that it is restored to: whose data a node gets is told by its tokens. Pure.
import { SameClusterName, TokensMismatch } from '../../contracts/errors.ts';
import type { NodeHeader } from '../../contracts/manifests.ts';
import type { RingNode, RingView } from '../../contracts/ring.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import { backedUpDatacenters } from './restore-nodes.ts';

/** Roles are nobody's data, and a cluster's own. */
export const ROLES_STAY =
  'roles and permissions are not restored: this cluster keeps its own, and needs those that its applications log in with';

/**
 * The same backup with this cluster's host IDs in place of its own.
 * @param live the ring of the cluster that it is restored to
 * @throws SameClusterName TokensMismatch
 */
export function inTermsOf(live: RingView, backup: RestorableBackup): RestorableBackup {
  const { clusterName } = live;
  if (clusterName === backup.manifest.clusterName) {
    throw new SameClusterName(
      `cluster_name: got "${clusterName}", the name of the cluster that was backed up; expected another`,
    );
  }
  const standIns = standInsOf(live, backup);
  const hostIdOf = (hostId: string) => standIns.get(hostId)?.hostId ?? hostId;
  const headersOf = (headers: readonly NodeHeader[]) =>
    headers.map((header) => ({ ...header, hostId: hostIdOf(header.hostId) }));
  const manifestOf = (manifest: RestorableBackup['manifest']) => ({
    ...manifest,
    clusterName,
    nodes: manifest.nodes.map((node) => ({ ...node, hostId: hostIdOf(node.hostId) })),
  });
  return {
    ...backup,
    manifest: manifestOf(backup.manifest),
    headers: headersOf(backup.headers),
    ring: {
      ...backup.ring,
      clusterName,
      nodes: backup.ring.nodes.map((node) => standIns.get(node.hostId) ?? node),
    },
    chain: backup.chain.map(({ manifest, headers }) => ({
      manifest: manifestOf(manifest),
      headers: headersOf(headers),
    })),
  };
}

/** By host ID of the backup: the node here that has its tokens, in the same datacenter and in the like of its rack. */
function standInsOf(live: RingView, backup: RestorableBackup): Map<string, RingNode> {
  const problems: string[] = [];
  if (live.partitioner !== backup.ring.partitioner)
    problems.push(`got partitioner ${live.partitioner}, expected ${backup.ring.partitioner}`);
  const datacenters = backedUpDatacenters(backup);
  const byTokens = new Map(live.nodes.map((node) => [node.tokens.join(','), node]));
  const pairs: Pair[] = [];
  for (const there of backup.ring.nodes.filter(({ datacenter }) => datacenters.has(datacenter))) {
    const here = byTokens.get(there.tokens.join(','));
    if (!here) problems.push(`got no node with the tokens of ${named(there)}`);
    else if (here.datacenter !== there.datacenter)
      problems.push(`got ${named(here)} with the tokens of ${named(there)}, expected one in its datacenter`);
    else pairs.push({ there, here });
  }
  problems.push(...rackProblems(pairs));
  if (problems.length > 0) throw new TokensMismatch(problems.join('; '));
  return new Map(pairs.map(({ there, here }) => [there.hostId, here]));
}

interface Pair {
  /** As it was backed up. */
  there: RingNode;
  /** With its tokens. */
  here: RingNode;
}

/** Which nodes are replicas of one another is told by racks: they may have other names, but must part the nodes alike. */
function rackProblems(pairs: readonly Pair[]): string[] {
  return [
    ...mixed(pairs, 'there', 'here').map(
      ([rack, others]) => `got nodes of the backup’s rack ${rack} in ${others}, expected one rack`,
    ),
    ...mixed(pairs, 'here', 'there').map(
      ([rack, others]) => `got nodes of the backup’s racks ${others} in rack ${rack}, expected of one rack`,
    ),
  ];
}

/** Racks of one side that are several on the other. */
function mixed(pairs: readonly Pair[], side: keyof Pair, other: keyof Pair): Array<[string, string]> {
  const rackOf = ({ datacenter, rack }: RingNode) => `${datacenter}/${rack}`;
  const racks = Map.groupBy(pairs, (pair) => rackOf(pair[side]));
  return [...racks].flatMap(([rack, members]): Array<[string, string]> => {
    const others = new Set(members.map((pair) => rackOf(pair[other])));
    return others.size > 1 ? [[rack, [...others].sort().join(', ')]] : [];
  });
}

const named = ({ hostId, datacenter, rack }: RingNode) => `${hostId} (${datacenter}, ${rack})`;

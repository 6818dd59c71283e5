// A backup of another cluster, as if it were of the one that it is restored to: whose data a node gets is told by its tokens. Pure.
import { SameClusterName, TokensMismatch } from '../../contracts/errors.ts';
import type { RingNode, RingView } from '../../contracts/ring.ts';
import type { ChainLink, RestorableBackup } from './restorable-backup.ts';
import { backedUpDatacenters } from './restore-nodes.ts';
import { replicationOf } from './schema-conflicts.ts';

/** Roles are nobody's data, and a cluster's own. */
export const ROLES_STAY =
  'roles and permissions are not restored: this cluster keeps its own, and needs those that its applications log in with';

/**
 * The same backup with this cluster's nodes in place of its own: of those that have a counterpart here.
 * @param live the ring of the cluster that it is restored to
 * @param chosen the one datacenter of which it is restored, if it is one
 * @throws SameClusterName TokensMismatch
 */
export function inTermsOf(live: RingView, backup: RestorableBackup, chosen?: string): RestorableBackup {
  const { clusterName } = live;
  if (clusterName === backup.manifest.clusterName) {
    throw new SameClusterName(
      `cluster_name: got "${clusterName}", the name of the cluster that was backed up; expected another`,
    );
  }
  const backedUp = backedUpDatacenters(backup);
  const datacenters = chosen && backedUp.has(chosen) ? new Set([chosen]) : backedUp;
  const isIn = ({ datacenter }: RingNode) => datacenters.has(datacenter);
  requireByDatacenter(backup, live.nodes.every(isIn) && backup.ring.nodes.every(isIn));
  const standIns = standInsOf(live, backup, isIn);
  const ofHere = new Set(standIns.values());
  const nodes = live.nodes.filter((node) => ofHere.has(node) || !isIn(node));
  const chain = backup.chain.map((link) => linkOf(link, standIns));
  const { manifest, headers } = linkOf(backup, standIns);
  const leftOut = { ...manifest.leftOut, nodes: nodes.length - headers.length };
  return {
    ...backup,
    manifest: { ...manifest, clusterName, leftOut },
    ...{ headers, chain, ring: { ...backup.ring, clusterName, nodes }, isOfOthers: true },
  };
}

function linkOf({ manifest, headers }: ChainLink, standIns: ReadonlyMap<string, RingNode>): ChainLink {
  const nodes = manifest.nodes.flatMap((node, index) => {
    const [standIn, header] = [standIns.get(node.hostId), headers[index]];
    return standIn && header ? [{ node, header, hostId: standIn.hostId }] : [];
  });
  return {
    manifest: { ...manifest, nodes: nodes.map(({ node, hostId }) => ({ ...node, hostId })) },
    headers: nodes.map(({ header, hostId }) => ({ ...header, hostId })),
  };
}

/** A keyspace that knows of no datacenters has its rows on the whole ring, whichever part of it is restored. @throws TokensMismatch */
function requireByDatacenter({ schema }: RestorableBackup, isWholeRing: boolean): void {
  if (isWholeRing) return;
  const others = schema.statements.filter(
    ({ type, statement }) =>
      type === 'keyspace' &&
      !/NetworkTopologyStrategy|LocalStrategy|EverywhereStrategy/.test(replicationOf(statement)),
  );
  if (others.length === 0) return;
  const named = others.map(({ name }) => name).join(', ');
  throw new TokensMismatch(
    `${named}: got keyspaces that are replicated over the nodes of all datacenters, expected NetworkTopologyStrategy where not all datacenters are restored`,
  );
}

/** By host ID of the backup: the node here that has its tokens, in the same datacenter and in the like of its rack. */
function standInsOf(
  live: RingView,
  backup: RestorableBackup,
  isIn: (node: RingNode) => boolean,
): Map<string, RingNode> {
  const problems: string[] = [];
  if (live.partitioner !== backup.ring.partitioner)
    problems.push(`got partitioner ${live.partitioner}, expected ${backup.ring.partitioner}`);
  const byTokens = new Map(live.nodes.map((node) => [node.tokens.join(','), node]));
  const pairs: Pair[] = [];
  for (const there of backup.ring.nodes.filter(isIn)) {
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

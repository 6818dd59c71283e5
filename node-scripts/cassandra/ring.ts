// The ring as the host's own node sees it.
import { createHash } from 'node:crypto';
import type { types } from 'cassandra-driver';
import { type RingNode, type RingView, ringView } from '../../contracts/ring.ts';
import type { Cql } from './cql.ts';
import { canonicalAddress } from './nodetool.ts';

export interface OwnNode extends RingNode {
  clusterName: string;
  cassandraVersion: string;
  schemaVersion: string;
}

export async function readOwnNode(cql: Cql): Promise<OwnNode & Pick<RingView, 'partitioner'>> {
  const [local] = await cql.rows(
    'SELECT host_id, broadcast_address, data_center, rack, tokens, cluster_name, partitioner, release_version, schema_version FROM system.local',
  );
  if (!local) throw new Error('system.local is empty');
  return {
    ...memberOf(local, 'broadcast_address'),
    clusterName: String(local['cluster_name']),
    partitioner: String(local['partitioner']),
    cassandraVersion: String(local['release_version']),
    schemaVersion: String(local['schema_version']),
  };
}

/**
 * @param members as `nodetool status` has them: the rows of one that was replaced, or left, may stay in the table for good
 * @returns also the addresses of such rows
 */
export async function readRing(
  cql: Cql,
  members: ReadonlyArray<{ hostId: string }>,
): Promise<{ own: OwnNode; ring: RingView; stale: string[] }> {
  const { partitioner, ...own } = await readOwnNode(cql);
  const { hostId, address, datacenter, rack, tokens, clusterName } = own;
  const peers = await cql.rows('SELECT host_id, peer, data_center, rack, tokens FROM system.peers_v2');
  // A row without an identity is what gossip has heard of a node that is no member.
  const known = peers
    .filter((row) => row['host_id'] && row['data_center'] && row['tokens'])
    .map((row) => memberOf(row, 'peer'));
  const isMember = (node: RingNode) => members.some((member) => member.hostId === node.hostId);
  const nodes = [{ hostId, address, datacenter, rack, tokens }, ...known.filter(isMember)];
  return {
    own,
    ring: ringView.parse({
      ...{ clusterName, partitioner },
      nodes: nodes.sort((one, other) => (one.hostId < other.hostId ? -1 : 1)),
    }),
    stale: known.filter((node) => !isMember(node)).map((node) => node.address),
  };
}

/** The canonical bytes of a ring view: what lies under its result key, and what its digest is of. */
export function ringBytes(ring: RingView): { json: string; digest: string } {
  const json = JSON.stringify(ringView.parse(ring));
  return { json, digest: createHash('sha256').update(json).digest('hex') };
}

function memberOf(row: types.Row, addressColumn: string): RingNode {
  const tokens: string[] = [...((row['tokens'] as string[] | null) ?? [])];
  return {
    hostId: String(row['host_id']),
    address: canonicalAddress(String(row[addressColumn])),
    datacenter: String(row['data_center']),
    rack: String(row['rack']),
    tokens: tokens.sort((one, other) => (BigInt(one) < BigInt(other) ? -1 : 1)),
  };
}

// Which members of the ring a backup is of. Pure.
import { HostUnreachable, NothingSelected } from '../../contracts/errors.ts';
import type { RingNode, RingView } from '../../contracts/ring.ts';
import type { Selection } from '../../contracts/selection.ts';
import { type DescribedHost, requireMembers, requireUp, type UpHost } from './agreement.ts';

export interface SelectedNodes {
  nodes: UpHost[];
  leftOut: RingNode[];
}

/** @throws NothingSelected HostUnreachable NodeDown UnmanagedNode RingDisagreement where what was chosen is not all there */
export function selectNodes(
  { described, unreachable }: { described: readonly DescribedHost[]; unreachable: readonly string[] },
  ring: RingView,
  asked: Selection,
): SelectedNodes {
  const named = unreachable.filter((instanceId) => asked.nodes?.includes(instanceId));
  if (named.length > 0)
    throw new HostUnreachable(`got ${named.join(', ')} not online, expected the nodes chosen`);
  const chosen = askedMembers(described, ring, asked);
  const isChosen = (hostId: string | undefined) => chosen.some((member) => member.hostId === hostId);
  const isWhole = chosen.length === ring.nodes.length;
  // Of a host whose node is down and that never knew its host ID nobody can say that it was not meant.
  const hosts = described.filter(({ result }) => isWhole || isChosen(result.hostId));
  const nodes = requireUp(hosts);
  const leftOut = ring.nodes.filter((member) => !isChosen(member.hostId));
  const unhosted = chosen.filter((member) => !nodes.some((node) => node.hostId === member.hostId));
  if (unhosted.length > 0 && unreachable.length > 0) {
    const members = unhosted.map(({ address, hostId }) => `${address} (host ID ${hostId})`).join(', ');
    throw new HostUnreachable(
      `got no host of ${members} and ${unreachable.join(', ')} not online, expected a host of each member chosen`,
    );
  }
  requireMembers(nodes, ring, leftOut);
  return { nodes, leftOut };
}

function askedMembers(
  described: readonly DescribedHost[],
  ring: RingView,
  { nodes, datacenter }: Selection,
): RingNode[] {
  const members = ring.nodes.filter((member) => (datacenter ?? member.datacenter) === member.datacenter);
  if (members.length === 0) {
    const known = [...new Set(ring.nodes.map((member) => member.datacenter))];
    throw new NothingSelected(`datacenter: got "${datacenter}", expected one of ${known.join(', ')}`);
  }
  if (!nodes) return members;
  requireUp(described.filter(({ host, result }) => nodes.includes(host.instanceId) && !result.hostId));
  const hostIds = new Map(described.map(({ host, result }) => [host.instanceId, result.hostId]));
  const wanted = nodes.map((id) => hostIds.get(id) ?? id);
  const unknown = nodes.filter((_, index) => !members.some((member) => member.hostId === wanted[index]));
  if (unknown.length > 0) {
    const known = described.map(({ host, result }) => `${host.instanceId} (${result.hostId ?? 'unknown'})`);
    const where = datacenter ? ` in datacenter "${datacenter}"` : '';
    throw new NothingSelected(
      `nodes: got ${unknown.join(', ')}, expected instance or host IDs of the cluster${where}: ${known.join(', ')}`,
    );
  }
  return members.filter((member) => wanted.includes(member.hostId));
}

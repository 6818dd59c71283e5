// What all nodes must agree on before anything is done to them: who they are, one ring, one schema.
import type { Description } from '../../contracts/actions.ts';
import {
  InvalidConfiguration,
  NodeDown,
  RingDisagreement,
  SchemaDisagreement,
  UnmanagedNode,
} from '../../contracts/errors.ts';
import type { Host } from '../../contracts/plans.ts';
import type { RingNode, RingView } from '../../contracts/ring.ts';

export interface DescribedHost {
  host: Host;
  result: Description;
}

/** A host whose node is up: it knows all this of itself. */
export interface UpHost {
  host: Host;
  hostId: string;
  clusterName: string;
  datacenter: string;
  rack: string;
  address: string;
  cassandraVersion: string;
  schemaVersion: string;
  ringDigest: string;
  notUpNormal: string[];
  isSeed: boolean;
}

export function upHost({ host, result }: DescribedHost): UpHost | undefined {
  const { hostId, clusterName, datacenter, rack, address, cassandraVersion, schemaVersion, ringDigest } =
    result;
  if (result.cassandra === 'down' || !hostId || !clusterName || !datacenter || !rack) return undefined;
  if (!address || !cassandraVersion || !schemaVersion || !ringDigest) return undefined;
  const { notUpNormal = [], isSeed = false } = result;
  return {
    ...{ host, hostId, clusterName, datacenter, rack, address, cassandraVersion, schemaVersion, ringDigest },
    ...{ notUpNormal, isSeed },
  };
}

/** @throws NodeDown naming each host and why its node counts as down */
export function requireUp(described: readonly DescribedHost[]): UpHost[] {
  const up = described.map(upHost);
  const down = described
    .filter((_, index) => !up[index])
    .map(
      ({ host, result }) => `${host.instanceId} (${result.downReason ?? 'its description is incomplete'})`,
    );
  if (down.length > 0) {
    throw new NodeDown(
      `got ${down.length} of ${described.length} nodes down, expected none: ${down.join('; ')}`,
    );
  }
  return up.flatMap((each) => each ?? []);
}

/** @throws InvalidConfiguration */
export function requireDatacenters(nodes: readonly UpHost[], expected: readonly string[]): void {
  const others = nodes.filter((node) => !expected.includes(node.datacenter));
  if (others.length === 0) return;
  const got = others.map((node) => `${node.host.instanceId} in "${node.datacenter}"`).join(', ');
  throw new InvalidConfiguration(
    `datacenters: got ${got}, expected "${expected.join('", "')}" as configured`,
  );
}

/** @returns the node whose view is everyone's. @throws RingDisagreement */
export function requireOneRing(nodes: readonly UpHost[]): UpHost {
  const [first] = nodes;
  if (!first) throw new NodeDown('got no node that is up, expected at least one');
  const views = groupBy(nodes, (node) => node.ringDigest);
  if (views.size === 1) return first;
  throw new RingDisagreement(`got ${views.size} views of the ring, expected one: ${describeGroups(views)}`);
}

/** @throws SchemaDisagreement */
export function requireOneSchema(nodes: readonly UpHost[]): void {
  const versions = groupBy(nodes, (node) => node.schemaVersion);
  if (versions.size === 1) return;
  throw new SchemaDisagreement(
    `got ${versions.size} schema versions, expected one: ${describeGroups(versions)}`,
  );
}

/**
 * The nodes must be the ring's members but those left out, each member once, and each Up/Normal to all of them.
 * @throws UnmanagedNode RingDisagreement NodeDown
 */
export function requireMembers(
  nodes: readonly UpHost[],
  ring: RingView,
  leftOut: readonly RingNode[] = [],
): void {
  const hosted = groupBy(nodes, (node) => node.hostId);
  const unmanaged = ring.nodes.filter((member) => !leftOut.includes(member) && !hosted.has(member.hostId));
  if (unmanaged.length > 0) {
    const named = unmanaged.map((member) => `${member.address} (host ID ${member.hostId})`).join(', ');
    throw new UnmanagedNode(`got ${unmanaged.length} ring members that no host runs: ${named}`);
  }
  for (const [hostId, hosts] of hosted) {
    const member = ring.nodes.some((each) => each.hostId === hostId);
    if (member && hosts.length === 1) continue;
    const named = hosts.map(({ host }) => host.instanceId).join(', ');
    throw new RingDisagreement(
      `got host ID ${hostId} on ${named}, ${member ? 'expected one host' : 'expected a member of the ring'}`,
    );
  }
  requireUpNormal(nodes, leftOut);
}

/** Every member to every one of the nodes, but those left out. @throws NodeDown */
export function requireUpNormal(nodes: readonly UpHost[], leftOut: readonly RingNode[] = []): void {
  const seen = nodes.flatMap((node) =>
    membersOf(node.notUpNormal, leftOut).map((member) => `${member} by ${node.host.instanceId}`),
  );
  if (seen.length > 0) throw new NodeDown(`got ring members not Up/Normal: ${seen.join(', ')}`);
}

/** Of members as `address (state)`, those that are not left out. */
export function membersOf(seen: readonly string[], leftOut: ReadonlyArray<{ address: string }>): string[] {
  return seen.filter((member) => !leftOut.some(({ address }) => member.startsWith(`${address} `)));
}

function groupBy(nodes: readonly UpHost[], by: (node: UpHost) => string): Map<string, UpHost[]> {
  return Map.groupBy(nodes, by);
}

function describeGroups(groups: Map<string, UpHost[]>): string {
  return [...groups]
    .map(
      ([value, nodes]) => `${value.slice(0, 12)}… on ${nodes.map(({ host }) => host.instanceId).join(', ')}`,
    )
    .join('; ');
}

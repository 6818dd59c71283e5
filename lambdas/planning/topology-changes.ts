// What became different in a cluster's topology, in words: nodes by their host IDs, and what each is.
import type { RegisteredNode, Topology } from '../../contracts/registrations.ts';

/** More would say less. */
const CHANGES_TOLD = 100;

export function topologyChanges(before: Topology, after: Topology): string[] {
  const changes = [
    ...changed('the cluster’s name', before.clusterName, after.clusterName),
    ...nodeChanges(before.nodes, after.nodes),
    ...missingFrom(before.keyspaces, after.keyspaces).map((name) => `keyspace "${name}" is new`),
    ...missingFrom(after.keyspaces, before.keyspaces).map((name) => `keyspace "${name}" is gone`),
  ];
  const more = changes.length - CHANGES_TOLD;
  return more > 0 ? [...changes.slice(0, CHANGES_TOLD), `… and ${more} more`] : changes;
}

function nodeChanges(before: readonly RegisteredNode[], after: readonly RegisteredNode[]): string[] {
  const was = new Map(before.map((node) => [node.hostId, node]));
  const is = new Map(after.map((node) => [node.hostId, node]));
  const gone = before.filter((node) => !is.has(node.hostId));
  const renamed = new Set<RegisteredNode>();
  const changes = after.flatMap((node) => {
    const known = was.get(node.hostId);
    if (known) return partsOf(known, node);
    const old = gone.find((each) => each.instanceId === node.instanceId);
    if (!old) return [`node ${node.hostId} on ${placeOf(node)} is new`];
    renamed.add(old);
    return [
      `the node on ${node.instanceId} was given a new host ID: ${node.hostId}, was ${old.hostId}`,
      ...partsOf(old, node),
    ];
  });
  const left = gone.filter((node) => !renamed.has(node));
  return [...changes, ...left.map((node) => `node ${node.hostId} on ${placeOf(node)} is gone`)];
}

function placeOf({ instanceId, address, datacenter, rack }: RegisteredNode): string {
  return `${instanceId} (${address}, ${datacenter}/${rack})`;
}

function partsOf(before: RegisteredNode, after: RegisteredNode): string[] {
  const of = (what: string) => `${what} of node ${after.hostId}`;
  const list = (values: readonly string[]) => values.join(', ');
  return [
    ...changed(of('the instance'), before.instanceId, after.instanceId),
    ...changed(of('the address'), before.address, after.address),
    ...changed(of('the datacenter'), before.datacenter, after.datacenter),
    ...changed(of('the rack'), before.rack, after.rack),
    ...changed(of('the version'), before.cassandraVersion, after.cassandraVersion),
    ...changed(of('the data directories'), list(before.dataDirectories), list(after.dataDirectories)),
    // Hundreds of them would hide the rest.
    ...(list(before.tokens) === list(after.tokens) ? [] : [`${of('the tokens')} are others`]),
  ];
}

function changed(what: string, before: string, after: string): string[] {
  return before === after ? [] : [`${what}: ${after}, was ${before}`];
}

function missingFrom(known: readonly string[], values: readonly string[]): string[] {
  return values.filter((value) => !known.includes(value));
}

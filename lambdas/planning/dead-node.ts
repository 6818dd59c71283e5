// One node whose host is gone, brought back with its identity on a host that has no node yet: see ADR 0024. Pure.
import { HostNotEmpty, NodeDown, NodeNotDead, NothingSelected } from '../../contracts/errors.ts';
import { EMPTIED_BY_RESTORE, type RestorePlan } from '../../contracts/plans.ts';
import type { RestoreRequest } from '../../contracts/requests.ts';
import type { RingView } from '../../contracts/ring.ts';
import { type DescribedHost, requireUpNormal, type UpHost, upHost } from './agreement.ts';
import type { MappedNode } from './restore-nodes.ts';

type DeadNode = NonNullable<Extract<RestoreRequest, { operation: 'restore' }>['deadNode']>;

/**
 * The hosts, with the new one as that of the dead node.
 * @throws NothingSelected HostNotEmpty NodeNotDead
 */
export function withNewHost(
  described: readonly DescribedHost[],
  hostId: string,
  { newInstanceId }: DeadNode,
): DescribedHost[] {
  const owner = described.find(({ result }) => result.hostId === hostId);
  if (owner) {
    throw new NodeNotDead(
      `got node ${hostId} on ${owner.host.instanceId} (${owner.result.cassandra}), expected it on no host of the cluster`,
    );
  }
  const found = described.find(({ host }) => host.instanceId === newInstanceId);
  if (!found) {
    const known = described.map(({ host }) => host.instanceId).join(', ');
    throw new NothingSelected(
      `newInstanceId: got ${newInstanceId}, expected a host of the cluster: ${known}`,
    );
  }
  const { cassandra, hostId: other } = found.result;
  if (cassandra === 'up' || other) {
    throw new HostNotEmpty(
      `${newInstanceId}: got node ${other ?? '(unknown)'}, which is ${cassandra}; expected a host whose Cassandra was not started yet`,
    );
  }
  return described.map((each) => (each === found ? { ...found, result: { ...found.result, hostId } } : each));
}

/**
 * The others are Up, and the dead one is Down, to each of them.
 * @throws NodeDown NodeNotDead
 */
export function requireDead(up: readonly UpHost[], ring: RingView, hostId: string): void {
  const dead = ring.nodes.filter((member) => member.hostId === hostId);
  for (const { address } of dead) {
    const isDown = (member: string) => member.startsWith(`${address} (D`);
    const seenUp = up
      .filter(({ notUpNormal }) => !notUpNormal.some(isDown))
      .map(({ host }) => host.instanceId);
    if (seenUp.length > 0)
      throw new NodeNotDead(
        `node ${hostId} (${address}): got Up by ${seenUp.join(', ')}, expected Down to all nodes`,
      );
  }
  requireUpNormal(up, dead);
}

/** Of those that are up: what the new host is compared with. @throws NodeDown */
export function othersOf(described: readonly DescribedHost[]): NonNullable<RestorePlan['deadNode']> {
  const up = described.filter((each) => upHost(each));
  const [first, ...more] = up.map(({ result }) => result.readableFormats ?? []);
  if (!first) {
    throw new NodeDown(
      'got no node that is up, expected all but the dead one: its schema, and what it lacks, come from them',
    );
  }
  const readableFormats = first.filter((format) => more.every((formats) => formats.includes(format)));
  return { others: up.map(({ host }) => host), readableFormats };
}

/**
 * All that the node had, its own tables among them. Its schema comes from the others, so that nothing comes back that was
 * dropped since; ballots and batches of then would contradict what was agreed since.
 */
export function tablesOfNode({ parts }: Pick<MappedNode, 'parts'>): RestorePlan['tables'] {
  const tables = new Map(
    parts
      .flatMap(({ header }) => header.tables)
      .filter(({ keyspace, table }) => keyspace !== 'system_schema' && !isEmptied(keyspace, table))
      .map(({ keyspace, table, tableId }) => [tableId, { keyspace, table, tableId }]),
  );
  return [...tables.values()];
}

const isEmptied = (keyspace: string, table: string) =>
  EMPTIED_BY_RESTORE.some((each) => each.keyspace === keyspace && each.table === table);

/** What people should know before, and do after. */
export function deadNodeWarnings({
  snapshotAt,
  repairBefore,
  repairs,
}: {
  snapshotAt: string;
  repairBefore: string;
  repairs: boolean;
}): string[] {
  return [
    `what was written since ${snapshotAt} is on the other replicas alone: of keyspaces with one replica it is lost, and until the node is repaired reads at ONE may miss it`,
    ...(repairs
      ? [
          `the node is repaired at the end; should that fail: nodetool repair -full on it before ${repairBefore}, when its replicas begin to forget deletions`,
        ]
      : [
          `repair the node before ${repairBefore}, when its replicas begin to forget deletions: nodetool repair -full on it`,
        ]),
  ];
}

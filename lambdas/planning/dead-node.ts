// One node whose host is gone, brought back on a host that has no node yet: see ADRs 0024 and 0028. Pure.
import {
  HostNotEmpty,
  NodeDown,
  NodeNotDead,
  NothingSelected,
  RestoredSince,
  TopologyMismatch,
} from '../../contracts/errors.ts';
import { EMPTIED_BY_RESTORE, type RestorePlan } from '../../contracts/plans.ts';
import type { RestoreRequest } from '../../contracts/requests.ts';
import { isSystemKeyspace, type RingNode, type RingView, type SchemaTable } from '../../contracts/ring.ts';
import type { RunRecord } from '../../contracts/runs.ts';
import { type DescribedHost, requireUpNormal, type UpHost, upHost } from './agreement.ts';
import { operationOf } from './placed-since.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import type { MappedNode } from './restore-nodes.ts';

export type DeadNode = NonNullable<Extract<RestoreRequest, { operation: 'restore' }>['deadNode']>;

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
  if (owner && (owner.host.instanceId !== newInstanceId || owner.result.cassandra === 'up')) {
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
export function requireDead(up: readonly UpHost[], ring: RingView, hostId: string): RingNode {
  const dead = requireSeenDown(up, ring, hostId);
  requireUpNormal(up, [dead]);
  return dead;
}

/** @returns the ring member. @throws NodeNotDead TopologyMismatch */
export function requireSeenDown(up: readonly UpHost[], ring: RingView, hostId: string): RingNode {
  const dead = ring.nodes.find((member) => member.hostId === hostId);
  if (!dead)
    throw new TopologyMismatch(
      `got no ring member ${hostId}, expected it, Down: others own its tokens by now`,
    );
  const isDown = (member: string) => member.startsWith(`${dead.address} (D`);
  const seenUp = up.filter(({ notUpNormal }) => !notUpNormal.some(isDown)).map(({ host }) => host.instanceId);
  if (seenUp.length > 0)
    throw new NodeNotDead(
      `node ${hostId} (${dead.address}): got Up by ${seenUp.join(', ')}, expected Down to all nodes`,
    );
  return dead;
}

/** Of those that are up: what the new host is compared with. @throws NodeDown */
export function othersOf(
  described: readonly DescribedHost[],
): Pick<NonNullable<RestorePlan['deadNode']>, 'others' | 'readableFormats'> {
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
 * What the node had and still has to have, its own tables among it. Its schema comes from the others, so that nothing comes back
 * that was dropped since; ballots and batches of then would contradict what was agreed since. Who it is, is in `system`.
 * @param live tables of users as they are now @param truncated IDs of those that the repair is to bring back
 */
export function tablesOfNode(
  { parts }: Pick<MappedNode, 'parts'>,
  live: readonly SchemaTable[],
  { truncated, newHostId }: { truncated: ReadonlySet<string>; newHostId: boolean },
): RestorePlan['tables'] {
  const without = new Set(newHostId ? ['system', 'system_schema'] : ['system_schema']);
  const there = new Set(live.map(({ id }) => id).filter((id) => !truncated.has(id)));
  const tables = new Map(
    parts
      .flatMap(({ header }) => header.tables)
      .filter(({ keyspace, table, tableId }) =>
        isSystemKeyspace(keyspace)
          ? !without.has(keyspace) && !isEmptied(keyspace, table)
          : there.has(tableId),
      )
      .map(({ keyspace, table, tableId }) => [tableId, { keyspace, table, tableId }]),
  );
  return [...tables.values()];
}

const isEmptied = (keyspace: string, table: string) =>
  EMPTIED_BY_RESTORE.some((each) => each.keyspace === keyspace && each.table === table);

/** TRUNCATE leaves no tombstones: a repair would bring back to all what one node has from before. @returns IDs of tables */
export function truncatedSince(described: readonly DescribedHost[], from: string): Set<string> {
  const records = described.flatMap(({ result }) => Object.entries(result.truncatedAt ?? {}));
  return new Set(records.filter(([, at]) => at >= from).map(([id]) => id));
}

/**
 * What a restore in place put away since would come back, with the newest timestamps. One of all the cluster from this very backup
 * made it what the cluster goes on from.
 * @throws RestoredSince
 */
export function requireNotRestoredSince(placed: readonly RunRecord[], backupId: string): void {
  const [newest] = placed.filter(changedTheCluster);
  if (!newest) return;
  const isFromIt = newest.backupId === backupId && newest.status === 'COMPLETED' && !newest.selection;
  if (isFromIt && operationOf(newest) === 'restore') return;
  throw new RestoredSince(
    `backup ${backupId}: got ${operationOf(newest)} ${newest.runId} (${newest.status}) after it, expected none`,
  );
}

/** In place, and to its end: one that Recover took back put nothing away. */
function changedTheCluster(run: RunRecord): boolean {
  if (run.request['online'] || run.request['deadNode']) return false;
  return operationOf(run) === 'undo' || run.status === 'COMPLETED' || run.undo !== undefined;
}

/** What people should know before, and do after. */
export function deadNodeWarnings(
  { manifest }: Pick<RestorableBackup, 'manifest'>,
  {
    repairBefore,
    repairs,
    truncated,
    newHostId,
  }: { repairBefore: string; repairs: boolean; truncated: string[]; newHostId: boolean },
): string[] {
  const { snapshotAt, leftOut } = manifest;
  return [
    `until it is repaired the node has forgotten what it acknowledged since ${snapshotAt}: reads at any level below ALL may miss that. Of keyspaces with one replica it is lost`,
    'roles and permissions are as of the backup on it until then',
    ...(newHostId
      ? [
          'it has a new host ID: backups from before name a node that is no more, and go to new nodes, not in place; take a backup now',
        ]
      : []),
    ...(leftOut.tables > 0
      ? [
          `the backup lacks ${leftOut.tables} tables and views: the node has nothing of them before it is repaired`,
        ]
      : []),
    ...(truncated.length > 0
      ? [`truncated since the backup, and left to the repair: ${truncated.join(', ')}`]
      : []),
    repairs
      ? `the node is repaired at the end; should that fail: nodetool repair -full on it before ${repairBefore}, when its replicas begin to forget deletions`
      : `repair the node before ${repairBefore}, when its replicas begin to forget deletions: nodetool repair -full on it`,
  ];
}

// Who owns what a load streams, by the replication of the keyspaces that it goes to, and who had it. Pure.
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { unquoted } from '../../contracts/cql.ts';
import { InsufficientSpace } from '../../contracts/errors.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RingNode, RingView, SchemaView } from '../../contracts/ring.ts';
import { bytesForPeople } from '../reporting/for-people.ts';
import type { DescribedHost } from './agreement.ts';
import { isByDatacenter, replicasIn } from './replication.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import type { MappedNode } from './restore-nodes.ts';

/** Keyspace → its statement: where it is, it stays as it is. */
export type Targets = ReadonlyMap<string, string>;

export function targetKeyspaces(wanted: SchemaView, live: SchemaView): Targets {
  const keyspaces = new Set(wanted.tables.map(({ keyspace }) => keyspace));
  return new Map(
    [...keyspaces].map((keyspace) => [
      keyspace,
      keyspaceStatement(live, keyspace) ?? keyspaceStatement(wanted, keyspace) ?? '',
    ]),
  );
}

function keyspaceStatement({ statements }: SchemaView, keyspace: string): string | undefined {
  return statements.find(({ type, keyspace: name }) => type === 'keyspace' && unquoted(name) === keyspace)
    ?.statement;
}

/** What no node owns the bulk loader streams nowhere, and succeeds. */
export function withoutReplicas(targets: Targets, ring: RingView): string[] {
  const datacenters = [...new Set(ring.nodes.map(({ datacenter }) => datacenter))];
  return [...targets]
    .filter(([, statement]) => datacenters.every((datacenter) => replicasIn(statement, datacenter) === 0))
    .map(
      ([keyspace]) =>
        `keyspace ${keyspace} is replicated in none of the ring’s datacenters (${datacenters.join(', ')}): create or alter it first, with the replication that you want`,
    );
}

/** A datacenter that is read has every row that was written at LOCAL_QUORUM in it, if no more of its nodes are left out than a quorum can do without. */
export function withoutRows(part: RestorableBackup): string[] {
  if (part.manifest.leftOut.nodes === 0) return [];
  const read = new Set(part.headers.map(({ hostId }) => hostId));
  const datacenters = Map.groupBy(part.ring.nodes, ({ datacenter }) => datacenter);
  const keyspaces = [...new Set(part.schema.tables.map(({ keyspace }) => keyspace))];
  return keyspaces
    .filter((keyspace) => {
      const statement = keyspaceStatement(part.schema, keyspace) ?? '';
      const hasAll = (nodes: readonly RingNode[], replicas: number) =>
        replicas > 0 &&
        nodes.filter(({ hostId }) => !read.has(hostId)).length <= Math.floor((replicas - 1) / 2);
      if (!isByDatacenter(statement)) return !hasAll(part.ring.nodes, replicasIn(statement, ''));
      return ![...datacenters].some(([datacenter, nodes]) =>
        hasAll(nodes, replicasIn(statement, datacenter)),
      );
    })
    .map(
      (keyspace) =>
        `keyspace ${keyspace} may have rows that none of the nodes read had: expected all nodes, or of one of its datacenters at least as many as leave a quorum of each row`,
    );
}

/** For people. */
export function fewNodes(targets: Targets, ring: RingView): string[] {
  const members = Map.groupBy(ring.nodes, ({ datacenter }) => datacenter);
  return [...targets].flatMap(([keyspace, statement]) =>
    [...members]
      .map(([datacenter, { length }]) => ({
        datacenter,
        length,
        replicas: replicasIn(statement, datacenter),
      }))
      .filter(({ length, replicas }) => replicas > length)
      .map(
        ({ datacenter, length, replicas }) =>
          `keyspace ${keyspace} is to have ${replicas} replicas in ${datacenter}, which has ${length} nodes`,
      ),
  );
}

/** Of all replicas of the backup, by the keyspace that they go to. */
export function bytesByKeyspace(
  parts: MappedNode['parts'],
  tables: NonNullable<RestorePlan['load']>['tables'],
): ReadonlyMap<string, number> {
  const targets = new Map(tables.map(({ tableId, as }) => [tableId, as.keyspace]));
  const bytes = new Map<string, number>();
  for (const table of parts.flatMap(({ header }) => header.tables)) {
    const keyspace = targets.get(table.tableId);
    if (keyspace !== undefined) bytes.set(keyspace, (bytes.get(keyspace) ?? 0) + table.bytes);
  }
  return bytes;
}

/**
 * What comes to a node, as if all were evenly spread, before it is compacted.
 * @param bytes by keyspace
 * @throws InsufficientSpace
 */
export function requireRoom(
  described: readonly DescribedHost[],
  bytes: ReadonlyMap<string, number>,
  to: { targets: Targets; ring: RingView; reserveBytes: ClusterConfiguration['limits']['reserveBytes'] },
): void {
  const { targets, ring, reserveBytes } = to;
  const problems = described.flatMap(({ host, result }) => {
    const datacenter = result.datacenter ?? '';
    const members = ring.nodes.filter((member) => member.datacenter === datacenter).length;
    let needed = reserveBytes * result.dataDirectories.length;
    for (const [keyspace, own] of bytes) {
      const replicas = replicasIn(targets.get(keyspace) ?? '', datacenter);
      needed += own * Math.min(1, replicas / Math.max(1, members));
    }
    const free = result.dataDirectories.reduce((sum, each) => sum + each.freeBytes, 0);
    if (free >= needed) return [];
    return [
      `${host.instanceId} has ${bytesForPeople(free)} free, needs ${bytesForPeople(Math.ceil(needed))}`,
    ];
  });
  if (problems.length > 0) throw new InsufficientSpace(`${problems.join('; ')} (the reserve included)`);
}

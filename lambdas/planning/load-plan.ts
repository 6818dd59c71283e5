// The plan of an online restore by Cassandra's bulk loader, which streams rows to whichever nodes own them now: to a cluster of
// other nodes, into tables with views, under other names. See ADR 0026. Pure.
import type { BackupSource } from '../../contracts/actions.ts';
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { unquoted } from '../../contracts/cql.ts';
import { FORMAT_VERSION } from '../../contracts/documents.ts';
import {
  InsufficientSpace,
  InvalidRequest,
  SchemaConflict,
  TopologyMismatch,
} from '../../contracts/errors.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RestoreRequest } from '../../contracts/requests.ts';
import type { RingNode, RingView, SchemaTable, SchemaView } from '../../contracts/ring.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { type Selection, selectionOf } from '../../contracts/selection.ts';
import { bytesForPeople } from '../reporting/for-people.ts';
import {
  type DescribedHost,
  requireDatacenters,
  requireOneRing,
  requireUp,
  requireUpNormal,
  type UpHost,
} from './agreement.ts';
import { compareToLoad } from './load-difference.ts';
import { BESIDE_WHAT_THERE_IS } from './online-restore.ts';
import { ROLES_STAY } from './other-cluster.ts';
import { inOtherNames } from './renamed-schema.ts';
import { isByDatacenter, replicasIn, replicatedOnlyIn } from './replication.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import {
  backedUpDatacenters,
  bytesOf,
  partsOf,
  requireAllowed,
  requireNotOlder,
  requireReadable,
  requireSameRing,
} from './restore-nodes.ts';
import { damageOf } from './restore-plan.ts';

type ToRestore = Extract<RestoreRequest, { operation: 'restore' }>;

/** What of the backup is restored: where nothing else is said, what gets another name. */
export function selectionToLoad({ as, ...request }: ToRestore): Selection {
  const chosen = selectionOf(request);
  if (!as || chosen.keyspaces?.include) return chosen;
  return { ...chosen, keyspaces: { ...chosen.keyspaces, include: Object.keys(as) } };
}

/** In words, why an import by each node of its own part would not do. None: it does. */
export function whyLoaded(
  request: ToRestore,
  clusterId: string,
  part: RestorableBackup,
  { ring, schema }: { ring: RingView; schema: SchemaView },
): string[] {
  const { tables } = part.schema;
  const name = ({ keyspace, name }: SchemaTable) => `${keyspace}.${name}`;
  const bases = new Set(tables.filter(({ kind }) => kind === 'table').map(name));
  const views = [...tables, ...schema.tables].filter(
    ({ keyspace, kind, baseTable }) => kind === 'view' && bases.has(`${keyspace}.${baseTable}`),
  );
  const others = tables.filter((table) =>
    schema.tables.some((each) => name(each) === name(table) && each.id !== table.id),
  );
  const differs = ringDiffers(ring, part);
  return [
    ...(request.as ? ['it is under other names'] : []),
    ...(part.manifest.clusterId === clusterId ? differs : ['it is another cluster’s backup']),
    ...(views.length > 0
      ? [`an import would leave views as they are (${[...new Set(views.map(name))].join(', ')})`]
      : []),
    ...(others.length > 0 ? [`tables were created again since (${others.map(name).join(', ')})`] : []),
  ];
}

function ringDiffers(ring: RingView, backup: RestorableBackup): string[] {
  try {
    requireSameRing(ring, backup);
    return [];
  } catch (error) {
    if (!(error instanceof TopologyMismatch)) throw error;
    return [`the nodes are others than in the backup (${error.message})`];
  }
}

interface Asked {
  request: ToRestore;
  described: DescribedHost[];
  cluster: ClusterConfiguration;
  part: RestorableBackup;
  /** Of now. */
  ring: RingView;
  schema: SchemaView;
  /** Where the backup lies, if not in the vault of the run. */
  sourceVault: RestorePlan['sourceVault'];
  why: string[];
}

/** @throws NodeDown RingDisagreement SchemaDisagreement RestoreNotAllowed IncompatibleVersion SchemaConflict TopologyMismatch InsufficientSpace NothingSelected InvalidRequest */
export function planToLoad(
  run: RunRef,
  { request, described, cluster, part, ring, schema, sourceVault, why }: Asked,
): RestorePlan {
  if (request.stopAfterStep) {
    throw new InvalidRequest(
      'stopAfterStep: got "download", expected none where the bulk loader streams what is fetched batch by batch',
    );
  }
  const up = requireUp(described);
  requireDatacenters(up, cluster.datacenters);
  requireUpNormal(up);
  const selection = selectionToLoad(request);
  const { clusterId: sourceCluster, backupId, snapshotAt } = part.manifest;
  const isOthers = sourceCluster !== run.clusterId;
  requirePartitioner(ring, part);
  const shares = sharesOf(part);
  const parts = shares.flatMap((share) => share.parts);
  requireAllowed(
    described.map((each) => ({ described: each })),
    run.clusterId,
  );
  requireReadable(described.map((each) => ({ described: each, parts })));

  const { schema: named, tables } = inOtherNames(part.schema, request.as ?? {}, backupId);
  if (request.as) requireAllRenamed(tables);
  const backedUp = backedUpDatacenters(part);
  const datacenters = ring.nodes
    .map(({ datacenter }) => datacenter)
    .filter((each) => !request.onlyBackedUpDatacenters || backedUp.has(each));
  const wanted = replicatedOnlyIn(named, schema, new Set(datacenters));
  const made = new Set(
    named.tables.map(({ id }) => id).filter((id) => tables.every(({ tableId }) => tableId !== id)),
  );
  const difference = compareToLoad(wanted, schema, made, isOthers);
  const conflicts = [...difference.conflicts, ...withoutReplicas(wanted, schema, ring), ...withoutRows(part)];
  if (conflicts.length > 0) throw new SchemaConflict(conflicts.join('; '));
  requireNotOlder(described, part.headers, difference.statements);

  const dealt = deal(
    shares.map((share) => ({ ...share, bytes: bytesOf(share, tables) })),
    up,
  );
  requireRoom(described, { wanted, schema, ring, cluster }, bytesByKeyspace(parts, tables));
  const bytes = dealt.reduce((sum, each) => sum + each.bytes, 0);
  return {
    formatVersion: FORMAT_VERSION,
    workflow: 'restore',
    ...{ runId: run.runId, clusterId: run.clusterId, operation: 'restore' as const },
    ...{ dryRun: request.dryRun, stopAfterDownload: false, online: true },
    ...{ sourceCluster, backupId, snapshotAt, restoreRunId: run.runId, selection },
    ...(sourceVault && { sourceVault }),
    tables: tables.map(({ as: _, ...table }) => table),
    settlesWrites: false,
    load: {
      tables,
      targets: targetsOf(named, schema, tables),
      ringDigest: requireOneRing(up).ringDigest,
      shares: dealt.flatMap(({ host, shares: own }) =>
        own.map(({ sources }) => ({ instanceArn: host.host.instanceArn, sources })),
      ),
      indexes: difference.indexes,
    },
    onlyBackedUpDatacenters: request.onlyBackedUpDatacenters,
    statements: difference.statements,
    mayFailToDrain: false,
    nodes: dealt.map(({ host: { host, hostId, isSeed }, shares: [first], bytes: own }) => ({
      ...{ instanceId: host.instanceId, instanceArn: host.instanceArn, hostId, isSeed },
      ...{ cassandra: 'up' as const, sources: first?.sources ?? [], bytes: own },
    })),
    warnings: [
      `streamed by Cassandra’s bulk loader, because ${why.join('; ')}: ${bytesForPeople(bytes)} of all replicas, each row to each of its replicas of now, which compact it afterwards`,
      ...damageOf(
        dealt.map(({ host, shares: own }) => ({
          described: host,
          parts: own.flatMap((share) => share.parts),
        })),
      ),
      ...difference.warnings,
      ...besideWarnings(difference.beside),
      ...(difference.indexes.length > 0
        ? [
            `${difference.indexes.map(({ name }) => name).join(', ')}: built once all is loaded; until then Cassandra refuses queries by it`,
          ]
        : []),
      ...(part.manifest.leftOut.nodes > 0 ? [NOT_ALL_NODES] : []),
      ...fewNodes(wanted, schema, ring),
      ...(isOthers ? [ROLES_STAY] : []),
    ],
  };
}

function targetsOf(
  wanted: SchemaView,
  live: SchemaView,
  tables: NonNullable<RestorePlan['load']>['tables'],
): Record<string, string> {
  const ids = new Map(
    [...wanted.tables, ...live.tables].map(({ keyspace, name, id }) => [`${keyspace}.${name}`, id]),
  );
  return Object.fromEntries(
    tables.map(({ as }) => [`${as.keyspace}.${as.table}`, ids.get(`${as.keyspace}.${as.table}`) ?? '']),
  );
}

/** Who gives names means to look first: nothing that lives is changed by the same run. @throws InvalidRequest */
function requireAllRenamed(tables: NonNullable<RestorePlan['load']>['tables']): void {
  const same = tables.filter(({ keyspace, table, as }) => keyspace === as.keyspace && table === as.table);
  if (same.length === 0) return;
  const named = same.map(({ keyspace, table }) => `${keyspace}.${table}`).join(', ');
  throw new InvalidRequest(
    `as: got none for ${named}, expected another name for each table that is restored: bring those under their own names back in a run of their own`,
  );
}

/** @throws TopologyMismatch */
function requirePartitioner(ring: RingView, { ring: { partitioner } }: RestorableBackup): void {
  if (ring.partitioner === partitioner) return;
  throw new TopologyMismatch(`partitioner: got ${ring.partitioner}, expected ${partitioner} of the backup`);
}

interface Share {
  parts: ReturnType<typeof partsOf>;
  /** Of the chain, the base first. */
  sources: BackupSource[];
}

/** Of each node of the backup. @throws TopologyMismatch */
function sharesOf(backup: RestorableBackup): Share[] {
  return backup.manifest.nodes.map(({ hostId }) => {
    const parts = partsOf(backup, hostId);
    if (parts.length < backup.chain.length)
      throw new TopologyMismatch(
        `backup ${backup.manifest.backupId}: got no part of node ${hostId} in a backup that it goes on from`,
      );
    return { parts, sources: parts.map(({ source }) => source) };
  });
}

interface Dealt {
  host: UpHost;
  shares: Share[];
  bytes: number;
}

/** The largest first, each to the host that has least. Hosts that get none are left out. */
function deal(shares: Array<Share & { bytes: number }>, up: readonly UpHost[]): Dealt[] {
  const dealt: Dealt[] = up.map((host) => ({ host, shares: [], bytes: 0 }));
  for (const share of shares.toSorted((one, other) => other.bytes - one.bytes)) {
    const least = dealt.reduce((one, other) =>
      other.bytes < one.bytes || (other.bytes === one.bytes && other.shares.length < one.shares.length)
        ? other
        : one,
    );
    least.shares.push(share);
    least.bytes += share.bytes;
  }
  return dealt.filter(({ shares: own }) => own.length > 0);
}

/** What no node owns the bulk loader streams nowhere, and succeeds. */
function withoutReplicas(wanted: SchemaView, live: SchemaView, ring: RingView): string[] {
  const keyspaces = [...new Set(wanted.tables.map(({ keyspace }) => keyspace))];
  return keyspaces.flatMap((keyspace) => {
    const replication = keyspaceStatement(live, keyspace) ?? keyspaceStatement(wanted, keyspace) ?? '';
    const replicas = ring.nodes.reduce((sum, { datacenter }) => sum + replicasIn(replication, datacenter), 0);
    if (replicas > 0) return [];
    const datacenters = [...new Set(ring.nodes.map(({ datacenter }) => datacenter))].join(', ');
    return [
      `keyspace ${keyspace} is replicated in none of the ring’s datacenters (${datacenters}): create or alter it first, with the replication that you want`,
    ];
  });
}

const NOT_ALL_NODES =
  'not all nodes of the backup are read: rows that only the others had, because writes to them were not at QUORUM or are not repaired, are not brought back';

/** A datacenter that is read has every row that was written at QUORUM, if no more of its nodes are left out than a quorum can do without. */
function withoutRows(part: RestorableBackup): string[] {
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

function fewNodes(wanted: SchemaView, live: SchemaView, ring: RingView): string[] {
  const members = Map.groupBy(ring.nodes, ({ datacenter }) => datacenter);
  const keyspaces = [...new Set(wanted.tables.map(({ keyspace }) => keyspace))];
  return keyspaces.flatMap((keyspace) => {
    const statement = keyspaceStatement(live, keyspace) ?? keyspaceStatement(wanted, keyspace) ?? '';
    return [...members].flatMap(([datacenter, nodes]) => {
      const replicas = replicasIn(statement, datacenter);
      if (replicas <= nodes.length) return [];
      return [
        `keyspace ${keyspace} is to have ${replicas} replicas in ${datacenter}, which has ${nodes.length} nodes`,
      ];
    });
  });
}

function keyspaceStatement({ statements }: SchemaView, keyspace: string): string | undefined {
  return statements.find(({ type, keyspace: name }) => type === 'keyspace' && unquoted(name) === keyspace)
    ?.statement;
}

function bytesByKeyspace(parts: Share['parts'], tables: NonNullable<RestorePlan['load']>['tables']) {
  const targets = new Map(tables.map(({ tableId, as }) => [tableId, as.keyspace]));
  const bytes = new Map<string, number>();
  for (const table of parts.flatMap(({ header }) => header.tables)) {
    const keyspace = targets.get(table.tableId);
    if (keyspace !== undefined) bytes.set(keyspace, (bytes.get(keyspace) ?? 0) + table.bytes);
  }
  return bytes;
}

/** What comes to a node, as if all were evenly spread, before it is compacted. @throws InsufficientSpace */
function requireRoom(
  described: readonly DescribedHost[],
  now: { wanted: SchemaView; schema: SchemaView; ring: RingView; cluster: ClusterConfiguration },
  bytes: ReadonlyMap<string, number>,
): void {
  const { wanted, schema, ring, cluster } = now;
  const problems = described.flatMap(({ host, result }) => {
    const datacenter = result.datacenter ?? '';
    const members = ring.nodes.filter((member) => member.datacenter === datacenter).length;
    let needed = cluster.limits.reserveBytes * result.dataDirectories.length;
    for (const [keyspace, own] of bytes) {
      const replication = keyspaceStatement(schema, keyspace) ?? keyspaceStatement(wanted, keyspace) ?? '';
      needed += own * Math.min(1, replicasIn(replication, datacenter) / Math.max(1, members));
    }
    const free = result.dataDirectories.reduce((sum, each) => sum + each.freeBytes, 0);
    if (free >= needed) return [];
    return [
      `${host.instanceId} has ${bytesForPeople(free)} free, needs ${bytesForPeople(Math.ceil(needed))}`,
    ];
  });
  if (problems.length > 0) throw new InsufficientSpace(`${problems.join('; ')} (the reserve included)`);
}

function besideWarnings(beside: readonly SchemaTable[]): string[] {
  if (beside.length === 0) return [];
  const counters = beside.filter(({ columns }) => columns.some(({ type }) => type === 'counter'));
  return [
    ...BESIDE_WHAT_THERE_IS,
    ...(counters.length > 0
      ? [
          `counters of ${counters.map(({ keyspace, name }) => `${keyspace}.${name}`).join(', ')}: what other nodes have counted is added to; TRUNCATE them first for what the backup has`,
        ]
      : []),
  ];
}

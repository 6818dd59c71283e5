// The plan of an online restore by Cassandra's bulk loader, which streams rows to whichever nodes own them now: to a cluster of
// other nodes, into tables with views, under other names. See ADR 0026. Pure.
import type { BackupSource } from '../../contracts/actions.ts';
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { FORMAT_VERSION } from '../../contracts/documents.ts';
import { InvalidRequest, SchemaConflict, TopologyMismatch } from '../../contracts/errors.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import { type RestoreRequest, selectionWithNames } from '../../contracts/requests.ts';
import type { RingView, SchemaTable, SchemaView } from '../../contracts/ring.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { bytesForPeople } from '../reporting/for-people.ts';
import {
  type DescribedHost,
  requireDatacenters,
  requireOneRing,
  requireUp,
  requireUpNormal,
  type UpHost,
} from './agreement.ts';
import { countersAmong } from './beside-newer.ts';
import type { Now } from './live-cluster.ts';
import { compareToLoad, type LoadDifference } from './load-difference.ts';
import {
  bytesByKeyspace,
  fewNodes,
  requireRoom,
  type Targets,
  targetKeyspaces,
  withoutReplicas,
  withoutRows,
} from './load-replicas.ts';
import { besideWhatThereIs } from './online-restore.ts';
import { ROLES_STAY } from './other-cluster.ts';
import { hasOtherName, inOtherNames } from './renamed-schema.ts';
import { narrowedWarnings, replicatedOnlyIn } from './replication.ts';
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

/** In words, why an import by each node of its own part would not do. None: it does. */
export function whyLoaded(
  request: ToRestore,
  clusterId: string,
  part: RestorableBackup,
  { ring, schema }: Now,
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

interface Asked extends Now {
  request: ToRestore;
  described: DescribedHost[];
  cluster: ClusterConfiguration;
  part: RestorableBackup;
  /** Where the backup lies, if not in the vault of the run. */
  sourceVault: RestorePlan['sourceVault'];
  why: string[];
}

/** @throws NodeDown RingDisagreement SchemaDisagreement RestoreNotAllowed IncompatibleVersion SchemaConflict TopologyMismatch InsufficientSpace NothingSelected InvalidRequest */
export function planToLoad(run: RunRef, asked: Asked): RestorePlan {
  const { request, described, cluster, part, ring, schema, sourceVault } = asked;
  if (request.stopAfterStep) {
    throw new InvalidRequest(
      'stopAfterStep: got "download", expected none where the bulk loader streams what is fetched batch by batch',
    );
  }
  const up = requireUp(described);
  requireDatacenters(up, cluster.datacenters);
  requireUpNormal(up);
  requirePartitioner(ring, part);
  const shares = sharesOf(part);
  const parts = shares.flatMap((share) => share.parts);
  const hosts = described.map((each) => ({ described: each, parts }));
  requireAllowed(hosts, run.clusterId);
  requireReadable(hosts);
  const { wanted, tables, targets, difference } = schemaToLoad(run, asked);
  requireNotOlder(described, part.headers, difference.statements);

  const dealt = deal(
    shares.map((share) => ({ ...share, bytes: bytesOf(share, tables) })),
    up,
  );
  const { reserveBytes } = cluster.limits;
  requireRoom(described, bytesByKeyspace(parts, tables), { targets, ring, reserveBytes });
  const { clusterId: sourceCluster, backupId, snapshotAt } = part.manifest;
  return {
    formatVersion: FORMAT_VERSION,
    workflow: 'restore',
    ...{ runId: run.runId, clusterId: run.clusterId, operation: 'restore' as const },
    ...{ dryRun: request.dryRun, stopAfterDownload: false, online: true },
    ...{ sourceCluster, backupId, snapshotAt, restoreRunId: run.runId },
    selection: selectionWithNames(request),
    ...(sourceVault && { sourceVault }),
    tables: tables.map(({ as: _, ...table }) => table),
    settlesWrites: false,
    load: {
      tables,
      targets: targetsOf(wanted, schema, tables),
      ringDigest: requireOneRing(up).ringDigest,
      shares: dealt.flatMap(({ host, shares: own }) =>
        own.map(({ sources }) => ({ instanceArn: host.host.instanceArn, sources })),
      ),
      indexes: difference.indexes,
    },
    onlyBackedUpDatacenters: request.onlyBackedUpDatacenters,
    statements: difference.statements,
    mayFailToDrain: false,
    nodes: dealt.map(({ host: { host, hostId, isSeed }, shares: [first], bytes }) => ({
      ...{ instanceId: host.instanceId, instanceArn: host.instanceArn, hostId, isSeed },
      ...{ cassandra: 'up' as const, sources: first?.sources ?? [], bytes },
    })),
    warnings: warningsOf(run, asked, { dealt, difference, targets }),
  };
}

/** What there is to be, and what there is. @throws SchemaConflict NothingSelected InvalidRequest */
function schemaToLoad({ clusterId }: Pick<RunRef, 'clusterId'>, { request, part, ring, schema }: Asked) {
  const { schema: named, tables } = inOtherNames(part.schema, request.as ?? {}, part.manifest.backupId);
  if (request.as) requireAllRenamed(tables);
  const backedUp = backedUpDatacenters(part);
  const here = ring.nodes.map(({ datacenter }) => datacenter);
  const datacenters = here.filter((each) => !request.onlyBackedUpDatacenters || backedUp.has(each));
  const wanted = replicatedOnlyIn(named, schema, new Set(datacenters));
  const made = new Set(
    named.tables.map(({ id }) => id).filter((id) => tables.every(({ tableId }) => tableId !== id)),
  );
  const difference = compareToLoad(wanted, schema, made, part.manifest.clusterId !== clusterId);
  const targets = targetKeyspaces(wanted, schema);
  const conflicts = [...difference.conflicts, ...withoutReplicas(targets, ring), ...withoutRows(part)];
  if (conflicts.length > 0) throw new SchemaConflict(conflicts.join('; '));
  const narrowed = narrowedWarnings(replicatedOnlyIn(named, schema, new Set(here)), difference.statements);
  difference.warnings.push(...narrowed);
  return { wanted, tables, targets, difference };
}

const NOT_ALL_NODES =
  'not all nodes of the backup are read: rows that only the others had, because writes to them were not at LOCAL_QUORUM of a datacenter that is read, or are not repaired, are not brought back';

function warningsOf(
  { clusterId }: Pick<RunRef, 'clusterId'>,
  { part, ring, why }: Asked,
  { dealt, difference, targets }: { dealt: Dealt[]; difference: LoadDifference; targets: Targets },
): string[] {
  const bytes = dealt.reduce((sum, each) => sum + each.bytes, 0);
  const { manifest } = part;
  const late = difference.indexes.map(({ name }) => name);
  return [
    `streamed by Cassandra’s bulk loader, because ${why.join('; ')}: ${bytesForPeople(bytes)} of all replicas, each row to each of its replicas of now, which compact it afterwards`,
    ...damageOf(
      dealt.map(({ host, shares }) => ({ described: host, parts: shares.flatMap((share) => share.parts) })),
    ),
    ...difference.warnings,
    ...besideWarnings(difference.beside),
    ...(late.length > 0
      ? [`${late.join(', ')}: built once all is loaded; until then Cassandra refuses queries by it`]
      : []),
    ...(manifest.leftOut.nodes > 0 ? [NOT_ALL_NODES] : []),
    ...fewNodes(targets, ring),
    ...(manifest.clusterId === clusterId ? [] : [ROLES_STAY]),
  ];
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
  const same = tables.filter((table) => !hasOtherName(table));
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

function besideWarnings(beside: readonly SchemaTable[]): string[] {
  if (beside.length === 0) return [];
  const counters = countersAmong(beside);
  return [
    ...besideWhatThereIs(beside),
    ...(counters.length > 0
      ? [
          `counters of ${counters.join(', ')}: what other nodes have counted is added to; TRUNCATE them first for what the backup has`,
        ]
      : []),
  ];
}

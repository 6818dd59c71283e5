// The plan of a restore, an undo or a release, from what it is of and what there is now. Pure.
import type { TableRef } from '../../contracts/actions.ts';
import { FORMAT_VERSION } from '../../contracts/documents.ts';
import type { RestorePlan } from '../../contracts/plans.ts';
import type { RunRef } from '../../contracts/runs.ts';
import type { Selection } from '../../contracts/selection.ts';
import type { Live } from './live-cluster.ts';
import type { RestorableBackup } from './restorable-backup.ts';
import { bytesOf, type MappedNode } from './restore-nodes.ts';
import { whatStays } from './what-stays.ts';

export function planOf(
  run: RunRef,
  planned: {
    operation: RestorePlan['operation'];
    dryRun: boolean;
    online: boolean;
    onlyBackedUpDatacenters: boolean;
    selection: Selection;
    sourceCluster: string;
    sourceVault: RestorePlan['sourceVault'];
    backup: RestorableBackup;
    nodes: MappedNode[];
    live: Live;
    repair?: boolean | undefined;
    /** By default the users' of the backup. */
    tables?: TableRef[];
    stopAfterDownload?: boolean;
  },
): Omit<RestorePlan, 'restoreRunId'> {
  const {
    operation,
    dryRun,
    online,
    onlyBackedUpDatacenters,
    selection,
    sourceCluster,
    sourceVault,
    backup,
    nodes,
    live,
    repair = false,
    tables = userTables(backup),
    stopAfterDownload = false,
  } = planned;
  const stays = whatStays(backup, live.difference);
  return {
    formatVersion: FORMAT_VERSION,
    workflow: 'restore',
    ...{ runId: run.runId, clusterId: run.clusterId, operation, dryRun, stopAfterDownload, online },
    ...{ selection, tables, onlyBackedUpDatacenters },
    ...{ sourceCluster, backupId: backup.manifest.backupId },
    ...(sourceVault && { sourceVault }),
    snapshotAt: backup.manifest.snapshotAt,
    statements: [],
    // What is still in commit logs is lost where a node cannot drain: only if all of it is replaced anyway.
    mayFailToDrain: live.difference !== undefined && !stays.tables,
    settlesWrites: stays.tables || stays.nodes,
    ...(repair && !stopAfterDownload && { repair: { primaryRange: !stays.nodes } }),
    nodes: nodes.map((node) => plannedNode(node, tables)),
    warnings: [...warningsOf(operation, live), ...(operation === 'restore' ? damageOf(nodes) : [])],
  };
}

const userTables = ({ schema }: RestorableBackup): TableRef[] =>
  schema.tables.map(({ keyspace, name, id }) => ({ keyspace, table: name, tableId: id }));

function plannedNode(
  { described: { host, result }, header, parts }: MappedNode,
  tables: readonly TableRef[],
): RestorePlan['nodes'][number] {
  return {
    ...{ instanceId: host.instanceId, instanceArn: host.instanceArn, hostId: header.hostId },
    sources: parts.map(({ source }) => source),
    ...{ isSeed: result.isSeed ?? false, cassandra: result.cassandra, bytes: bytesOf({ parts }, tables) },
  };
}

/** A cluster that is all down must be restorable. */
const NOBODY_UP = [
  'no node is up: ring and schema are compared only after the start',
  'no node is up to be drained: if there are tables that are not in the backup, writes to them that were not flushed are lost to them (the commit logs are kept aside)',
];

function warningsOf(operation: RestorePlan['operation'], { described, difference }: Live): string[] {
  const down = described
    .filter(({ result }) => result.cassandra === 'down')
    .map(({ host, result }) => `${host.instanceId} is down: ${result.downReason ?? 'unknown why'}`);
  if (operation === 'release') return down;
  if (!difference) return [...down, ...NOBODY_UP];
  return operation === 'restore' ? [...down, ...difference.warnings] : down;
}

export function damageOf(
  nodes: ReadonlyArray<{ described: Pick<MappedNode['described'], 'host'>; parts: MappedNode['parts'] }>,
): string[] {
  return nodes
    .map(({ described: { host }, parts }) => ({
      host,
      damagedFiles: parts.reduce((sum, { header }) => sum + header.damagedFiles, 0),
    }))
    .filter(({ damagedFiles }) => damagedFiles > 0)
    .map(
      ({ host, damagedFiles }) =>
        `${host.instanceId} has ${damagedFiles} files in the backup, of all keyspaces, that had rotted when they were stored: scrub and repair its tables afterwards`,
    );
}

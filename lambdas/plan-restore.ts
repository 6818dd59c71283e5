// PlanRestore: what a restore, an undo or a release will do, refused here if at all: nothing has been changed yet.
import type { TableRef } from '../contracts/actions.ts';
import type { ClusterConfiguration } from '../contracts/configuration.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import {
  InvalidConfiguration,
  NodeDown,
  NotConfirmed,
  SchemaConflict,
  TopologyMismatch,
} from '../contracts/errors.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import type { RestorePlan } from '../contracts/plans.ts';
import { type RestoreRequest, restoreRequest } from '../contracts/requests.ts';
import type { RingView, SchemaView } from '../contracts/ring.ts';
import type { RunRef } from '../contracts/runs.ts';
import { type Selection, selectionOf } from '../contracts/selection.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import {
  type DescribedHost,
  requireDatacenters,
  requireOneRing,
  requireOneSchema,
  type UpHost,
  upHost,
} from './planning/agreement.ts';
import { partWarnings, requireWithinGcGrace } from './planning/beside-newer.ts';
import { BESIDE_WHAT_THERE_IS, requireImportable } from './planning/online-restore.ts';
import { ROLES_STAY } from './planning/other-cluster.ts';
import { replicatedOnlyIn } from './planning/replication.ts';
import type { RestorableBackup } from './planning/restorable-backup.ts';
import {
  backedUpDatacenters,
  bytesOf,
  type MappedNode,
  mapNodes,
  matchNodes,
  requireAllowed,
  requireReadable,
  requireSameRing,
  requireSpace,
} from './planning/restore-nodes.ts';
import { readSource } from './planning/restore-source.ts';
import { findRestore, stillThere } from './planning/restore-subject.ts';
import { restoreSummary } from './planning/restore-summary.ts';
import { restoredPart } from './planning/restored-part.ts';
import { compareSchemas, type SchemaDifference } from './planning/schema-difference.ts';
import { requireSettled, whatStays } from './planning/what-stays.ts';
import { readConfiguration, readHosts, serialize, writeHostsIfAny } from './vault/documents.ts';
import { readResults, readRing, readSchema } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** The cluster as it is now. `difference` and `schema` are undefined where no node is up to tell its schema. */
interface Live {
  described: DescribedHost[];
  up: UpHost[];
  difference: SchemaDifference | undefined;
  schema: SchemaView | undefined;
}

/**
 * @throws NotConfirmed TokensMismatch SameClusterName GcGracePassed UnknownBackup NoBackup NothingToUndo TopologyMismatch SchemaConflict IncompatibleVersion InsufficientSpace
 *   RestoreNotAllowed NodeDown RingDisagreement SchemaDisagreement InvalidConfiguration BackupDamaged RunEnded
 */
export async function planRestore(
  { run, request: given, hostsKey }: StepInput<'PlanRestore'>,
  ports: StepPorts,
): Promise<StepOutput<'PlanRestore'>> {
  await requireLock(ports, run);
  const request = restoreRequest.parse(given);
  const cluster = await readConfiguration(ports, run);
  const hosts = await readHosts(ports, hostsKey);
  const described = await readResults(ports, 'describe', { runId: run.runId, phase: 'describe', hosts });
  requireConfirmed(request);
  const plan =
    request.operation === 'restore'
      ? await planToRestore(ports, run, { request, described, cluster })
      : await planToUndoOrRelease(ports, run, { request, described, cluster });
  return writePlan(ports, run, plan);
}

/** @throws NotConfirmed */
function requireConfirmed(request: RestoreRequest): void {
  const changesNothing = request.operation === 'restore' && request.dryRun;
  if (changesNothing || request.confirmCluster === request.clusterId) return;
  throw new NotConfirmed(
    `${request.operation}: got confirmCluster ${request.confirmCluster ?? '(none)'}, expected "${request.clusterId}"`,
  );
}

interface Asked<Request> {
  request: Request;
  described: DescribedHost[];
  cluster: ClusterConfiguration;
}

async function planToRestore(
  ports: StepPorts,
  run: RunRef,
  { request, described, cluster }: Asked<Extract<RestoreRequest, { operation: 'restore' }>>,
): Promise<RestorePlan> {
  const { sourceCluster = run.clusterId } = request;
  requireReadableBy(cluster, run.clusterId, sourceCluster);
  const ring = () => liveRing(ports, run, described);
  const whole = await readSource(ports, run.clusterId, { ...request, sourceCluster }, ring);
  const backup = restoredPart(whole, selectionOf(request), knownHosts(described));
  const { mapped: nodes, leftOut } = mapNodes(described, backup);
  // A node may be on another host by the time of an undo.
  const selection = {
    ...selectionOf(request),
    ...(request.nodes && { nodes: nodes.map(({ header }) => header.hostId) }),
  };
  requireAllowed(nodes, run.clusterId);
  requireReadable(nodes);
  const { onlyBackedUpDatacenters, dryRun } = request;
  const live = await readLive(ports, run, { described, cluster, backup, onlyBackedUpDatacenters });
  const { difference } = live;
  if (difference && difference.conflicts.length > 0)
    throw new SchemaConflict(difference.conflicts.join('; '));
  const { online } = request;
  if (online) requireImportable(nodes, backup);
  else requireSettled(whatStays(backup, difference), nodes);
  if (!online && !request.ignoreGcGrace) {
    const age = { from: backup.manifest.snapshotAt, now: ports.clock.now() };
    requireWithinGcGrace(backup, live.schema, age);
  }
  const operation = 'restore';
  const asked = { operation, dryRun, online, onlyBackedUpDatacenters, selection, sourceCluster } as const;
  const plan = planOf(run, { ...asked, backup, nodes, live });
  requireSpace(nodes, plan, cluster.limits);
  const beside = online ? BESIDE_WHAT_THERE_IS : [];
  const roles = sourceCluster === run.clusterId ? [] : [ROLES_STAY];
  const warnings = [...plan.warnings, ...beside, ...partWarnings(backup, leftOut), ...roles];
  return { ...plan, restoreRunId: run.runId, statements: difference?.statements ?? [], warnings };
}

async function planToUndoOrRelease(
  ports: StepPorts,
  run: RunRef,
  { request, described, cluster }: Asked<Extract<RestoreRequest, { operation: 'undo' | 'release' }>>,
): Promise<RestorePlan> {
  const { operation } = request;
  const restore = await findRestore(ports, run.clusterId, operation, request.restoreRunId);
  const selection = restore.selection ?? selectionOf(restore.request);
  const { sourceCluster = run.clusterId, backupId } = restore;
  const { datacenter } = selection;
  const ring = () => liveRing(ports, run, described);
  const whole = await readSource(ports, run.clusterId, { sourceCluster, backupId, datacenter }, ring);
  const backup = restoredPart(whole, selection, knownHosts(described));
  // Old data is deleted wherever it still is; but it is put back on every node, or on none.
  const matched = matchNodes(described, backup);
  const { mapped: nodes, problems } = backup.isOfOthers
    ? await stillThere(ports, restore.runId, matched)
    : matched;
  if (nodes.length === 0 || (operation === 'undo' && problems.length > 0))
    throw new TopologyMismatch(`restore ${restore.runId}: ${problems.join('; ')}`);
  requireAllowed(nodes, run.clusterId);
  const onlyBackedUpDatacenters = restore.request['onlyBackedUpDatacenters'] === true;
  const live = await readLive(ports, run, { described, cluster, backup, onlyBackedUpDatacenters });
  if (operation === 'undo') {
    requireTablesOfUndo(restore.runId, live);
    requireSettled(whatStays(backup, live.difference), nodes);
    const age = { from: restore.startedAt, now: ports.clock.now() };
    if (!request.ignoreGcGrace) requireWithinGcGrace(backup, live.schema, age);
  }
  const asked = {
    ...{ operation, dryRun: false, online: false, onlyBackedUpDatacenters, selection, sourceCluster },
  };
  const plan = planOf(run, { ...asked, backup, nodes, live });
  const warnings = [...plan.warnings, ...(operation === 'release' ? problems : [])];
  return { ...plan, restoreRunId: restore.runId, warnings };
}

/** @throws InvalidConfiguration */
function requireReadableBy(cluster: ClusterConfiguration, clusterId: string, sourceCluster: string): void {
  if (sourceCluster === clusterId || cluster.restoresFrom.includes(sourceCluster)) return;
  const known = cluster.restoresFrom.join(', ') || 'none';
  throw new InvalidConfiguration(
    `restoresFrom of ${clusterId}: got ${known}, expected "${sourceCluster}", whose backup its hosts would have to read`,
  );
}

async function liveRing(
  ports: StepPorts,
  run: RunRef,
  described: readonly DescribedHost[],
): Promise<RingView> {
  const { host } = requireOneRing(described.flatMap((each) => upHost(each) ?? []));
  const actionId = actionIdOf(run.runId, 'describe');
  return readRing(ports, { instanceArn: host.instanceArn, actionId });
}

function knownHosts(described: readonly DescribedHost[]) {
  return described.map(({ host, result }) => ({ instanceId: host.instanceId, hostId: result.hostId }));
}

/** Old files go back into the directories of the tables that they came from: these must be the live ones still. */
function requireTablesOfUndo(restoreRunId: string, { difference }: Live): void {
  if (!difference) return;
  const gone = difference.missing.map((table) => `${table} was dropped`);
  const problems = [...gone, ...difference.conflicts];
  if (problems.length === 0) return;
  throw new SchemaConflict(`the schema was changed since restore ${restoreRunId}: ${problems.join('; ')}`);
}

async function readLive(
  ports: StepPorts,
  run: RunRef,
  now: {
    described: DescribedHost[];
    cluster: ClusterConfiguration;
    backup: RestorableBackup;
    onlyBackedUpDatacenters: boolean;
  },
): Promise<Live> {
  const { described, cluster, backup, onlyBackedUpDatacenters } = now;
  const up = described.flatMap((each) => upHost(each) ?? []);
  if (up.length === 0) return { described, up, difference: undefined, schema: undefined };
  requireDatacenters(up, cluster.datacenters);
  const { host } = requireOneRing(up);
  requireOneSchema(up);
  const by = { instanceArn: host.instanceArn, actionId: actionIdOf(run.runId, 'describe') };
  requireSameRing(await readRing(ports, by), backup);
  const schema = await readSchema(ports, by);
  const restored = onlyBackedUpDatacenters
    ? replicatedOnlyIn(backup.schema, schema, backedUpDatacenters(backup))
    : backup.schema;
  return { described, up, difference: compareSchemas(restored, schema), schema };
}

function planOf(
  run: RunRef,
  planned: {
    operation: RestorePlan['operation'];
    dryRun: boolean;
    online: boolean;
    onlyBackedUpDatacenters: boolean;
    selection: Selection;
    sourceCluster: string;
    backup: RestorableBackup;
    nodes: MappedNode[];
    live: Live;
  },
): Omit<RestorePlan, 'restoreRunId'> {
  const {
    operation,
    dryRun,
    online,
    onlyBackedUpDatacenters,
    selection,
    sourceCluster,
    backup,
    nodes,
    live,
  } = planned;
  const stays = whatStays(backup, live.difference);
  const tables: TableRef[] = backup.schema.tables.map(({ keyspace, name, id }) => ({
    keyspace,
    table: name,
    tableId: id,
  }));
  return {
    formatVersion: FORMAT_VERSION,
    workflow: 'restore',
    ...{ runId: run.runId, clusterId: run.clusterId, operation, dryRun, online },
    ...{ selection, tables, onlyBackedUpDatacenters },
    ...{ sourceCluster, backupId: backup.manifest.backupId },
    snapshotAt: backup.manifest.snapshotAt,
    statements: [],
    // What is still in commit logs is lost where a node cannot drain: only if all of it is replaced anyway.
    mayFailToDrain: live.difference !== undefined && !stays.tables,
    settlesWrites: stays.tables || stays.nodes,
    nodes: nodes.map(({ described: { host, result }, header, parts }) => ({
      ...{ instanceId: host.instanceId, instanceArn: host.instanceArn, hostId: header.hostId },
      sources: parts.map(({ source }) => source),
      ...{ isSeed: result.isSeed ?? false, cassandra: result.cassandra, bytes: bytesOf({ parts }, tables) },
    })),
    warnings: [...warningsOf(operation, live), ...(operation === 'restore' ? damageOf(nodes) : [])],
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

function damageOf(nodes: readonly MappedNode[]): string[] {
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

async function writePlan(
  ports: StepPorts,
  run: RunRef,
  plan: RestorePlan,
): Promise<StepOutput<'PlanRestore'>> {
  const { operation, dryRun, online, nodes } = plan;
  const isUp = (node: RestorePlan['nodes'][number]) => node.cassandra === 'up';
  const appliers = nodes.filter(isUp).slice(0, 1);
  if (plan.statements.length > 0 && appliers.length === 0) {
    throw new NodeDown('got no node that is up, expected one to re-create what was dropped');
  }
  const planKey = ports.layout.plan(run.clusterId, run.runId);
  await ports.vault.put(planKey, serialize(plan), 'overwrite');
  const list = (name: string, listed: RestorePlan['nodes']) => writeHostsIfAny(ports, run, name, listed);
  const nodesKey = await list('nodes', nodes);
  return {
    ...{ operation, dryRun, online, planKey, nodesKey },
    quietKey: plan.settlesWrites && !online ? await list('quiet', nodes.filter(isUp)) : '',
    schemaNodeKey: await list('schema-node', plan.statements.length > 0 ? appliers : []),
    seedsKey: await list(
      'seeds',
      nodes.filter((node) => node.isSeed),
    ),
    othersKey: await list(
      'others',
      nodes.filter((node) => !node.isSeed),
    ),
    summary: restoreSummary(plan),
  };
}

export const handler = defineStep('PlanRestore', planRestore);

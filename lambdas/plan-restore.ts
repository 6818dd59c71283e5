// PlanRestore: what a restore, an undo or a release will do, refused here if at all: nothing has been changed yet.
import type { DeployedConfiguration, VaultPlace } from '../contracts/configuration.ts';
import {
  InvalidConfiguration,
  NodeDown,
  NotConfirmed,
  SchemaConflict,
  TopologyMismatch,
} from '../contracts/errors.ts';
import type { RestorePlan } from '../contracts/plans.ts';
import { type RestoreRequest, restoreRequest, selectionWithNames } from '../contracts/requests.ts';
import type { RunRef } from '../contracts/runs.ts';
import { selectionOf } from '../contracts/selection.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import type { DescribedHost } from './planning/agreement.ts';
import {
  forgottenFrom,
  partWarnings,
  requireNoCounters,
  requireWithinGcGrace,
} from './planning/beside-newer.ts';
import { planToBringBack } from './planning/bring-back.ts';
import { knownHosts, type Live, liveRing, type Now, readLive, readNow } from './planning/live-cluster.ts';
import { planToLoad, whyLoaded } from './planning/load-plan.ts';
import { besideWhatThereIs, requireAllUp } from './planning/online-restore.ts';
import { ROLES_STAY } from './planning/other-cluster.ts';
import { narrowedWarnings } from './planning/replication.ts';
import { inVault, type RestorableBackup, readBackup } from './planning/restorable-backup.ts';
import {
  mapNodes,
  matchNodes,
  requireAllowed,
  requireNotOlder,
  requireReadable,
  requireSpace,
} from './planning/restore-nodes.ts';
import { planOf } from './planning/restore-plan.ts';
import { readSource } from './planning/restore-source.ts';
import { findRestore, stillThere } from './planning/restore-subject.ts';
import { restoreSummary } from './planning/restore-summary.ts';
import { restoredPart } from './planning/restored-part.ts';
import { requireSettled, whatStays } from './planning/what-stays.ts';
import { readDeployed, readHosts, serialize, writeHostsIfAny } from './vault/documents.ts';
import { readResults } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/**
 * @throws CountersAtRisk NotConfirmed TokensMismatch SameClusterName GcGracePassed UnknownBackup NoBackup NothingToUndo TopologyMismatch SchemaConflict IncompatibleVersion InsufficientSpace
 *   RestoreNotAllowed NodeDown RingDisagreement SchemaDisagreement InvalidConfiguration BackupDamaged RunEnded
 */
export async function planRestore(
  { run, request: given, hostsKey }: StepInput<'PlanRestore'>,
  ports: StepPorts,
): Promise<StepOutput<'PlanRestore'>> {
  await requireLock(ports, run);
  const request = restoreRequest.parse(given);
  const deployed = await readDeployed(ports, run);
  const hosts = await readHosts(ports, hostsKey);
  const described = await readResults(ports, 'describe', { runId: run.runId, phase: 'describe', hosts });
  requireConfirmed(request);
  const plan =
    request.operation === 'restore'
      ? await planToRestore(ports, run, { request, described, deployed })
      : await planToUndoOrRelease(ports, run, { request, described, deployed });
  return writePlan(ports, run, plan);
}

/** @throws NotConfirmed */
function requireConfirmed(request: RestoreRequest): void {
  const changesNothing =
    request.dryRun || (request.operation === 'restore' && request.stopAfterStep !== undefined);
  if (changesNothing || request.confirmCluster === request.clusterId) return;
  throw new NotConfirmed(
    `${request.operation}: got confirmCluster ${request.confirmCluster ?? '(none)'}, expected "${request.clusterId}"`,
  );
}

interface Asked<Request> {
  request: Request;
  described: DescribedHost[];
  deployed: DeployedConfiguration;
}

type ToRestore = Extract<RestoreRequest, { operation: 'restore' }>;

async function planToRestore(
  ports: StepPorts,
  run: RunRef,
  { request, described, deployed }: Asked<ToRestore>,
): Promise<RestorePlan> {
  const { deadNode } = request;
  const { cluster } = deployed;
  if (deadNode) return planToBringBack(ports, run, { request: { ...request, deadNode }, described, cluster });
  const { sourceCluster = run.clusterId } = request;
  const sourceVault = requireReadableBy(deployed, sourceCluster, request.sourceVault);
  const whole = await readWhole(ports, run, described, { ...request, sourceCluster, sourceVault });
  let now: Now | undefined;
  if (request.online) {
    const part = restoredPart(whole, selectionWithNames(request), knownHosts(described));
    now = await readNow(ports, run, described);
    const why = whyLoaded(request, run.clusterId, part, now);
    if (why.length > 0)
      return planToLoad(run, { request, described, cluster, part, ...now, sourceVault, why });
  }
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
  const stopAfterDownload = request.stopAfterStep === 'download';
  const asIs = { described, cluster, backup, onlyBackedUpDatacenters };
  const live = await readLive(ports, run, asIs, now);
  const { difference } = live;
  if (difference && difference.conflicts.length > 0)
    throw new SchemaConflict(difference.conflicts.join('; '));
  requireNotOlder(described, backup.headers, difference?.statements ?? []);
  const { online, repair } = request;
  if (online) requireAllUp(nodes);
  else requireSettled(whatStays(backup, difference), nodes);
  const { snapshotAt, leftOut: lacking } = backup.manifest;
  const minds = !request.ignoreGcGrace;
  if (minds) requireWithinGcGrace(backup, live.schema, { from: snapshotAt, now: ports.clock.now() });
  if (!online && !request.ignoreCounters) requireNoCounters(backup);
  const operation = 'restore';
  const of = { sourceCluster, sourceVault };
  const asked = { operation, dryRun, online, onlyBackedUpDatacenters, selection, ...of } as const;
  const plan = planOf(run, { ...asked, backup, nodes, live, repair, stopAfterDownload });
  requireSpace(nodes, plan, cluster.limits);
  const beside = online ? besideWhatThereIs(backup.schema.tables) : [];
  const roles = sourceCluster === run.clusterId ? [] : [ROLES_STAY];
  const statements = difference?.statements ?? [];
  const narrowed = narrowedWarnings(backup.schema, statements);
  const part = stopAfterDownload ? [] : partWarnings(backup, leftOut, repair);
  return {
    ...plan,
    ...{ restoreRunId: run.runId, statements },
    ...(minds && lacking.nodes > 0 && { notAfter: forgottenFrom(backup, live.schema, snapshotAt) }),
    warnings: [...plan.warnings, ...narrowed, ...beside, ...part, ...roles],
  };
}

/** In terms of the live nodes, which each take their own part; online to whichever there are. */
async function readWhole(
  ports: StepPorts,
  run: RunRef,
  described: DescribedHost[],
  source: Omit<ToRestore, 'sourceVault'> & { sourceCluster: string; sourceVault: VaultPlace | undefined },
): Promise<RestorableBackup> {
  const { sourceCluster, sourceVault, backupId, snapshotOnly, online } = source;
  if (online) return readBackup(inVault(ports, sourceVault), sourceCluster, backupId, snapshotOnly);
  return readSource(ports, run.clusterId, source, () => liveRing(ports, run, described));
}

async function planToUndoOrRelease(
  ports: StepPorts,
  run: RunRef,
  { request, described, deployed }: Asked<Extract<RestoreRequest, { operation: 'undo' | 'release' }>>,
): Promise<RestorePlan> {
  const { operation, dryRun } = request;
  const { cluster } = deployed;
  const restore = await findRestore(ports, run.clusterId, operation, request.restoreRunId);
  const selection = restore.selection ?? selectionOf(restore.request);
  const { sourceCluster = run.clusterId, backupId } = restore;
  const sourceVault = vaultOf(deployed, restore.sourceVault);
  const { datacenter } = selection;
  const ring = () => liveRing(ports, run, described);
  const whole = await readSource(
    ports,
    run.clusterId,
    { sourceCluster, sourceVault, backupId, datacenter },
    ring,
  );
  const backup = restoredPart(whole, selection, knownHosts(described));
  // Old data is deleted wherever it still is; but it is put back on every node, or on none.
  const matched = matchNodes(described, backup);
  const { mapped: nodes, problems } = await stillThere(ports, restore, matched, backup.isOfOthers);
  if (nodes.length === 0 || (operation === 'undo' && problems.length > 0))
    throw new TopologyMismatch(`restore ${restore.runId}: ${problems.join('; ')}`);
  requireAllowed(nodes, run.clusterId);
  const onlyBackedUpDatacenters = restore.request['onlyBackedUpDatacenters'] === true;
  const asIs = { described, cluster, backup, onlyBackedUpDatacenters };
  // What is deleted has nothing to do with what there is now.
  const live =
    operation === 'undo'
      ? await readLive(ports, run, asIs)
      : { described, up: [], difference: undefined, schema: undefined };
  if (operation === 'undo') {
    requireTablesOfUndo(restore.runId, live);
    requireSettled(whatStays(backup, live.difference), nodes);
    const age = { from: restore.startedAt, now: ports.clock.now() };
    if (!request.ignoreGcGrace) requireWithinGcGrace(backup, live.schema, age);
    if (!request.ignoreCounters) requireNoCounters(backup);
  }
  const asked = {
    ...{ operation, dryRun, online: false, onlyBackedUpDatacenters, selection, sourceCluster },
    sourceVault,
  };
  const plan = planOf(run, { ...asked, backup, nodes, live });
  const warnings = [...plan.warnings, ...(operation === 'release' ? problems : [])];
  return { ...plan, restoreRunId: restore.runId, warnings };
}

/** @returns where the backup lies, if not in the vault of the run. @throws InvalidConfiguration */
function requireReadableBy(
  deployed: DeployedConfiguration,
  sourceCluster: string,
  sourceVault: string | undefined,
): RestorePlan['sourceVault'] {
  const { clusterId, cluster } = deployed;
  const place = vaultOf(deployed, sourceVault);
  const isThere = cluster.restoresFrom.some((source) =>
    typeof source === 'string'
      ? !sourceVault && source === sourceCluster
      : source.vault === sourceVault && source.cluster === sourceCluster,
  );
  if (isThere || (!sourceVault && sourceCluster === clusterId)) return place;
  const named = (cluster: string, vault: string | undefined) =>
    vault ? `${cluster} of vault ${vault}` : cluster;
  const known = cluster.restoresFrom.map((source) =>
    typeof source === 'string' ? source : named(source.cluster, source.vault),
  );
  throw new InvalidConfiguration(
    `restoresFrom of ${clusterId}: got ${known.join(', ') || 'none'}, expected "${named(sourceCluster, sourceVault)}", whose backup its hosts would have to read`,
  );
}

/** @throws InvalidConfiguration */
function vaultOf(
  { clusterId, vaults }: DeployedConfiguration,
  name: string | undefined,
): RestorePlan['sourceVault'] {
  if (name === undefined) return undefined;
  const found = vaults[name];
  if (found) {
    const { bucket, prefix, region, kmsKeyArns } = found;
    const regions = new Set([...kmsKeyArns.map((arn) => arn.split(':')[3] ?? region), region]);
    return { name, bucket, prefix, region, kmsRegions: [...regions] };
  }
  throw new InvalidConfiguration(
    `vaults: got ${Object.keys(vaults).join(', ') || 'none'} in restoresFrom of ${clusterId}, expected "${name}"`,
  );
}

/** Old files go back into the directories of the tables that they came from: these must be the live ones still. */
function requireTablesOfUndo(restoreRunId: string, { difference }: Live): void {
  if (!difference) return;
  const gone = difference.missing.map((table) => `${table} was dropped`);
  const problems = [...gone, ...difference.conflicts];
  if (problems.length === 0) return;
  throw new SchemaConflict(`the schema was changed since restore ${restoreRunId}: ${problems.join('; ')}`);
}

async function writePlan(
  ports: StepPorts,
  run: RunRef,
  plan: RestorePlan,
): Promise<StepOutput<'PlanRestore'>> {
  const { operation, dryRun, stopAfterDownload, online, nodes, load } = plan;
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
    ...{
      operation,
      dryRun,
      stopAfterDownload,
      online,
      load: load !== undefined,
      deadNode: plan.deadNode !== undefined,
      planKey,
      nodesKey,
    },
    quietKey: plan.settlesWrites && !online ? await list('quiet', nodes.filter(isUp)) : '',
    schemaNodeKey: await list('schema-node', plan.statements.length > 0 ? appliers : []),
    indexNodeKey: await list('index-node', load && load.indexes.length > 0 ? appliers : []),
    seedsKey: await list(
      'seeds',
      nodes.filter((node) => node.isSeed),
    ),
    othersKey: await list(
      'others',
      nodes.filter((node) => !node.isSeed),
    ),
    repairKey: plan.repair ? nodesKey : '',
    witnessesKey: await writeHostsIfAny(ports, run, 'witnesses', plan.deadNode?.others ?? []),
    summary: restoreSummary(plan),
  };
}

export const handler = defineStep('PlanRestore', planRestore);

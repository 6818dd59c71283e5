// What each action is given: one builder per action, from the run's plan, the state's parameters and earlier results.
import { z } from 'zod';
import type { ActionInput, ActionName } from '../../contracts/actions.ts';
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { GcGracePassed, InvalidDocument, PauseExceeded } from '../../contracts/errors.ts';
import { actionIdOf, snapshotTagOf } from '../../contracts/identifiers.ts';
import {
  backupPlan,
  EMPTIED_BY_RESTORE,
  type Host,
  type RestorePlan,
  recoveryPlan,
  restorePlan,
} from '../../contracts/plans.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { readDocument } from '../vault/documents.ts';
import { encryptionKeysOf } from '../vault/encryption-keys.ts';
import { readResult } from '../vault/results.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { endRunInput } from './end-run.ts';
import { parameter } from './parameter.ts';

export interface ActionRequest {
  run: RunRef;
  host: Host;
  planKey?: string | undefined;
  parameters: Record<string, unknown>;
  cluster: ClusterConfiguration;
}
type Ports = Pick<StepPorts, 'vault' | 'layout' | 'kmsKeys' | 'clock'>;
type Builder<Name extends ActionName> = (asked: ActionRequest, ports: Ports) => Promise<ActionInput<Name>>;

export const actionInputs: { [Name in ActionName]: Builder<Name> } = {
  prepare: async ({ cluster }) => ({ architecture: cluster.hosts.architecture }),
  describe: async () => ({}),
  flush: async () => ({}),
  async snapshot(asked, ports) {
    const { snapshotTag, tables, selection } = await plan(asked, ports, backupPlan);
    const notAfter = snapshotEnd(asked, ports);
    return {
      tag: snapshotTag,
      at: parameter(asked.parameters, 'at'),
      ...(selection.keyspaces && { keyspaces: [...new Set(tables.map((table) => table.keyspace))] }),
      ...(notAfter && { notAfter }),
    };
  },
  async 'collect-increments'(asked, ports) {
    const { base, previous, tables, nodes } = await plan(asked, ports, backupPlan);
    return {
      ...{ hostId: nodeOf(nodes, asked).hostId, tables },
      ...(base && { baseId: base.backupId }),
      ...(previous && { previousId: previous.backupId }),
    };
  },
  upload: uploadInput,
  'release-increments': releaseInput,
  async 'clear-snapshot'(asked, ports) {
    const { round } = await plan(asked, ports, backupPlan);
    return { tags: Array.from({ length: round }, (_, index) => snapshotTagOf(asked.run.runId, index + 1)) };
  },
  async 'check-restore'(asked, ports) {
    const planned = await plan(asked, ports, restorePlan);
    return { ...sourceOf(planned, asked), ...newHostOf(planned) };
  },
  async download(asked, ports) {
    const planned = await plan(asked, ports, restorePlan);
    return { ...sourceOf(planned, asked), ...(planned.stopAfterDownload && { forLater: true }) };
  },
  async 'check-loader'(asked, ports) {
    const { chains } = await loadInput(asked, ports);
    return { chains };
  },
  load: loadInput,
  import: async (asked, ports) => sourceOf(await plan(asked, ports, restorePlan), asked),
  async place(asked, ports) {
    const planned = await plan(asked, ports, restorePlan);
    requireRemembered(planned, ports);
    const emptied = EMPTIED_BY_RESTORE.map((each) => ({ ...each }));
    return { ...sourceOf(planned, asked), emptied, ...newHostOf(planned) };
  },
  async 'apply-schema'(asked, ports) {
    const { statements, load } = await plan(asked, ports, restorePlan);
    return { statements: asked.parameters['afterLoad'] === true ? (load?.indexes ?? []) : statements };
  },
  'stop-clients': async () => ({}),
  'settle-writes': async () => ({}),
  async stop(asked, ports) {
    const { mayFailToDrain, settlesWrites, nodes } = await plan(asked, ports, restorePlan);
    // On one that is down they lie since before.
    const wasUp = nodeOf(nodes, asked).cassandra === 'up';
    return { mayFailToDrain, mayLeaveHints: !(settlesWrites && wasUp) };
  },
  'check-undo': restoreRunInput,
  'put-back': restoreRunInput,
  'release-old': restoreRunInput,
  async start(asked, ports) {
    const started = await plan(asked, ports, z.union([restorePlan, recoveryPlan]));
    if (started.workflow === 'recover') return { awaitsSchema: false, ...replacing(started) };
    return { awaitsSchema: started.deadNode !== undefined, ...replacing(started.deadNode) };
  },
  async repair(asked, ports) {
    const planned = await plan(asked, ports, restorePlan);
    requireRemembered(planned, ports);
    const { tables, repair, deadNode } = planned;
    const byKeyspace = Map.groupBy(deadNode ? [] : tables, (each) => each.keyspace);
    const keyspaces = [...byKeyspace].map(([keyspace, own]) => ({
      keyspace,
      tables: own.map(({ table }) => table),
    }));
    return { keyspaces, primaryRange: repair?.primaryRange ?? false };
  },
  'end-run': endRunInput,
  async settle(asked, ports) {
    const { restoreRunId, direction, subjectRunId } = await plan(asked, ports, recoveryPlan);
    const told = parameter(asked.parameters, 'direction');
    if (!restoreRunId || direction === 'none' || direction !== told) {
      throw new InvalidDocument(
        `${asked.planKey}: got direction ${direction} of ${restoreRunId}, expected ${told} of a restore`,
      );
    }
    return { restoreRunId, direction, keeps: restoreRunId !== subjectRunId };
  },
};

async function plan<Plan>(
  { planKey, host }: ActionRequest,
  ports: Ports,
  schema: z.ZodType<Plan>,
): Promise<Plan> {
  if (!planKey) throw new InvalidDocument(`got no plan for ${host.instanceId}, expected planKey`);
  return readDocument(ports, planKey, schema);
}

/** The end of the applications' pause, "" without one. @throws PauseExceeded for a retry that comes after it */
function snapshotEnd({ host, parameters }: ActionRequest, { clock }: Ports): string {
  const notAfter = 'notAfter' in parameters ? parameter(parameters, 'notAfter') : '';
  if (notAfter === '' || clock.now() < new Date(notAfter)) return notAfter;
  throw new PauseExceeded(`${host.instanceId}: got no snapshot until ${notAfter}, when the pause ends`);
}

function nodeOf<Node extends Host>(nodes: readonly Node[], { host, planKey }: ActionRequest): Node {
  const node = nodes.find((each) => each.instanceArn === host.instanceArn);
  if (node) return node;
  throw new InvalidDocument(`${planKey}: got no node on ${host.instanceArn}, expected one`);
}

async function uploadInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'upload'>> {
  const { backupId, kind, round, scope, snapshotTag, schemaVersion, tables, nodes } = await plan(
    asked,
    ports,
    backupPlan,
  );
  const { hostId, datacenter, rack, cassandraVersion, previous, instanceArn } = nodeOf(nodes, asked);
  const at = (phase: string) => ({ instanceArn, actionId: actionIdOf(asked.run.runId, phase) });
  const { times, incrementalBackups } =
    kind === 'incremental'
      ? {
          ...(await readResult(ports, 'collect-increments', at(`collect-increments-${round}`))),
          incrementalBackups: true,
        }
      : await readResult(ports, 'snapshot', at(`snapshot-${round}`));
  return {
    ...{
      backupId,
      kind,
      hostId,
      datacenter,
      rack,
      cassandraVersion,
      schemaVersion,
      incrementalBackups,
      tag: snapshotTag,
      times,
      tables,
    },
    scope,
    damagedFiles: asked.cluster.policy.damagedFiles,
    encryption: encryptionKeysOf(ports, asked.run.clusterId, asked.cluster),
    // What was written since is in none.
    previous: kind === 'incremental' ? [] : previous,
  };
}

function sourceOf({ tables, nodes }: RestorePlan, asked: ActionRequest): ActionInput<'import'> {
  return { sources: nodeOf(nodes, asked).sources, tables };
}

async function loadInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'load'>> {
  const { load } = await plan(asked, ports, restorePlan);
  const own = load?.shares.filter(({ instanceArn }) => instanceArn === asked.host.instanceArn) ?? [];
  if (!load || own.length === 0)
    throw new InvalidDocument(`${asked.planKey}: got nothing for ${asked.host.instanceArn} to load`);
  return { chains: own.map(({ sources }) => sources), tables: load.tables };
}

const replacing = (of: { replaces?: string | undefined } = {}) =>
  of.replaces === undefined ? {} : { replaces: of.replaces };

function newHostOf({ deadNode }: RestorePlan): Pick<ActionInput<'place'>, 'newHost'> {
  if (!deadNode) return {};
  const { readableFormats, clusterName } = deadNode;
  return { newHost: { readableFormats, clusterName, ...replacing(deadNode) } };
}

/** @throws GcGracePassed where the download or the queue took so long that deletions may be forgotten by now */
function requireRemembered({ notAfter, snapshotAt }: RestorePlan, { clock }: Ports): void {
  const now = clock.now().toISOString();
  if (!notAfter || now < notAfter) return;
  throw new GcGracePassed(
    `the data of ${snapshotAt}: got ${now}, expected it placed and repaired before ${notAfter}`,
  );
}

async function releaseInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'release-increments'>> {
  const { backupId, nodes } = await plan(asked, ports, backupPlan);
  const { instanceArn } = nodeOf(nodes, asked);
  const actionId = actionIdOf(asked.run.runId, 'upload');
  const { headerSha256, listingSha256 } = await readResult(ports, 'upload', { instanceArn, actionId });
  const { clusterId } = asked.run;
  return { source: { clusterId, backupId, instanceArn, headerSha256, listingSha256 } };
}

async function restoreRunInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'put-back'>> {
  return { restoreRunId: (await plan(asked, ports, restorePlan)).restoreRunId };
}

// PlanRecovery: reads the vault and what each host said of its swap; chooses the one end for the whole cluster.
import type { ActionOutput } from '../contracts/actions.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import { RecoveryIncomplete } from '../contracts/errors.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import type { Host, RecoveryPlan, RestorePlan } from '../contracts/plans.ts';
import { type RunStatus, runRecord } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { leftOnHosts, servedData, UNTOUCHED } from './planning/recovery-warnings.ts';
import { findSubjectPlan } from './planning/subject-plan.ts';
import { directionOf } from './planning/swap-direction.ts';
import { FROM_START, FROM_STOP, WITHOUT_CLIENTS } from './planning/swap-phases.ts';
import { findDocument, serialize, writeHostsIfAny } from './vault/documents.ts';
import { findResult } from './vault/results.ts';
import { findManifest } from './vault/sealed-backups.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

type Input = StepInput<'PlanRecovery'>;
type Swap = ActionOutput<'end-run'>['swap'];
/** What is to be done on the subject's hosts. */
type Settlement = Pick<
  RecoveryPlan,
  'direction' | 'restoreRunId' | 'replaces' | 'releasedHosts' | 'warnings'
> & {
  nodes: RestorePlan['nodes'];
  /** Of these, those to be started. */
  started: RestorePlan['nodes'];
};

/** @throws RecoveryIncomplete RunEnded */
export async function planRecovery(input: Input, ports: StepPorts): Promise<StepOutput<'PlanRecovery'>> {
  const { run, subject } = input;
  await requireLock(ports, run);
  const status = await statusOf(input, ports);
  const { started, ...settlement } = await settle(input, ports);
  const told = status === 'COMPLETED' ? [] : settlement.warnings;
  const hosts = hostsOf(settlement.nodes);
  const plan: RecoveryPlan = {
    formatVersion: FORMAT_VERSION,
    workflow: 'recover',
    ...{ runId: run.runId, clusterId: run.clusterId, subjectRunId: subject.runId, status },
    ...settlement,
    nodes: hosts,
    warnings: [...told, ...(await leftOnHosts(input, ports))],
  };
  const planKey = ports.layout.plan(run.clusterId, run.runId);
  await ports.vault.put(planKey, serialize(plan), 'overwrite');
  const list = (name: string, listed: Host[]) => writeHostsIfAny(ports, run, name, listed);
  return {
    ...{ planKey, status, direction: plan.direction },
    nodesKey: await list('nodes', hosts),
    seedsKey: await list(
      'seeds',
      started.filter((node) => node.isSeed),
    ),
    othersKey: await list(
      'others',
      started.filter((node) => !node.isSeed),
    ),
  };
}

function hostsOf(nodes: RestorePlan['nodes']): Host[] {
  return nodes.map(({ instanceId, instanceArn, hostId }) => ({ instanceId, instanceArn, hostId }));
}

/** A sealed backup is COMPLETED whatever happened to its execution; what was recorded stays. */
async function statusOf({ run, subject }: Input, ports: StepPorts): Promise<RunStatus> {
  const { clusterId } = run;
  const recorded = await findDocument(ports, ports.layout.runRecord(clusterId, subject.runId), runRecord);
  if (recorded) return recorded.status;
  if (subject.workflow === 'backup' && (await findManifest(ports, clusterId, subject.runId)))
    return 'COMPLETED';
  const execution = await ports.executions.status(subject.executionArn);
  return execution?.status === 'ABORTED' ? 'CANCELLED' : 'FAILED';
}

const NOTHING: Settlement = { direction: 'none', nodes: [], started: [], releasedHosts: [], warnings: [] };

async function settle(input: Input, ports: StepPorts): Promise<Settlement> {
  const { run, subject } = input;
  if (subject.workflow !== 'restore') return NOTHING;
  const plan = await findSubjectPlan(ports, run.clusterId, subject.runId);
  if (plan?.workflow !== 'restore' || plan.dryRun) return { ...NOTHING, warnings: [UNTOUCHED] };
  const swaps = await swapsOf(input, plan, ports);
  const unknown = plan.nodes.filter((node) => !swaps.has(node.instanceId));
  const nodes = await ports.catalog.listNodes(subject.runId);
  if (plan.operation === 'release') {
    const begun = nodes.filter(({ phase }) => phase === 'release-old').map(({ instanceId }) => instanceId);
    return releaseSettlement(plan, swaps, { unknown, begun });
  }
  // An undo that was refused has found hosts in whatever state; from its first stop on its phases tell.
  const began = plan.operation !== 'undo' && [...swaps.values()].some((swap) => swap !== 'none');
  const phases = nodes.map(({ phase }) => phase);
  const stopped = phases.some((phase) => FROM_STOP.includes(phase));
  const served = servedData(plan, plan.operation === 'undo');
  if (!began && (plan.online || !stopped)) {
    if (!phases.some((phase) => WITHOUT_CLIENTS.includes(phase))) return { ...NOTHING, warnings: [served] };
    return letClientsIn(plan, served, unknown);
  }
  // Of a dead node that is brought back nobody else depends on what becomes of it.
  if (plan.deadNode && unknown.length > 0) {
    const left = unknown.map(
      ({ instanceId }) =>
        `${instanceId} did not answer: whether a node serves on it is not known. If it is gone for good, start the restore again with another host`,
    );
    return { ...NOTHING, warnings: [served, ...left] };
  }
  if (unknown.length > 0) {
    const named = unknown.map((node) => node.instanceId).join(', ');
    throw new RecoveryIncomplete(`got no word from ${named} of how its swap stands, expected every host's`);
  }
  const forgetful = plan.nodes.filter(({ instanceId }) => swaps.get(instanceId) === 'none');
  if (plan.operation === 'undo' && forgetful.length > 0) {
    const named = forgetful.map(({ instanceId }) => instanceId).join(', ');
    throw new RecoveryIncomplete(
      `got nothing of restore ${plan.restoreRunId} on ${named}, expected the journal of its swap (/var/lib/ringvault/journals): bring it there from the host that the node was on`,
    );
  }
  const whole = directionOf([...swaps.values()]);
  // Nobody has asked since whether the dead node is dead: it is not started by a Recover that comes later.
  const isUnasked = plan.deadNode && !phases.some((phase) => FROM_START.includes(phase));
  const direction = whole === 'forward' && isUnasked ? 'back' : whole;
  const down = isAsBefore(plan, direction) ? plan.nodes.filter((node) => node.cassandra === 'down') : [];
  return {
    ...NOTHING,
    ...{ direction, restoreRunId: plan.restoreRunId, nodes: plan.nodes },
    ...(plan.deadNode && { replaces: plan.deadNode.replaces }),
    started: plan.nodes.filter((node) => !down.includes(node)),
    warnings: [
      servedData(plan, direction === 'forward'),
      ...(plan.deadNode ? [] : down).map(
        ({ instanceId }) =>
          `${instanceId} was down before the ${plan.operation} and is not started: start it yourself`,
      ),
    ],
  };
}

/** On the data from before the run a node that was down then need not come up: waiting for it would keep the lock. */
function isAsBefore({ operation }: RestorePlan, direction: RecoveryPlan['direction']): boolean {
  return operation === 'restore' ? direction !== 'forward' : direction === 'forward';
}

async function swapsOf({ run }: Input, plan: RestorePlan, ports: StepPorts): Promise<Map<string, Swap>> {
  const actionId = actionIdOf(run.runId, 'end-run');
  const swaps = new Map<string, Swap>();
  for (const { instanceId, instanceArn } of plan.nodes) {
    const result = await findResult(ports, 'end-run', { instanceArn, actionId });
    if (result) swaps.set(instanceId, result.swap);
  }
  return swaps;
}

/** No node was stopped yet: those that answer serve clients again, whatever became of the others. */
function letClientsIn(plan: RestorePlan, served: string, unknown: RestorePlan['nodes']): Settlement {
  const left = unknown.map(
    ({ instanceId }) =>
      `${instanceId} did not answer and may keep its clients out: run nodetool enablebinary on it once it is back`,
  );
  const started = plan.nodes.filter((node) => node.cassandra === 'up' && !unknown.includes(node));
  return { ...NOTHING, started, warnings: [served, ...left] };
}

/** Cassandra serves throughout; what was deleted is deleted. */
function releaseSettlement(
  plan: RestorePlan,
  swaps: Map<string, Swap>,
  { unknown, begun }: { unknown: RestorePlan['nodes']; begun: string[] },
): Settlement {
  // Who was asked and does not answer any more may have.
  const perhaps = unknown.map(({ instanceId }) => instanceId).filter((each) => begun.includes(each));
  const released = plan.nodes
    .map((node) => node.instanceId)
    .filter((instanceId) => swaps.get(instanceId) === 'released');
  const releasedHosts = [...released, ...perhaps];
  const left = plan.nodes.length - releasedHosts.length;
  const kept =
    left > 0 ? `is still kept on ${left} of ${plan.nodes.length} hosts` : 'may be there in part still';
  const warnings = [
    ...(releasedHosts.length > 0
      ? [`what restore ${plan.restoreRunId} kept aside ${kept}: release it again by its run ID`]
      : []),
    ...perhaps.map((instanceId) => `${instanceId} did not say whether it has released what it kept`),
  ];
  return { ...NOTHING, releasedHosts, warnings };
}

export const handler = defineStep('PlanRecovery', planRecovery);

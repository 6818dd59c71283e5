// What each action is given: one builder per action, from the run's plan, the state's parameters and earlier results.
import type { z } from 'zod';
import type { ActionInput, ActionName } from '../../contracts/actions.ts';
import type { ClusterConfiguration } from '../../contracts/configuration.ts';
import { InvalidDocument } from '../../contracts/errors.ts';
import { actionIdOf, snapshotTagOf } from '../../contracts/identifiers.ts';
import {
  backupPlan,
  EMPTIED_BY_RESTORE,
  type Host,
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
type Ports = Pick<StepPorts, 'vault' | 'layout' | 'kmsKeys'>;
type Builder<Name extends ActionName> = (asked: ActionRequest, ports: Ports) => Promise<ActionInput<Name>>;

export const actionInputs: { [Name in ActionName]: Builder<Name> } = {
  prepare: async ({ cluster }) => ({ architecture: cluster.hosts.architecture }),
  describe: async () => ({}),
  flush: async () => ({}),
  async snapshot(asked, ports) {
    const { snapshotTag } = await plan(asked, ports, backupPlan);
    return { tag: snapshotTag, at: parameter(asked.parameters, 'at') };
  },
  upload: uploadInput,
  async 'clear-snapshot'(asked, ports) {
    const { round } = await plan(asked, ports, backupPlan);
    return { tags: Array.from({ length: round }, (_, index) => snapshotTagOf(asked.run.runId, index + 1)) };
  },
  'check-restore': sourceInput,
  download: sourceInput,
  place: async (asked, ports) => ({
    ...(await sourceInput(asked, ports)),
    emptied: EMPTIED_BY_RESTORE.map((each) => ({ ...each })),
  }),
  'apply-schema': async (asked, ports) => ({
    statements: (await plan(asked, ports, restorePlan)).statements,
  }),
  stop: async (asked, ports) => ({
    mayFailToDrain: (await plan(asked, ports, restorePlan)).mayFailToDrain,
  }),
  'put-back': restoreRunInput,
  'release-old': restoreRunInput,
  start: async () => ({}),
  'end-run': endRunInput,
  async settle(asked, ports) {
    const { restoreRunId, direction } = await plan(asked, ports, recoveryPlan);
    const told = parameter(asked.parameters, 'direction');
    if (!restoreRunId || direction === 'none' || direction !== told) {
      throw new InvalidDocument(
        `${asked.planKey}: got direction ${direction} of ${restoreRunId}, expected ${told} of a restore`,
      );
    }
    return { restoreRunId, direction };
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

function nodeOf<Node extends Host>(nodes: readonly Node[], { host, planKey }: ActionRequest): Node {
  const node = nodes.find((each) => each.instanceArn === host.instanceArn);
  if (node) return node;
  throw new InvalidDocument(`${planKey}: got no node on ${host.instanceArn}, expected one`);
}

async function uploadInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'upload'>> {
  const { backupId, round, snapshotTag, schemaVersion, tables, nodes } = await plan(asked, ports, backupPlan);
  const { hostId, datacenter, rack, cassandraVersion, previous, instanceArn } = nodeOf(nodes, asked);
  const actionId = actionIdOf(asked.run.runId, `snapshot-${round}`);
  const { times } = await readResult(ports, 'snapshot', { instanceArn, actionId });
  return {
    ...{
      backupId,
      hostId,
      datacenter,
      rack,
      cassandraVersion,
      schemaVersion,
      tag: snapshotTag,
      times,
      tables,
    },
    damagedFiles: asked.cluster.policy.damagedFiles,
    encryption: encryptionKeysOf(ports, asked.run.clusterId, asked.cluster),
    ...(previous && { previous }),
  };
}

async function sourceInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'download'>> {
  const { tables, nodes } = await plan(asked, ports, restorePlan);
  return { source: nodeOf(nodes, asked).source, tables };
}

async function restoreRunInput(asked: ActionRequest, ports: Ports): Promise<ActionInput<'put-back'>> {
  return { restoreRunId: (await plan(asked, ports, restorePlan)).restoreRunId };
}

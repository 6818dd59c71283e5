// The world of a step in memory: every port's twin, one deployed cluster of three hosts, and a clock that stands.
import pino from 'pino';
import { memoryCatalog } from '../../../adapters/catalog-memory.ts';
import { type ManualClock, manualClock } from '../../../adapters/clock-manual.ts';
import { type MemoryExecutions, memoryExecutions } from '../../../adapters/executions-memory.ts';
import { type MemoryHostCommands, memoryHostCommands } from '../../../adapters/host-commands-memory.ts';
import { type MemoryNotifier, memoryNotifier } from '../../../adapters/notifier-memory.ts';
import { type MemoryObjectStore, memoryObjectStore } from '../../../adapters/object-store-memory.ts';
import { type MemoryPauseSwitch, memoryPauseSwitch } from '../../../adapters/pause-switch-memory.ts';
import { clusterConfiguration, type DeployedConfiguration } from '../../../contracts/configuration.ts';
import { instanceArnBeside } from '../../../contracts/identifiers.ts';
import { vaultLayout } from '../../../contracts/layout.ts';
import type { Host } from '../../../contracts/plans.ts';
import type { AskedWorkflow, RunRef } from '../../../contracts/runs.ts';
import { claimRun } from '../../../lambdas/claim-run.ts';
import type { StepPorts } from '../../../lambdas/wrapper/step-ports.ts';

export interface World extends StepPorts {
  vault: MemoryObjectStore;
  hosts: MemoryHostCommands;
  executions: MemoryExecutions;
  notifier: MemoryNotifier;
  pauseSwitch: MemoryPauseSwitch;
  clock: ManualClock;
  metrics: object[];
}

export const CLUSTER = 'demo';
export const KMS_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';
export const START = new Date('2026-11-21T02:00:00.000Z');

export const configuration: DeployedConfiguration = {
  formatVersion: 1,
  clusterId: CLUSTER,
  vaults: {},
  cluster: clusterConfiguration.parse({
    hosts: { tag: { key: 'cassandra', value: 'demo' } },
    datacenters: ['dc1'],
    cassandra: {
      cql: { credentialsSecretArn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:demo-AbCdEf' },
    },
    limits: { reserveBytes: 1_000 },
  }),
};

export function newWorld(): World {
  const clock = manualClock(START);
  const metrics: object[] = [];
  const managed = hosts.map(({ instanceId }) => ({ instanceId, online: true, pingStatus: 'Online' }));
  return {
    vault: memoryObjectStore({ clock }),
    openVault: ({ bucket }) => {
      throw new Error(`this world has no bucket ${bucket}`);
    },
    layout: vaultLayout('backups/'),
    catalog: memoryCatalog({ clock }),
    hosts: memoryHostCommands(managed),
    executions: memoryExecutions(),
    notifier: memoryNotifier(),
    applications: { ask: () => Promise.reject(new Error('this world has no applications')) },
    pauseSwitch: memoryPauseSwitch(),
    clock,
    log: pino({ level: 'silent' }),
    kmsKeys: { [CLUSTER]: KMS_KEY },
    clusters: { [CLUSTER]: configuration },
    metrics,
    emitMetrics: (line) => void metrics.push(line),
  };
}

/** A world whose cluster has schedules. */
export function scheduledWorld(...schedules: object[]): World {
  const cluster = clusterConfiguration.parse({ ...configuration.cluster, schedules });
  return { ...newWorld(), clusters: { [CLUSTER]: { ...configuration, cluster } } };
}

export function executionOf(name: string, workflow = 'Backup') {
  return {
    arn: `arn:aws:states:eu-west-1:111122223333:execution:${workflow}:${name}`,
    startedAt: START.toISOString(),
  };
}

export const hosts: readonly (Host & { hostId: string })[] = [1, 2, 3].map((number) => {
  const instanceId = `i-0000000000000000${number}`;
  const instanceArn = instanceArnBeside(executionOf('any').arn, instanceId);
  return { instanceId, instanceArn, hostId: `0000000${number}-0000-4000-8000-000000000000` };
});

/** A run that holds the cluster, by way of ClaimRun; its execution runs. */
export async function claimedRun(
  world: World,
  { workflow = 'backup' as AskedWorkflow, name = 'one', at = 0, request = {} } = {},
): Promise<RunRef> {
  const startedAt = new Date(START.getTime() + at * 1_000);
  const execution = { ...executionOf(name, workflow), startedAt: startedAt.toISOString() };
  world.executions.known.set(execution.arn, { status: 'RUNNING', startedAt });
  const claimed = await claimRun({ workflow, request: { clusterId: CLUSTER, ...request }, execution }, world);
  if (claimed.outcome !== 'claimed') throw new Error(`claim: ${claimed.outcome}`);
  return claimed.run;
}

/** Everything that a step can leave behind, mails and commands aside, which may go out twice. */
export async function stateOf(world: World): Promise<unknown> {
  const objects = [...world.vault.objects].sort().map(([key, body]) => [key, body.toString()]);
  const runs = await world.catalog.listRuns(CLUSTER);
  const nodes = await Promise.all(runs.map((run) => world.catalog.listNodes(run.runId)));
  const withoutCommands = nodes.flat().map(({ commandId: _, ...node }) => node);
  const registration = await world.catalog.readRegistration(CLUSTER);
  return { objects, runs, nodes: withoutCommands, registration, lock: await world.catalog.readLock(CLUSTER) };
}

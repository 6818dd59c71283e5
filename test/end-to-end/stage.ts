// The installation that all end-to-end tests share: started by the first that asks, ended with the test run
// (global-teardown.ts). Tests leave it as they found it: nodes up, no faults, no fail points (`calm`), lock free.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ExecutionStatus, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import type { Client } from 'cassandra-driver';
import { systemClock } from '../../adapters/clock-system.ts';
import type { Clock } from '../../adapters/ports.ts';
import { connect } from '../../cli/connect.ts';
import type { Deployment } from '../../cli/deployment.ts';
import { type RunView, viewRun } from '../../cli/run-view.ts';
import { type Watched, watchRun } from '../../cli/watch.ts';
import {
  type AskedWorkflow,
  askedWorkflow,
  type NodeOutcome,
  type RunRecord,
  type WorkflowName,
} from '../../contracts/runs.ts';
import type { ClusterOptions } from '../../local/cassandra/cluster.ts';
import type { FaultRequest } from '../../local/endpoint/faults.ts';
import { type Installation, type ManagedCluster, startInstallation } from '../../local/installation.ts';
import { STATE_DIRECTORY } from './state-directory.ts';

const CONFIGURATION_FILE = fileURLToPath(new URL('ringvault.yaml', import.meta.url));
/** Stands in it for the applications' name server. */
const NAME_SERVER = '127.53.0.1:53053';
/** Beta's own cluster_name. */
export const HOSTILE_NAME = `beta's "own"; $(touch canary) \`touch canary\` #`;
const CASSANDRA: Record<string, Omit<ClusterOptions, 'directory'>> = {
  alpha: { nodes: 3 },
  beta: { nodes: 1, clusterName: HOSTILE_NAME },
  gamma: { nodes: 2, datacenters: ['dc1', 'dc2'], version: '4.1.10' },
  delta: { nodes: 1 },
  epsilon: { nodes: 2, datacenters: ['dc1', 'dc2'], racks: ['a', 'b'], dataDirectories: [2, 1] },
};
const LOOK_EVERY_MS = 100;
const PHASE_WITHIN_MS = 180_000;

export interface Stage {
  installation: Installation;
  deployment: Deployment;
  /** Where the applications' name server is expected. */
  nameServer: { address: string; port: number };
  /** Three nodes; started by the first test that asks. */
  alpha(): Promise<ManagedCluster>;
  /** One node; every restore of it is refused for want of space. */
  beta(): Promise<ManagedCluster>;
  /** Cassandra 4.1, one node in each of the datacenters dc1 and dc2. */
  gamma(): Promise<ManagedCluster>;
  /** One node, which can be restored. */
  delta(): Promise<ManagedCluster>;
  /** Cassandra 5.0, new and empty; its nodes have gamma's tokens, and racks of other names. */
  epsilon(): Promise<ManagedCluster>;
  start(workflow: AskedWorkflow, request: object): Promise<string>;
  /** Starts a run and waits until it, and the Recover that may follow, has ended. */
  run(workflow: AskedWorkflow, request: object): Promise<RunView>;
  /** Waits until the run, and the Recover that may follow, has ended. */
  end(executionArn: string): Promise<RunView>;
  /** Waits until the catalog says that a node of the run is in a phase, and what it says is so. */
  untilNode(executionArn: string, is: (node: NodeOutcome) => boolean): Promise<RunView>;
  /** ARNs, newest first. */
  executions(workflow: WorkflowName, status: ExecutionStatus): Promise<string[]>;
  /** Waits for a condition that is looked at again and again. */
  until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value>;
  /** As the superuser, to all nodes; one for each cluster, shared. */
  client(cluster: ManagedCluster): Promise<Client>;
  /** The mail about a run whose subject matches. */
  mailAbout(runId: string, subject: RegExp): Promise<string>;
  /** Holds the first S3 requests that match until they are told to go on, by `calm` at the latest. */
  holdAt(match: (request: FaultRequest) => boolean, times?: number): Hold;
  /** No more faults, fail points or other levers; whatever still runs is stopped and recovered. */
  calm(): Promise<void>;
  /** A run that completed. @throws Error with the run's own error */
  completed(view: RunView): RunRecord;
}

export interface Hold {
  /** Resolves when there is a first one. */
  reached: Promise<void>;
  goOn(): void;
}

const shared = globalThis as { endToEndStage?: Promise<Stage> };

export function sharedStage(): Promise<Stage> {
  shared.endToEndStage ??= startStage();
  return shared.endToEndStage;
}

async function startStage(): Promise<Stage> {
  const nameServer = await freeNameServer();
  const configurationFile = join(STATE_DIRECTORY, 'ringvault.yaml');
  const configuration = await readFile(CONFIGURATION_FILE, 'utf8');
  await mkdir(STATE_DIRECTORY, { recursive: true });
  const here = `${nameServer.address}:${nameServer.port}`;
  await writeFile(configurationFile, configuration.replaceAll(NAME_SERVER, here));
  const installation = await startInstallation({
    directory: STATE_DIRECTORY,
    configurationFile,
    clusters: [],
    schedulesFrom: halfAnHourBeforeTwo(),
    cassandra: (clusterId) => CASSANDRA[clusterId] ?? {},
  });
  Object.assign(process.env, installation.cloud.environment);
  const deployment = await connect({ stack: 'Ringvault' });
  const holds: Array<() => void> = [];
  const clients = new Map<string, Promise<Client>>();
  const end = async (executionArn: string) => {
    const { clock, stop } = wokenClock(installation);
    const watching = watchRun({ ...deployment, clock }, executionArn, SILENT, NEVER).finally(stop);
    const { outcome, view }: Watched = await watching;
    if (outcome !== 'ended') throw new Error(`${executionArn}: got ${outcome}, expected ended`);
    return view;
  };
  const start = async (workflow: AskedWorkflow, request: object) => {
    // As who means it writes it.
    const { clusterId: confirmCluster } = request as { clusterId?: unknown };
    const confirmed = workflow === 'restore' ? { confirmCluster, ...request } : request;
    return (await deployment.executions.start(workflow, confirmed)).executionArn;
  };
  return {
    installation,
    deployment,
    nameServer,
    alpha: madeOnce(() => installation.startCluster('alpha')),
    beta: madeOnce(() => installation.startCluster('beta')),
    gamma: madeOnce(() => installation.startCluster('gamma')),
    delta: madeOnce(() => installation.startCluster('delta')),
    epsilon: madeOnce(() => installation.startCluster('epsilon')),
    start,
    run: async (workflow, request) => end(await start(workflow, request)),
    end,
    until,
    untilNode: (executionArn, is) =>
      until(`a node of ${executionArn}`, async () => {
        const view = await viewRun(deployment, executionArn);
        if (view.execution && view.execution.status !== 'RUNNING') {
          throw new Error(`${executionArn} ended before: ${JSON.stringify(view.execution)}`);
        }
        return view.nodes.some(is) ? view : undefined;
      }),
    client(cluster) {
      const known = clients.get(cluster.clusterId) ?? cluster.cassandra.connect();
      clients.set(cluster.clusterId, known);
      return known;
    },
    executions: (workflow, status) => listExecutions(installation, workflow, status),
    mailAbout: (runId, subject) =>
      until(`a mail about ${runId} with ${subject}`, async () => {
        const files = installation.cloud.endpoint.deliveries.records.flatMap(({ file }) => file ?? []);
        for (const file of files.toReversed()) {
          const mail = await readFile(file, 'utf8');
          const [line = ''] = /^Subject: .*$/m.exec(mail) ?? [];
          if (line.includes(runId) && subject.test(line)) return mail;
        }
        return undefined;
      }),
    holdAt(match, times = 1) {
      const reached = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      holds.push(gate.resolve);
      installation.cloud.endpoint.faults.add({
        service: 's3',
        match(request) {
          if (!match(request)) return false;
          reached.resolve();
          return true;
        },
        times,
        effect: { kind: 'hold', until: gate.promise },
      });
      return { reached: reached.promise, goOn: gate.resolve };
    },
    async calm() {
      const { cloud, clusters: started } = installation;
      for (const goOn of holds.splice(0)) goOn();
      cloud.endpoint.faults.clear();
      cloud.functions.deliverTwice = false;
      cloud.scheduler.deliverTwice = false;
      cloud.events.dropEvents = false;
      for (const { hosts } of started.values()) for (const host of hosts) host.environment = {};
      const reason = { errorName: 'TestEnded', message: 'the test is over' };
      for (const workflow of askedWorkflow.options) {
        for (const each of await listExecutions(installation, workflow, 'RUNNING')) {
          await deployment.executions.stop(each, reason);
        }
      }
      for (const clusterId of started.keys()) {
        await until(`the end of ${clusterId}'s lock`, async () =>
          (await deployment.catalog.readLock(clusterId)) ? undefined : true,
        );
      }
    },
    completed({ run, execution }) {
      if (run?.status === 'COMPLETED') return run;
      throw new Error(`got ${JSON.stringify({ run, execution }, null, 2)}, expected a completed run`);
    },
  };
}

async function listExecutions(
  { cloud }: Installation,
  workflow: WorkflowName,
  statusFilter: ExecutionStatus,
): Promise<string[]> {
  const output = {
    backup: 'BackupArn',
    restore: 'RestoreArn',
    register: 'RegisterArn',
    recover: 'RecoverArn',
  }[workflow];
  const stateMachineArn = cloud.stacks.find('Ringvault')?.outputs[output];
  const client = new SFNClient(cloud.clientOptions);
  try {
    const { executions = [] } = await client.send(
      new ListExecutionsCommand({ stateMachineArn, statusFilter }),
    );
    return executions.flatMap(({ executionArn }) => executionArn ?? []);
  } finally {
    client.destroy();
  }
}

/** Whose sleep ends, too, when an execution has begun or ended: a watch need not look often to see the end of its run. */
function wokenClock({ cloud }: Installation): { clock: Clock; stop(): void } {
  let changed = new AbortController();
  const stop = cloud.stepFunctions.onExecutionStatusChange(() => changed.abort());
  const clock: Clock = {
    ...systemClock,
    async sleep(milliseconds) {
      // What changed since the last look ends it at once.
      await systemClock.sleep(milliseconds, changed.signal);
      changed = new AbortController();
    },
  };
  return { clock, stop };
}

/** Two runs of the tests do not meet. */
async function freeNameServer(): Promise<Stage['nameServer']> {
  const socket = createSocket('udp4').bind(0, NAME_SERVER.split(':')[0]);
  await once(socket, 'listening');
  const { address, port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return { address, port };
}

const SILENT = { show: () => {}, close: () => {} };
const NEVER = new AbortController().signal;

async function until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> {
  const givesUpAt = Date.now() + PHASE_WITHIN_MS;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (Date.now() > givesUpAt) throw new Error(`${what}: did not come in ${PHASE_WITHIN_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Whoever asks first makes it. */
export function madeOnce<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Of tomorrow, UTC: before beta's schedule, with room for tests that move the clock, and without a day of sweeps to pass. */
function halfAnHourBeforeTwo(): Date {
  const date = new Date(Date.now() + 86_400_000);
  date.setUTCHours(1, 29, 0, 0);
  return date;
}

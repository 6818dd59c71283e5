// The host program in this process on a host of its own: a directory as its root, a vault and task tokens in memory.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../../adapters/clock-system.ts';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import { type MemoryObjectStore, memoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { Clock, DataKeys, ObjectStore } from '../../adapters/ports.ts';
import { memorySecrets } from '../../adapters/secrets-memory.ts';
import { type MemoryTaskCallback, memoryTaskCallback } from '../../adapters/task-callback-memory.ts';
import {
  type ActionDocument,
  type ActionInput,
  type ActionName,
  type ActionOutput,
  actions,
} from '../../contracts/actions.ts';
import { clusterConfiguration } from '../../contracts/configuration.ts';
import { errorFrom } from '../../contracts/errors.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import type { HostPorts } from '../../node-scripts/context.ts';
import { type HostPaths, hostPaths } from '../../node-scripts/host-paths.ts';
import { type RunOutcome, runAction } from '../../node-scripts/run.ts';

const SECRET = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:cassandra-AbCdEf';
export const CLUSTER = 'demo';
export const KMS_KEY = 'arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000';

export interface HostUnderTest {
  /** May be changed between actions. */
  options: HostOptions;
  root: string;
  paths: HostPaths;
  layout: ReturnType<typeof vaultLayout>;
  store: ObjectStore;
  memory: MemoryObjectStore;
  callback: MemoryTaskCallback;
  instanceArn: string;
  document(run: string, action: ActionName, input: unknown, phase?: string): ActionDocument;
  /** Writes the next attempt's document and issues its token. */
  request(document: ActionDocument): Promise<ActionDocument>;
  carryOut(document: ActionDocument, failPoint?: string): Promise<RunOutcome>;
  /** One attempt at an action: what it answered. @throws what it failed with */
  run<Name extends ActionName>(
    run: string,
    action: Name,
    input: ActionInput<Name>,
    phase?: string,
    failPoint?: string,
  ): Promise<ActionOutput<Name>>;
  allowRestore(): Promise<void>;
  remove(): Promise<void>;
}

export interface HostOptions {
  /** cassandra part of the configuration, over what a test needs. */
  cassandra?: Record<string, unknown>;
  cql?: { tlsCaFile?: string };
  credentials?: { username: string; password: string };
  limits?: Record<string, unknown>;
  compression?: 'zstd';
  /** Of uploads. */
  encryption?: ActionInput<'upload'>['encryption'];
  clock?: Clock;
  memory?: MemoryObjectStore;
  store?: ObjectStore;
  openVault?: HostPorts['openVault'];
  dataKeys?: DataKeys;
  /** Of a host that there is already: another program on it. */
  root?: string;
  callback?: MemoryTaskCallback;
}

export async function hostUnderTest(options: HostOptions = {}): Promise<HostUnderTest> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), 'host-under-test-')));
  const paths = hostPaths(root);
  const layout = vaultLayout('');
  const memory = options.memory ?? memoryObjectStore();
  const store = options.store ?? memory;
  const dataKeys = options.dataKeys ?? memoryDataKeys(CLUSTER);
  const callback = options.callback ?? memoryTaskCallback();
  const clock = options.clock ?? systemClock;
  const instanceArn = 'arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0';
  const configuration = clusterConfiguration.parse({
    hosts: { tag: { key: 'cassandra', value: 'demo' } },
    datacenters: ['dc1'],
    compression: options.compression,
    cassandra: { ...options.cassandra, cql: { credentialsSecretArn: SECRET, ...options.cql } },
    // One thread: each takes a tenth of a second to start.
    limits: { reserveBytes: 0, niceness: 0, rehashPercent: 0, hashesAtOnce: 1, ...options.limits },
  });
  const host: HostUnderTest = {
    options,
    root,
    paths,
    layout,
    store,
    memory,
    callback,
    instanceArn,
    document(run, action, input, phase = action) {
      return {
        formatVersion: 1,
        clusterId: CLUSTER,
        runId: run,
        actionId: `${run}.${phase}`,
        action,
        phase,
        attempt: 0,
        taskToken: 'none',
        heartbeatSeconds: 6,
        deadline: new Date(clock.now().getTime() + 3_600_000).toISOString(),
        graceUntil: new Date(clock.now().getTime() + 3_600_000).toISOString(),
        cassandra: configuration.cassandra,
        compression: configuration.compression,
        limits: configuration.limits,
        input: input as Record<string, unknown>,
      };
    },
    async request(document) {
      const attempt = document.attempt + 1;
      const next = { ...document, attempt, taskToken: `${document.actionId}-${attempt}-${Math.random()}` };
      callback.issue(next.taskToken);
      await store.put(layout.action(instanceArn, next.actionId), JSON.stringify(next), 'overwrite');
      return next;
    },
    carryOut(document, failPoint) {
      return runAction({
        store,
        openVault: (place) => options.openVault?.(place) ?? store,
        dataKeys: () => dataKeys,
        secrets: memorySecrets({ [SECRET]: options.credentials ?? { username: 'none', password: 'none' } }),
        callback,
        clock,
        paths,
        log: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
        prefix: '',
        instanceArn,
        runId: document.runId,
        actionId: document.actionId,
        ...(failPoint && { failPoint }),
      });
    },
    async run(run, action, input, phase = action, failPoint) {
      const document = await host.request(host.document(run, action, input, phase));
      await host.carryOut(document, failPoint);
      const answer = callback.answers.get(document.taskToken);
      if (!answer) throw new Error(`${action} did not answer its token`);
      if ('error' in answer) throw errorFrom(answer.error);
      return actions[action].output.parse(answer.output) as ActionOutput<typeof action>;
    },
    async allowRestore() {
      await mkdir(dirname(paths.guard), { recursive: true });
      await writeFile(paths.guard, `other\n${CLUSTER}\n`);
    },
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }),
  };
  return host;
}

// A host for the host program to run on: a root directory with cassandra.yaml and the restore guard, and action documents.
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import { type ActionInput, type ActionName, actionDocument } from '../../contracts/actions.ts';
import { clusterConfiguration } from '../../contracts/configuration.ts';
import { actionIdOf, runIdOf } from '../../contracts/identifiers.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import { hostPaths } from '../../node-scripts/host-paths.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../node-scripts/start.ts';
import type { Command } from '../measure/measure.ts';
import { awsEnvironment } from './peer.ts';
import type { Arena } from './subject.ts';

export const CLUSTER = 'bench';
export const INSTANCE_ARN = 'arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0';
const SECRET_ARN = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:bench-AbCdEf';
const DAY_MS = 86_400_000;

/** What of the arena a host needs. */
export type HostArena = Pick<Arena, 'tasks' | 'bucket'> & {
  vault: Pick<Arena['vault'], 'url' | 'region' | 'credentials' | 'client' | 'certificate'>;
  kms?: { url: string };
};

/** What of a cluster's configuration a measurement is of. */
export interface HostSettings {
  compression?: 'none' | 'zstd';
  limits?: { uploadsAtOnce?: number; hashesAtOnce?: number };
}

export const newRunId = () => runIdOf(new Date().toISOString(), randomBytes(4).toString('hex'));

/** Empties `root` but for what a host has before its first action. */
export async function makeHost(root: string, dataDirectory: string): Promise<void> {
  await rm(root, { recursive: true, force: true });
  const paths = hostPaths(root);
  const beside = (name: string) => join(root, name);
  const yaml = {
    cluster_name: 'bench',
    data_file_directories: [dataDirectory],
    commitlog_directory: beside('commitlog'),
    hints_directory: beside('hints'),
    saved_caches_directory: beside('saved_caches'),
  };
  for (const [path, content] of [
    [paths.fixed('/etc/cassandra/cassandra.yaml'), stringify(yaml)],
    [paths.guard, `${CLUSTER}\n`],
  ] as const) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

/** Puts the action's document, as StartAction would. The token is the action's ID. */
export async function requestAction<Name extends ActionName>(
  arena: HostArena,
  bundle: string,
  root: string,
  run: string,
  action: Name,
  input: ActionInput<Name>,
  { compression, limits }: HostSettings = {},
): Promise<Command & { token: string }> {
  const configuration = clusterConfiguration.parse({
    hosts: { tag: { key: 'cassandra', value: CLUSTER } },
    datacenters: ['dc1'],
    cassandra: { cql: { credentialsSecretArn: SECRET_ARN } },
    ...(compression && { compression }),
    limits: { reserveBytes: 0, ...limits },
  });
  const later = new Date(Date.now() + DAY_MS).toISOString();
  const token = actionIdOf(run, action);
  const document = actionDocument.parse({
    formatVersion: 1,
    clusterId: CLUSTER,
    runId: run,
    actionId: token,
    action,
    phase: action,
    attempt: 1,
    taskToken: token,
    heartbeatSeconds: 60,
    deadline: later,
    graceUntil: later,
    cassandra: configuration.cassandra,
    compression: configuration.compression,
    limits: configuration.limits,
    input,
  });
  const { vault, bucket } = arena;
  const store = s3ObjectStore({ bucket, client: vault.client });
  await store.put(vaultLayout('').action(INSTANCE_ARN, token), JSON.stringify(document), 'overwrite');
  const options = {
    bucket,
    prefix: '',
    region: vault.region,
    'instance-arn': INSTANCE_ARN,
    'run-id': run,
    'action-id': token,
  };
  return {
    token,
    file: join(bundle, 'bin', 'node'),
    args: [
      ...NODE_FLAGS,
      join(bundle, 'host.mjs'),
      'run',
      ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    ],
    env: {
      ...awsEnvironment(arena.vault),
      AWS_ENDPOINT_URL_S3: vault.url,
      AWS_ENDPOINT_URL_SFN: arena.tasks.url,
      ...(arena.kms && { AWS_ENDPOINT_URL_KMS: arena.kms.url }),
      RINGVAULT_HOST_ROOT: root,
      ...NODE_ENVIRONMENT,
      // As the hosts' script has it.
      NODE_COMPILE_CACHE: join(bundle, 'compiled'),
    },
  };
}

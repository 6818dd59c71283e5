// describe: what the host says of its node; of a node that is up also its views of the ring and of the schema.
import { stat, statfs } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ActionOutput } from '../../contracts/actions.ts';
import { CassandraUnavailable, DataDirectoryMissing } from '../../contracts/errors.ts';
import { readConfigurationFile } from '../cassandra/configuration-file.ts';
import { type Cql, withCql } from '../cassandra/cql.ts';
import { directoriesOfLiveNode, nodeDirectories } from '../cassandra/directories.ts';
import { rememberedIdentity, rememberIdentity } from '../cassandra/identity.ts';
import { notUpNormal, ringStatus } from '../cassandra/nodetool.ts';
import { readRing, ringBytes } from '../cassandra/ring.ts';
import { readSchema } from '../cassandra/schema.ts';
import { readTruncationTimes } from '../cassandra/table-state.ts';
import { readableFormats } from '../cassandra/versions.ts';
import type { ActionContext } from '../context.ts';
import { isMissingFile } from '../durable-files.ts';
import { restoreAllowed } from '../guard.ts';
import { keptBytes } from '../transfer/kept-staging.ts';

type Description = ActionOutput<'describe'>;

/** @throws CredentialsRejected, rather than calling a node down that only refuses our login */
export async function describe(context: ActionContext): Promise<Description> {
  const node = await describeNode(context);
  const { data } = await nodeDirectories(context);
  return {
    instanceId: basename(context.instanceArn),
    ...node,
    dataDirectories: await Promise.all(data.map((path) => spaceOf(context, path))),
    restoreAllowed: await restoreAllowed(context),
  };
}

type NodePart = Omit<Description, 'instanceId' | 'dataDirectories' | 'restoreAllowed'>;

async function describeNode(context: ActionContext): Promise<NodePart> {
  try {
    return await withCql(context, (cql) => describeLiveNode(context, cql));
  } catch (error) {
    if (!(error instanceof CassandraUnavailable)) throw error;
    return describeFromMemory(context, error.message);
  }
}

async function describeLiveNode(context: ActionContext, cql: Cql): Promise<NodePart> {
  const { store, layout, instanceArn, document } = context;
  const status = await ringStatus(context);
  const { own, ring, stale } = await readRing(cql, status);
  const schema = await readSchema(cql);
  const directories = await directoriesOfLiveNode(cql);
  const file = await readConfigurationFile(context.paths.fixed(document.cassandra.configFile));
  const formats = readableFormats(own.cassandraVersion, file.storageCompatibilityMode);
  const { hostId, clusterName, datacenter, rack, address, cassandraVersion } = own;
  const identity = {
    hostId,
    clusterName,
    datacenter,
    rack,
    address,
    cassandraVersion,
    readableFormats: formats,
  };
  await rememberIdentity(context.paths, { ...identity, directories });
  const { json, digest } = ringBytes(ring);
  await store.put(layout.resultRing(instanceArn, document.actionId), json, 'overwrite');
  await store.put(layout.resultSchema(instanceArn, document.actionId), JSON.stringify(schema), 'overwrite');
  return {
    cassandra: 'up',
    ...identity,
    schemaVersion: schema.schemaVersion,
    ringDigest: digest,
    notUpNormal: notUpNormal(status),
    truncatedAt: await readTruncationTimes(cql),
    isSeed: [...file.ownAddresses, address].some((own) => file.seeds.includes(own)),
    warnings: [...(await warningsOf(cql, ring.nodes.length)), ...stale.map(staleWarning)],
  };
}

const staleWarning = (address: string) =>
  `system.peers_v2 has ${address}, which is no member of the ring any more, and clients may look for it: delete its rows on this node, as a superuser (DELETE FROM system.peers_v2 WHERE peer = '${address}', and of system.peers)`;

async function describeFromMemory(context: ActionContext, downReason: string): Promise<NodePart> {
  const {
    formatVersion: _,
    directories: __,
    ...identity
  } = {
    formatVersion: 1,
    directories: undefined,
    ...(await rememberedIdentity(context.paths)),
  };
  const file = await readConfigurationFile(context.paths.fixed(context.document.cassandra.configFile));
  const isSeed = file.ownAddresses.some((own) => file.seeds.includes(own));
  return { cassandra: 'down', downReason, ...identity, isSeed, warnings: [] };
}

async function warningsOf(cql: Cql, nodes: number): Promise<string[]> {
  const [auth] = await cql.rows(
    "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'",
  );
  const replication = (auth?.['replication'] ?? {}) as Record<string, string>;
  const factors = Object.entries(replication).filter(([name]) => name !== 'class');
  const most = Math.max(0, ...factors.map(([, factor]) => Number.parseInt(factor, 10) || 0));
  if (nodes === 1 || most > 1) return [];
  return [
    `system_auth is kept by ${most} node alone: while it is down nobody can log in anywhere. Alter its replication and repair it.`,
  ];
}

/** For a restore: what an earlier one has staged is gone on with, or deleted. */
async function spaceOf(
  context: ActionContext,
  path: string,
): Promise<Description['dataDirectories'][number]> {
  await requireDirectory(path);
  const { bavail, blocks, bsize } = await statfs(path);
  return { path, freeBytes: bavail * bsize + (await keptBytes(context, path)), totalBytes: blocks * bsize };
}

async function requireDirectory(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (cause) {
    if (!isMissingFile(cause)) throw cause;
  }
  throw new DataDirectoryMissing(`got no directory ${path}, expected one of the node’s data directories`);
}

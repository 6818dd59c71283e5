// A real Cassandra cluster on this machine (JDK 17), for the local cloud and for tests:
//   const cluster = await startCluster({ directory: await mkdtemp(join(tmpdir(), 'ringvault-')), nodes: 1 });
//   const client = await cluster.connect(cluster.backupRole); …; await client.shutdown(); await cluster.close();
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { auth, type Client, type ClientOptions, policies } from 'cassandra-driver';
import { execa } from 'execa';
import { LocalServerFailed } from '../servers/errors.ts';
import { type Credentials, secureCluster } from './authentication.ts';
import { withClassArchives } from './class-archive.ts';
import { type Guard, guardNodes } from './guard.ts';
import { CASSANDRA_VERSIONS, type CassandraVersion, cassandraJars } from './jars.ts';
import { findJava } from './java.ts';
import type { JavaPaths } from './launch-scripts.ts';
import { claimNetwork, freeJmxPorts, type Network } from './network.ts';
import { type CassandraNode, createNode } from './node.ts';
import { dealTokens } from './ring.ts';
import { steadyClient } from './steady-client.ts';

const DATACENTER = 'dc1';
const TOKENS_PER_NODE = 4;
const SETTLE_LIMIT_MS = 120_000;

export interface ClusterOptions {
  /** The cluster's state; `node-1` and so on in it are ended and replaced. */
  directory: string;
  nodes?: number;
  clusterName?: string;
  version?: CassandraVersion;
  /** Of each node; by default rack1, rack2, … in turn. */
  racks?: readonly string[];
  /** Of each node; by default dc1. */
  datacenters?: readonly string[];
  /** How many data directories each node has; by default the last of several nodes has two, the others one. */
  dataDirectories?: readonly number[];
  /** Password authentication, with {@link Cluster.backupRole}; true by default. */
  authentication?: boolean;
  /** Ends the nodes, and with them a start that is under way. */
  signal?: AbortSignal;
}

export interface Cluster {
  name: string;
  /** Of the first node. */
  datacenter: string;
  version: CassandraVersion;
  /** As they are now. */
  nodes: readonly [CassandraNode, ...CassandraNode[]];
  superuser: Credentials;
  backupRole: Credentials;
  /** By default as the superuser, to all nodes. The caller shuts the client down. */
  connect(credentials?: Credentials, options?: Partial<ClientOptions>): Promise<Client>;
  /** Until every node sees every node Up/Normal. @throws LocalServerFailed */
  settled(): Promise<void>;
  /** Crashes the last node for good. In its place comes an empty one that is not started, of another address. */
  loseLastNode(): Promise<CassandraNode>;
  /** Ends every node for good; the directory stays. */
  close(): Promise<void>;
}

/**
 * Starts a new cluster, all nodes at once, and answers when each sees all Up/Normal and logins work (about 20 s for
 * three nodes). What this process starts ends with it, whatever ends it.
 * @throws LocalServerFailed LocalToolFailed
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const directory = resolve(options.directory);
  const version = options.version ?? CASSANDRA_VERSIONS[0];
  await removeEarlierNodes(directory);
  const jars = await cassandraJars(version);
  const paths = await withClassArchives({ java: await findJava(), jars }, version);
  const count = options.nodes ?? 3;
  // With addresses for those that come in place of lost ones.
  const network = await claimNetwork(2 * count);
  const guards: Guard[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= Promise.all(guards.map((guard) => guard.end())).then(() => network.release());
    return closing;
  };
  try {
    const jmxPorts = await freeJmxPorts(count);
    const place = { ...options, directory, version, count, network, jmxPorts, paths };
    const nodes = await createNodes(place);
    options.signal?.throwIfAborted();
    guards.push(guardNodes(nodes));
    options.signal?.addEventListener('abort', () => void close(), { once: true });
    await Promise.all(nodes.map((node) => node.start()));
    await allUpNormal(nodes);
    const datacenters = nodes.map((_, index) => datacenterOf(options, index));
    const roles =
      options.authentication === false ? ANYBODY : await secureCluster(nodes, datacenters, options.signal);
    return {
      name: clusterNameOf(options),
      datacenter: datacenterOf(options, 0),
      version,
      nodes,
      ...roles,
      connect: (credentials = roles.superuser, more = {}) =>
        connectTo(nodes, credentials, { localDataCenter: datacenterOf(options, 0), ...more }),
      settled: () => allUpNormal(nodes),
      async loseLastNode() {
        const last = nodes.length - 1;
        await nodes[last]?.kill();
        jmxPorts.push(...(await freeJmxPorts(1)));
        const node = await createNodeAt(place, last, count + guards.length);
        guards.push(guardNodes([node]));
        nodes[last] = node;
        return node;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without authentication Cassandra takes any name. */
const ANYBODY = {
  superuser: { username: 'anybody', password: 'anything' },
  backupRole: { username: 'anybody', password: 'anything' },
};

function datacenterOf({ datacenters }: ClusterOptions, index: number): string {
  return datacenters?.[index] ?? DATACENTER;
}

function clusterNameOf(options: ClusterOptions): string {
  return options.clusterName ?? 'local';
}

interface NodesPlace extends ClusterOptions {
  version: CassandraVersion;
  count: number;
  network: Network;
  /** By number of the node, from 1. */
  jmxPorts: number[];
  paths: JavaPaths;
}

async function createNodes(place: NodesPlace): Promise<[CassandraNode, ...CassandraNode[]]> {
  const nodes: CassandraNode[] = [];
  for (let index = 0; index < place.count; index++) nodes.push(await createNodeAt(place, index, index + 1));
  const [first, ...others] = nodes;
  if (first === undefined) throw new LocalServerFailed(`got ${place.count} nodes, expected at least 1`);
  return [first, ...others];
}

/** @param index its place in the ring @param number of its directory and address, from 1 */
async function createNodeAt(place: NodesPlace, index: number, number: number): Promise<CassandraNode> {
  const { count, network, jmxPorts, paths, version, directory } = place;
  const seeds = Array.from({ length: count }, (_, seed) => network.address(seed + 1));
  const two = count > 1 && index === count - 1;
  return createNode(
    {
      directory: join(directory, `node-${number}`),
      version,
      clusterName: clusterNameOf(place),
      address: network.address(number),
      seeds,
      datacenter: datacenterOf(place, index),
      rack: place.racks?.[index] ?? `rack${index + 1}`,
      tokens: dealTokens(count, TOKENS_PER_NODE)[index] ?? [],
      dataDirectories: place.dataDirectories?.[index] ?? (two ? 2 : 1),
      authentication: place.authentication ?? true,
      jmxPort: jmxPorts[number - 1] ?? 0,
    },
    paths,
  );
}

/** A run that crashed may have left nodes running: their own scripts end them. */
async function removeEarlierNodes(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const name of (await readdir(directory)).filter((each) => /^node-\d+$/.test(each))) {
    const stop = join(directory, name, 'bin', 'cassandra-stop');
    await execa(stop, ['--now'], { reject: false });
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function allUpNormal(nodes: readonly CassandraNode[]): Promise<void> {
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  const seesAll = async (node: CassandraNode) => {
    for (;;) {
      const seen = upNormalIn(await node.nodetool('status'));
      const missing = nodes.filter((each) => !seen.has(each.address)).map((each) => each.address);
      if (missing.length === 0) return;
      if (Date.now() > deadline) {
        throw new LocalServerFailed(`${node.address} does not see as Up/Normal: ${missing.join(', ')}`);
      }
      await sleep(300);
    }
  };
  await Promise.all(nodes.map(seesAll));
}

/** The addresses that `nodetool status` shows as UN. */
export function upNormalIn(status: string): Set<string> {
  return new Set([...status.matchAll(/^UN\s+(\S+)/gm)].map((match) => match[1] ?? ''));
}

async function connectTo(
  nodes: readonly CassandraNode[],
  credentials: Credentials,
  options: Partial<ClientOptions> & Pick<ClientOptions, 'localDataCenter'>,
): Promise<Client> {
  const client = steadyClient({
    contactPoints: nodes.map((node) => node.address),
    authProvider: new auth.PlainTextAuthProvider(credentials.username, credentials.password),
    // A node that was restarted is used again soon.
    policies: { reconnection: new policies.reconnection.ConstantReconnectionPolicy(250) },
    // Longer than the nodes' own time limits, so that the node says what it is that took so long.
    socketOptions: { connectTimeout: 10_000, readTimeout: 45_000 },
    ...options,
  });
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.shutdown();
    throw error;
  }
}

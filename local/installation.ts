// A whole installation on this machine: Cassandra nodes as hosts, the local cloud, and the synthesized template deployed
// to it. The demo, `npm run local` and the end-to-end tests stand on it.
import { join } from 'node:path';
import type { ClusterConfiguration } from '../contracts/configuration.ts';
import { readConfiguration } from '../infra/configuration.ts';
import { type Cluster, type ClusterOptions, startCluster } from './cassandra/cluster.ts';
import { type Cloud, type CloudOptions, startCloud } from './cloud.ts';
import type { LocalHost } from './hosts/host.ts';
import { claimDirectory, releaseStateDirectory } from './state-directory.ts';
import { synthesize } from './synthesize.ts';

export interface InstallationOptions {
  /** Everything lies below it: the cloud's state, the nodes, the synthesized template. */
  directory: string;
  configurationFile: string;
  /** Which clusters of the configuration are started at once; by default all. */
  clusters?: readonly string[];
  /** Three nodes of Cassandra 5.0 by default, with the cluster's ID as its name. */
  cassandra?(clusterId: string): Omit<ClusterOptions, 'directory'>;
  cloud?: Omit<CloudOptions, 'stateDirectory'>;
  /** Where the schedules' clock stands when the schedules are created; now by default. */
  schedulesFrom?: Date;
  /** Ends the start early: what was started is ended, then it fails with the signal's reason. */
  signal?: AbortSignal;
  /** Told of each part when it is there. */
  tell?(what: string): void;
}

export interface ManagedCluster {
  clusterId: string;
  cassandra: Cluster;
  /** In the order of the nodes. */
  hosts: LocalHost[];
}

/** Whatever was started, in that order; `close` ends it in the other. */
class Started {
  readonly #parts: Array<{ close(): Promise<void> }> = [];

  keep<Part extends { close(): Promise<void> }>(part: Part): Part {
    this.#parts.push(part);
    return part;
  }

  async close(): Promise<void> {
    for (let part = this.#parts.pop(); part; part = this.#parts.pop()) await part.close();
  }
}

export interface Installation {
  cloud: Cloud;
  /** Those that were started. */
  clusters: ReadonlyMap<string, ManagedCluster>;
  /** Starts another cluster of the configuration. */
  startCluster(clusterId: string): Promise<ManagedCluster>;
  /** The cluster's last host is gone for good. In its place comes another with an empty node that is not started. */
  loseLastHost(clusterId: string): Promise<LocalHost>;
  close(): Promise<void>;
}

/**
 * Starts everything, at the same time where it can be. On failure, ends what was started.
 * @throws LocalToolFailed LocalServerFailed DeploymentRefused InvalidConfiguration StateDirectoryInUse
 */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { clusters: configured } = readConfiguration(options.configurationFile);
  // Before anything is started: what another has running there would be ended, and its data replaced.
  await claimDirectory(options.directory);
  const started = new Started();
  started.keep({ close: () => releaseStateDirectory(options.directory) });
  try {
    const starting = startAndDeployCloud(options, started);
    const clusters = new Map<string, ManagedCluster>();
    const startManaged = async (clusterId: string): Promise<ManagedCluster> => {
      const configuration = configured[clusterId];
      if (!configuration) throw new Error(`cluster ${clusterId} is not in ${options.configurationFile}`);
      const [cloud, cassandra] = await allSettledOrFirstFailure(
        starting,
        startCassandra(clusterId, options, started),
      );
      const number = Object.keys(configured).indexOf(clusterId) + 1;
      const hosts = await addHosts(cloud, clusterId, number, configuration, cassandra);
      const managed = { clusterId, cassandra, hosts };
      clusters.set(clusterId, managed);
      return managed;
    };
    const atOnce = options.clusters ?? Object.keys(configured);
    const [cloud] = await allSettledOrFirstFailure(starting, ...atOnce.map(startManaged));
    const loseLastHost = async (clusterId: string): Promise<LocalHost> => {
      const [managed, configuration] = [clusters.get(clusterId), configured[clusterId]];
      const lost = managed?.hosts.at(-1);
      if (!managed || !configuration || !lost) throw new Error(`cluster ${clusterId} was not started`);
      await lost.kill();
      cloud.runCommand.hosts.delete(lost.instanceId);
      const cassandra = await managed.cassandra.loseLastNode();
      const { key, value } = configuration.hosts.tag;
      const instanceId = `i-${(BigInt(`0x${lost.instanceId.slice(2)}`) + 0x100n).toString(16).padStart(16, '0')}`;
      const host = await cloud.addHost({ instanceId, clusterId, tags: { [key]: value }, cassandra });
      managed.hosts.splice(-1, 1, host);
      return host;
    };
    return { cloud, clusters, startCluster: startManaged, loseLastHost, close: () => started.close() };
  } catch (error) {
    await started.close();
    throw error;
  }
}

/** Waits for all, so that nothing is still starting when what was started is ended. */
async function allSettledOrFirstFailure<const Work extends readonly Promise<unknown>[]>(...work: Work) {
  await Promise.allSettled(work);
  return Promise.all(work);
}

async function startAndDeployCloud(options: InstallationOptions, started: Started): Promise<Cloud> {
  const { directory, signal, tell } = options;
  const assembly = join(directory, 'assembly');
  await synthesize(options.configurationFile, assembly, signal);
  signal?.throwIfAborted();
  tell?.(`template synthesized to ${assembly}`);
  const cloud = started.keep(
    await startCloud({ ...options.cloud, stateDirectory: join(directory, 'cloud') }),
  );
  signal?.throwIfAborted();
  if (options.schedulesFrom) await cloud.scheduleClock.moveTo(options.schedulesFrom);
  for (const { name, resources } of await cloud.deploy(assembly)) {
    tell?.(`stack ${name} deployed to ${cloud.endpoint.url}: ${resources.length} resources`);
  }
  return cloud;
}

async function startCassandra(
  clusterId: string,
  options: InstallationOptions,
  started: Started,
): Promise<Cluster> {
  const cassandra = started.keep(
    await startCluster({
      clusterName: clusterId,
      ...(options.signal && { signal: options.signal }),
      ...options.cassandra?.(clusterId),
      directory: join(options.directory, 'cassandra', clusterId),
    }),
  );
  const nodes = cassandra.nodes.map(({ address, rack }) => `${address} (${rack})`);
  options.tell?.(`Cassandra ${cassandra.version}, cluster ${clusterId}: ${nodes.join(', ')}`);
  return cassandra;
}

/** What an operator does once for a cluster: its secret, its instances' tag and role. */
async function addHosts(
  cloud: Cloud,
  clusterId: string,
  clusterNumber: number,
  { hosts: { tag }, cassandra: { cql } }: ClusterConfiguration,
  { nodes, backupRole }: Cluster,
): Promise<LocalHost[]> {
  await cloud.endpoint.secrets.putByArn(cql.credentialsSecretArn, JSON.stringify(backupRole));
  const hosts: LocalHost[] = [];
  for (const [index, node] of nodes.entries()) {
    const instanceId = `i-${clusterNumber.toString(16).padStart(8, '0')}${(index + 1).toString(16).padStart(8, '0')}`;
    hosts.push(
      await cloud.addHost({ instanceId, clusterId, tags: { [tag.key]: tag.value }, cassandra: node }),
    );
  }
  return hosts;
}

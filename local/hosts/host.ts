// A host of the local cloud: a directory for its file system, an agent, its instance role's credentials, maybe a Cassandra node.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { IssuedCredentials } from '../endpoint/service.ts';
import { Agent } from './agent.ts';
import { writeHostFiles } from './host-files.ts';
import { HOST_ROOT_VARIABLE, killProcessesOf } from './processes.ts';

/** As local/cassandra makes it. */
export interface HostedCassandra {
  address: string;
  configFile: string;
  /** Holds cassandra-start, cassandra-stop and nodetool. */
  binDirectory: string;
  kill(): Promise<void>;
}

export interface HostOptions {
  instanceId: string;
  instanceArn: string;
  tags: Record<string, string>;
  /** Parent of the host's own directory. */
  directory: string;
  endpointUrl: string;
  region: string;
  credentials: IssuedCredentials;
  cassandra?: HostedCassandra;
  /** Clusters named in the host's guard file. */
  restorable?: readonly string[];
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class LocalHost {
  readonly instanceId: string;
  readonly instanceArn: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Stands in for `/`. */
  readonly root: string;
  readonly cassandra: HostedCassandra | undefined;
  readonly credentials: IssuedCredentials;
  readonly agent: Agent;
  /** Added to the environment of whatever is started from now on, e.g. RINGVAULT_FAIL_POINT. */
  environment: Record<string, string> = {};
  lastPingAt = new Date();

  private constructor(options: HostOptions, root: string) {
    this.instanceId = options.instanceId;
    this.instanceArn = options.instanceArn;
    this.tags = options.tags;
    this.root = root;
    this.cassandra = options.cassandra;
    this.credentials = options.credentials;
    this.agent = new Agent({
      instanceId: options.instanceId,
      root,
      region: options.region,
      endpointUrl: options.endpointUrl,
      credentials: options.credentials,
      environment: () => ({ ...this.#scriptEnvironment(options), ...this.environment }),
    });
  }

  static async create(options: HostOptions): Promise<LocalHost> {
    const root = join(options.directory, options.instanceId);
    await mkdir(root, { recursive: true });
    await writeHostFiles(root, options.cassandra, options.restorable ?? []);
    return new LocalHost(options, root);
  }

  /** The agent loses its connection; everything on the host goes on. */
  disconnect(): void {
    this.agent.online = false;
    this.lastPingAt = new Date();
  }

  /** The agent is back and takes what waits for it. */
  connect(): void {
    this.agent.online = true;
  }

  /** Power loss: agent, host programs (detached ones too) and Cassandra are gone at once; the disk stays. `connect` boots it. */
  async kill(): Promise<void> {
    this.agent.die();
    this.lastPingAt = new Date();
    await killProcessesOf(this.root);
    await this.cassandra?.kill();
  }

  /** Ends the host's processes; its Cassandra belongs to who made it. */
  async close(): Promise<void> {
    this.agent.die();
    await killProcessesOf(this.root);
  }

  #scriptEnvironment(options: HostOptions): Record<string, string> {
    return {
      PATH: `${join(this.root, 'bin')}:${SYSTEM_PATH}`,
      HOME: join(this.root, 'root'),
      LANG: 'C.UTF-8',
      [HOST_ROOT_VARIABLE]: this.root,
      AWS_SSM_INSTANCE_ID: options.instanceId,
      AWS_SSM_REGION_NAME: options.region,
      AWS_ACCESS_KEY_ID: options.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: options.credentials.secretAccessKey,
      AWS_SESSION_TOKEN: options.credentials.sessionToken,
      AWS_ENDPOINT_URL: options.endpointUrl,
    };
  }
}

// One real Cassandra node: its directory, and its life through the scripts in its bin directory.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { LocalServerFailed } from '../servers/errors.ts';
import { configurationFiles, dataDirectoriesOf, type NodeOptions } from './configuration.ts';
import { type JavaPaths, launchScripts, pidFileOf } from './launch-scripts.ts';
import { CQL_PORT } from './network.ts';

/** Generous: two cores may start several clusters at once. */
const START_LIMIT_MS = 180_000;

export interface CassandraNode {
  address: string;
  rack: string;
  directory: string;
  /** cassandra.yaml; its directory is the node's conf directory. */
  configFile: string;
  dataDirectories: string[];
  /** Holds `cassandra-start`, `cassandra-stop` and `nodetool`, to be called by anybody. */
  binDirectory: string;
  jmxPort: number;
  /** Starts the process and waits until it takes CQL connections. @throws LocalServerFailed */
  start(): Promise<void>;
  /** Drains and stops; answers when the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL: a real crash. */
  kill(): Promise<void>;
  /** Whether it takes CQL connections. */
  isUp(): Promise<boolean>;
  /** Runs nodetool, answers its standard output. @throws LocalServerFailed */
  nodetool(...args: string[]): Promise<string>;
}

/** Writes the node's directory; starts nothing. */
export async function createNode(options: NodeOptions, paths: JavaPaths): Promise<CassandraNode> {
  const { directory, address } = options;
  const within = (name: string) => join(directory, name);
  const dataDirectories = dataDirectoriesOf(options);
  for (const path of [within('conf'), within('bin'), within('logs'), ...dataDirectories]) {
    await mkdir(path, { recursive: true });
  }
  for (const [name, content] of Object.entries(configurationFiles(options))) {
    await writeFile(join(within('conf'), name), content);
  }
  for (const [name, content] of Object.entries(launchScripts(options, paths))) {
    await writeFile(join(within('bin'), name), content);
    await chmod(join(within('bin'), name), 0o755);
  }
  const run = (script: string, ...args: string[]) => runScript(join(within('bin'), script), args);
  return {
    address,
    rack: options.rack,
    directory,
    configFile: join(within('conf'), 'cassandra.yaml'),
    dataDirectories,
    binDirectory: within('bin'),
    jmxPort: options.jmxPort,
    async start() {
      await run('cassandra-start');
      await untilServing(options);
    },
    async stop() {
      await run('cassandra-stop');
    },
    async kill() {
      await run('cassandra-stop', '--now');
    },
    isUp: () => acceptsConnections(address),
    nodetool: (...args) => run('nodetool', ...args),
  };
}

async function runScript(path: string, args: string[]): Promise<string> {
  const result = await execa(path, args, { reject: false, stdin: 'ignore' });
  if (result.failed) {
    const command = [path, ...args].join(' ');
    throw new LocalServerFailed(`${command}: got ${result.shortMessage}\n${result.stderr}`, {
      cause: result.cause,
    });
  }
  return result.stdout;
}

async function untilServing(options: NodeOptions): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (!(await acceptsConnections(options.address))) {
    const why = (await processRuns(options)) ? Date.now() > deadline && 'did not open its CQL port' : 'ended';
    if (why) {
      throw new LocalServerFailed(
        `Cassandra of ${options.address} ${why}; see ${join(options.directory, 'logs')}:\n${await lastWords(options)}`,
      );
    }
    await sleep(200);
  }
}

async function processRuns(options: NodeOptions): Promise<boolean> {
  const pid = (await readFile(pidFileOf(options), 'utf8')).trim();
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes(options.directory);
}

async function lastWords(options: NodeOptions): Promise<string> {
  const read = (name: string) => readFile(join(options.directory, 'logs', name), 'utf8').catch(() => '');
  const console = (await read('console.log')).trimEnd().split('\n').slice(-5);
  const errors = (await read('system.log')).split('\n').filter((line) => /^(ERROR|FATAL)/.test(line));
  return [...console, ...errors.slice(-5)].join('\n');
}

function acceptsConnections(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: CQL_PORT });
    const answer = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  configurationFiles,
  dataDirectoriesOf,
  type NodeOptions,
} from '../../../local/cassandra/configuration.ts';
import { endedFileOf, launchScripts, pidFileOf } from '../../../local/cassandra/launch-scripts.ts';

const run = promisify(execFile);

const options: NodeOptions = {
  directory: "/state/it's a node",
  version: '5.0.9',
  clusterName: 'demo',
  address: '127.20.30.2',
  seeds: ['127.20.30.1', '127.20.30.2'],
  datacenter: 'dc1',
  rack: 'rack2',
  tokens: ['-9', '8'],
  dataDirectories: 2,
  authentication: true,
  jmxPort: 12_345,
};

describe('configuration of a node', () => {
  const yamlOf = (changed: Partial<NodeOptions>) =>
    parse(configurationFiles({ ...options, ...changed })['cassandra.yaml'] ?? '');

  it('names every directory, all below the node', () => {
    const yaml = yamlOf({});
    expect(yaml.data_file_directories).toEqual(["/state/it's a node/data", "/state/it's a node/data2"]);
    for (const key of ['commitlog_directory', 'hints_directory', 'saved_caches_directory']) {
      expect(yaml[key]).toMatch(/^\/state\/it's a node\/\w+$/);
    }
    expect(dataDirectoriesOf({ ...options, dataDirectories: 1 })).toHaveLength(1);
  });

  it('lets all nodes start at once with tokens given', () => {
    expect(yamlOf({})).toMatchObject({ auto_bootstrap: false, num_tokens: 2, initial_token: '-9,8' });
  });

  it('asks for passwords unless told otherwise', () => {
    expect(yamlOf({}).authenticator).toBe('PasswordAuthenticator');
    expect(yamlOf({ authentication: false }).authenticator).toBe('AllowAllAuthenticator');
  });

  it('gives 4.1 no setting that only 5.0 knows', () => {
    expect(yamlOf({})).toHaveProperty('sai_options');
    expect(yamlOf({ version: '4.1.10' })).not.toHaveProperty('sai_options');
  });
});

describe('scripts of a node', () => {
  let directory: string;
  let scripts: Record<string, string>;
  const pid = async () => Number(await readFile(pidFileOf({ directory }), 'utf8'));
  const alive = (id: number) =>
    readFile(`/proc/${id}/status`, 'utf8').then(
      (status) => !/^State:\tZ/m.test(status),
      () => false,
    );

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ringvault it's "));
    await mkdir(join(directory, 'logs'));
    // Stands in for the JVM: lives until it is told to end, and says what it knows of its environment.
    const java = join(directory, 'java');
    await writeFile(
      java,
      '#!/usr/bin/env bash\ntrap "exit 0" TERM\nenv\nwhile :; do read -rt 0.1 <> <(:); done\n',
    );
    await chmod(java, 0o755);
    scripts = {};
    const written = launchScripts({ ...options, directory }, { java, jars: '/jars' });
    for (const [name, content] of Object.entries(written)) {
      const path = join(directory, name);
      await writeFile(path, content);
      await chmod(path, 0o755);
      scripts[name] = path;
    }
  });
  afterEach(async () => {
    await run(scripts['cassandra-stop'] ?? '', ['--now']);
    await rm(directory, { recursive: true });
  });
  const start = (env = process.env) => run(scripts['cassandra-start'] ?? '', [], { env });
  const stop = (...args: string[]) => run(scripts['cassandra-stop'] ?? '', args);

  it('start once, however often they are told', async () => {
    await Promise.all([start(), start(), start()]);
    const first = await pid();
    await start();
    expect(await pid()).toBe(first);
    expect(await alive(first)).toBe(true);
  });

  it('stop what they started, and stopping twice is no error', async () => {
    await start();
    const id = await pid();
    await stop();
    await stop();
    expect(await alive(id)).toBe(false);
  });

  it('crash a node at once', async () => {
    await start();
    const id = await pid();
    await stop('--now');
    expect(await alive(id)).toBe(false);
  });

  it('never end a process that only has the pid of a node that is gone', async () => {
    await writeFile(pidFileOf({ directory }), String(process.pid));
    await stop('--now');
    await stop();
    expect(await alive(process.pid)).toBe(true);
  });

  it('keep the caller’s credentials from the node', async () => {
    await start({ ...process.env, AWS_SECRET_ACCESS_KEY: 'a-secret' });
    await stop();
    const console = await readFile(join(directory, 'logs', 'console.log'), 'utf8');
    expect(console).toContain('LANG=C.UTF-8');
    expect(console).not.toContain('a-secret');
  });

  it('start no node of a cluster that was closed', async () => {
    await writeFile(endedFileOf({ directory }), '');
    await expect(start()).rejects.toThrow('the cluster of 127.20.30.2 has been closed');
  });

  it('hand nodetool its JMX port and the caller’s arguments', () => {
    const nodetool = launchScripts({ ...options, directory }, { java: '/java', jars: '/jars' })['nodetool'];
    expect(nodetool).toMatch(/-p \\\n {2}12345 "\$@"/);
  });
});

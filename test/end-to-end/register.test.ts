// What a cluster is, discovered from its hosts: registered, brought up to date, forgotten, and refused where nodes disagree.
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf, type RunView } from '../../cli/run-view.ts';
import { type Registered, registration } from '../../contracts/registrations.ts';
import type { CassandraNode } from '../../local/cassandra/node.ts';
import type { ManagedCluster } from '../../local/installation.ts';
import { addRows } from './small-dataset.ts';
import { HOSTILE_NAME, type Stage, sharedStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());
// Restores of what was there before would wait for its writes.
afterAll(async () => {
  await (await stage.client(await stage.alpha())).execute('DROP KEYSPACE IF EXISTS "SmallShop"');
});

function ringvault(...args: string[]) {
  const env = { ...process.env, ...stage.installation.cloud.environment };
  return execa(process.execPath, ['cli/bin.js', ...args], { env, reject: false });
}

async function described(clusterId: string): Promise<Registered> {
  const { stdout, exitCode } = await ringvault('describe', clusterId, '--json');
  expect(exitCode).toBe(0);
  const found = registration.parse(JSON.parse(stdout).registration);
  if (found.state !== 'registered') throw new Error(`got ${stdout}, expected a registration`);
  return found;
}

/** What each node says of itself, by instance. */
async function asNodesSay({ hosts, cassandra }: ManagedCluster) {
  const said = cassandra.nodes.map(async ({ address, rack, dataDirectories, nodetool }, index) => {
    const info = await nodetool('info', '-T');
    const [, hostId] = /^ID\s*:\s*(\S+)/m.exec(info) ?? [];
    const tokens = [...info.matchAll(/^Token\s*:\s*(-?\d+)/gm)].map(([, token]) => BigInt(token ?? 0));
    return {
      ...{ instanceId: hosts[index]?.instanceId, hostId, address, rack, dataDirectories, datacenter: 'dc1' },
      tokens: tokens.sort((one, other) => (one < other ? -1 : 1)).map(String),
    };
  });
  return (await Promise.all(said)).sort((one, other) => ((one.hostId ?? '') < (other.hostId ?? '') ? -1 : 1));
}

const errorNameOf = (view: RunView) => errorOf(view)?.name;

test('three nodes from one seed: hosts, tokens, racks, all data directories, versions and keyspaces', async () => {
  const alpha = await stage.alpha();
  await addRows(await stage.client(alpha));
  const seed = alpha.hosts[1]?.instanceId ?? '';
  const registered = await ringvault('register', 'alpha', '--seed', seed);
  expect(registered).toMatchObject({ exitCode: 0 });
  expect(registered.stdout).toMatch(/register \S+ of cluster alpha: COMPLETED/);
  const { topology, runId } = await described('alpha');
  expect(topology.clusterName).toBe('alpha');
  expect(topology.keyspaces).toContain('SmallShop');
  expect(topology.nodes).toMatchObject(await asNodesSay(alpha));
  expect(topology.nodes.map((node) => node.cassandraVersion)).toEqual(Array(3).fill(alpha.cassandra.version));
  expect(Math.max(...topology.nodes.map((node) => node.dataDirectories.length))).toBe(2);
  expect(await stage.mailAbout(runId, /register COMPLETED/)).toContain('COMPLETED its describe');
  expect((await ringvault('clusters')).stdout).toMatch(/alpha +alpha +3 +dc1 +5\.0/);
});

test('nobody logs in with the default password, and each of three nodes knows all roles', async () => {
  const alpha = await stage.alpha();
  const client = await stage.client(alpha);
  const { rows } = await client.execute(
    "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'",
  );
  expect(rows[0]?.['replication']).toMatchObject({ dc1: '3' });
  const standard = { username: 'cassandra', password: 'cassandra' };
  await expect(alpha.cassandra.connect(standard)).rejects.toThrow();
});

test('a seed that is none of the cluster’s instances: refused as UnknownNode', async () => {
  await stage.beta();
  const view = await stage.run('register', { clusterId: 'beta', seedInstanceId: 'i-0123456789abcdef0' });
  expect(errorNameOf(view)).toBe('UnknownNode');
  expect(view.run?.failedStep).toBe('RegisterCluster');
});

test('a node that is down, and one that no managed host runs: each run is refused by name, and nothing is changed', async () => {
  const alpha = await stage.alpha();
  const before = await described('alpha');
  const refused = async (of: object = {}) => [
    await stage.run('register', { clusterId: 'alpha', ...of }),
    await stage.run('backup', { clusterId: 'alpha' }),
  ];
  const [, , third] = alpha.cassandra.nodes;
  await third?.stop();
  const down = await refused();
  await third?.start();
  await alpha.cassandra.settled();
  for (const view of down) {
    expect(view.run?.status).toBe('FAILED');
    expect(errorNameOf(view)).toBe('NodeDown');
    expect(errorOf(view)?.message).toContain(alpha.hosts[2]?.instanceId);
  }

  const { hosts } = stage.installation.cloud.runCommand;
  const [seed, second] = alpha.hosts;
  if (!second) throw new Error('alpha has one host only');
  hosts.delete(second.instanceId);
  const unmanaged = await refused({ seedInstanceId: seed?.instanceId });
  hosts.set(second.instanceId, second);
  for (const view of unmanaged) {
    expect(errorNameOf(view)).toBe('UnmanagedNode');
    expect(errorOf(view)?.message).toContain(second.cassandra?.address);
  }
  expect(await described('alpha')).toEqual(before);
});

test('a node that was given a new host ID: the next backup records it, and a restore of the one before is refused', async () => {
  const beta = await stage.beta();
  const [node] = beta.cassandra.nodes;
  await addRows(await stage.client(beta));
  stage.completed(await stage.run('register', { clusterId: 'beta' }));
  const [before] = (await described('beta')).topology.nodes;
  const old = stage.completed(await stage.run('backup', { clusterId: 'beta' }));
  expect(old.changes).toBeUndefined();

  const putBack = await withNewHostId(node);
  const view = await stage.run('backup', { clusterId: 'beta' });
  const refused = await stage.run('restore', { clusterId: 'beta', backupId: old.runId });
  const after = await described('beta');
  await putBack();
  await beta.cassandra.settled();
  const { runId, changes } = stage.completed(view);
  expect(after.topology.clusterName).toBe(HOSTILE_NAME);
  const [renamed] = after.topology.nodes;
  expect(renamed?.hostId).not.toBe(before?.hostId);
  const told = `the node on ${before?.instanceId} was given a new host ID: ${renamed?.hostId}, was ${before?.hostId}`;
  expect(changes).toEqual([told]);
  expect(await stage.mailAbout(runId, /backup COMPLETED/)).toContain(told);
  expect(errorNameOf(refused)).toBe('TopologyMismatch');

  const again = stage.completed(await stage.run('register', { clusterId: 'beta' }));
  expect(again.changes).toEqual([
    `the node on ${before?.instanceId} was given a new host ID: ${before?.hostId}, was ${renamed?.hostId}`,
  ]);
  expect((await described('beta')).topology.nodes).toEqual([before]);
});

test('a cluster that is unregistered is forgotten, and none of its backups', async () => {
  const beta = await stage.beta();
  await addRows(await stage.client(beta));
  stage.completed(await stage.run('register', { clusterId: 'beta' }));
  const { runId } = stage.completed(await stage.run('backup', { clusterId: 'beta' }));
  expect((await ringvault('unregister', 'beta')).stderr).toContain('NotConfirmed');
  expect(await ringvault('unregister', 'beta', '--yes')).toMatchObject({ exitCode: 0 });
  const forgotten = await ringvault('describe', 'beta');
  expect(forgotten).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('UnknownRegistration') });
  expect((await ringvault('clusters')).stdout).toMatch(/beta .*not registered/);
  expect((await ringvault('list', 'beta', '--backup', runId)).stdout).toMatch(
    new RegExp(`${runId} .*COMPLETED`),
  );
  const again = await stage.run('register', { clusterId: 'beta', operation: 'unregister' });
  expect(errorNameOf(again)).toBe('UnknownRegistration');
});

/** As after a disk with the system keyspace was replaced: the node keeps its data, and chooses an ID. @returns the way back */
async function withNewHostId(node: CassandraNode): Promise<() => Promise<void>> {
  const system = join(node.dataDirectories[0] ?? '', 'system');
  const away = `${node.directory}/local-before`;
  const move = async (from: string, to: string) => {
    await mkdir(to, { recursive: true });
    for (const name of await readdir(from)) {
      if (name.startsWith('local-')) await rename(join(from, name), join(to, name));
    }
  };
  await node.stop();
  await move(system, away);
  await node.start();
  return async () => {
    await node.stop();
    await move(system, `${node.directory}/local-between`);
    await move(away, system);
    await node.start();
  };
}

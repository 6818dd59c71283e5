// RegisterCluster and UnregisterCluster, and what backups make of a registration.
import { describe, expect, it } from 'vitest';
import { type Registered, registration } from '../../contracts/registrations.ts';
import { claimRecovery } from '../../lambdas/claim-recovery.ts';
import { discoverHosts } from '../../lambdas/discover-hosts.ts';
import { planRecovery } from '../../lambdas/plan-recovery.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { registerCluster } from '../../lambdas/register-cluster.ts';
import { unregisterCluster } from '../../lambdas/unregister-cluster.ts';
import { findDocument, readDocument } from '../../lambdas/vault/documents.ts';
import { ring, schema } from './support/answers.ts';
import { completedBackup, sealedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { completedRegistration, describedRegistration, endOf } from './support/registration.ts';
import { CLUSTER, claimedRun, executionOf, hosts, newWorld, START, type World } from './support/world.ts';

const [first, second] = hosts.map(({ instanceId }) => instanceId);
const NEW_ID = '00000009-0000-4000-8000-000000000000';
/** The first node with another host ID. */
const renamed = {
  ...ring,
  nodes: ring.nodes.map((node, index) => (index === 0 ? { ...node, hostId: NEW_ID } : node)),
};

async function kept(world: World, runId: string): Promise<Registered> {
  const found = await readDocument(world, world.layout.registration(CLUSTER, runId), registration);
  if (found.state !== 'registered') throw new Error(found.state);
  return found;
}

describe('RegisterCluster', () => {
  it('keeps what every node is: addresses, tokens, racks, versions, all data directories, keyspaces', async () => {
    const world = newWorld();
    const dataDirectories = ['/data1', '/data2'].map((path) => ({ path, freeBytes: 1, totalBytes: 2 }));
    const quoted = { ...schema.statements[0], keyspace: '"My Shop"', type: 'keyspace', name: '"My Shop"' };
    const live = {
      schema: { ...schema, statements: [...schema.statements, { ...quoted, statement: 'CREATE …' }] },
    };
    const { runId } = await completedRegistration(world, { more: { 1: { dataDirectories } }, live });
    const { topology, changes, registeredAt } = await kept(world, runId);
    expect(topology).toMatchObject({ clusterName: 'Demo', keyspaces: ['My Shop', 'app'] });
    expect(topology.nodes).toEqual(
      ring.nodes.map((node, index) => ({
        ...{ ...node, instanceId: hosts[index]?.instanceId, cassandraVersion: '5.0.9' },
        dataDirectories: index === 1 ? ['/data1', '/data2'] : ['/var/lib/cassandra/data'],
      })),
    );
    expect(changes).toEqual([]);
    expect(await world.catalog.readRegistration(CLUSTER)).toEqual({
      ...{ clusterId: CLUSTER, runId, state: 'registered', registeredAt, seenAt: registeredAt },
      ...{ clusterName: 'Demo', nodes: 3, datacenters: ['dc1'], cassandraVersions: ['5.0.9'], keyspaces: 2 },
    });
    const record = await world.catalog.readRun(CLUSTER, runId);
    expect(record).toMatchObject({ workflow: 'register', status: 'COMPLETED', changes: [] });
  });

  it('comes to the same end wherever it is killed, and so does its record', async () => {
    await expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const input = await describedRegistration(world);
      return { world, step: (ports) => registerCluster(input, ports) };
    });
    await expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const input = await describedRegistration(world);
      await registerCluster(input, world);
      const { run } = input;
      return { world, step: (ports) => recordRun({ run, status: 'COMPLETED', warnings: [] }, ports) };
    });
  });

  it('is not said by the catalog before the run is COMPLETED', async () => {
    const world = newWorld();
    await registerCluster(await describedRegistration(world), world);
    expect(await world.catalog.readRegistration(CLUSTER)).toBeUndefined();
  });

  it('again brings it up to date, and tells what changed', async () => {
    const world = newWorld();
    const before = await completedRegistration(world);
    world.clock.advance(60_000);
    const more = { 0: { hostId: NEW_ID }, 1: { cassandraVersion: '5.0.10' } };
    const { runId } = await completedRegistration(world, {
      ...{ name: 'again', at: 60, more, live: { ring: renamed } },
    });
    const { registeredAt, seenAt, changes } = await kept(world, runId);
    expect(registeredAt).toBe((await kept(world, before.runId)).registeredAt);
    expect(seenAt).not.toBe(registeredAt);
    expect(changes).toEqual([
      `the node on ${first} was given a new host ID: ${NEW_ID}, was ${hosts[0]?.hostId}`,
      `the version of node ${hosts[1]?.hostId}: 5.0.10, was 5.0.9`,
    ]);
    expect((await world.catalog.readRun(CLUSTER, runId))?.changes).toEqual(changes);
  });

  it.each<[string, Parameters<typeof describedRegistration>[1], string | undefined]>([
    ['NodeDown', { more: { 1: { cassandra: 'down', downReason: 'no CQL' } } }, second],
    ['NodeDown', { more: { 1: { notUpNormal: ['10.0.0.3 (Down/Normal)'] } } }, '10.0.0.3'],
    ['SchemaDisagreement', { more: { 1: { schemaVersion: NEW_ID } } }, second],
    ['RingDisagreement', { more: { 1: { ringDigest: 'f'.repeat(64) } } }, second],
    ['InvalidConfiguration', { more: { 1: { datacenter: 'dc2' } } }, second],
    ['UnknownNode', { seedInstanceId: 'i-0123456789abcdef0' }, first],
  ])('refuses by name: %s, naming which', async (name, asked, named) => {
    const world = newWorld();
    const input = await describedRegistration(world, asked);
    const refused = registerCluster(input, world);
    await expect(refused).rejects.toMatchObject({ name });
    await expect(refused).rejects.toThrow(named);
    expect(await findDocument(world, world.layout.registration(CLUSTER, input.run.runId), registration)).toBe(
      undefined,
    );
  });

  it('leaves members out that are in datacenters that are not configured', async () => {
    const world = newWorld();
    world.hosts.managed.pop();
    const nodes = ring.nodes.map((node, index) => (index === 2 ? { ...node, datacenter: 'dc2' } : node));
    const { runId } = await completedRegistration(world, { live: { ring: { ...ring, nodes } } });
    expect((await kept(world, runId)).topology.nodes).toHaveLength(2);
  });

  it('is refused where one of those is down', async () => {
    const world = newWorld();
    world.hosts.managed.pop();
    const nodes = ring.nodes.map((node, index) => (index === 2 ? { ...node, datacenter: 'dc2' } : node));
    const down = { notUpNormal: [`${ring.nodes[2]?.address} (Down/Normal)`] };
    const input = await describedRegistration(world, {
      live: { ring: { ...ring, nodes } },
      more: { 0: down },
    });
    await expect(registerCluster(input, world)).rejects.toMatchObject({ name: 'NodeDown' });
  });

  it('goes by the ring of the seed: a host that is no member is named', async () => {
    const world = newWorld();
    const live = { ring: { ...ring, nodes: ring.nodes.slice(0, 2) } };
    const stranger = { ringDigest: 'f'.repeat(64) };
    const input = await describedRegistration(world, {
      ...{ live, more: { 2: stranger }, ...(first && { seedInstanceId: first }) },
    });
    await expect(registerCluster(input, world)).rejects.toThrow(
      new RegExp(`host ID ${hosts[2]?.hostId} on ${hosts[2]?.instanceId}, expected a member of the ring`),
    );
  });
});

it('a registration that died is FAILED by Recover, and the catalog does not say what it found', async () => {
  const world = newWorld();
  const input = await describedRegistration(world);
  await registerCluster(input, world);
  const { executionArn, runId } = input.run;
  world.executions.known.set(executionArn, { status: 'TIMED_OUT', startedAt: START });
  const recover = executionOf('recover', 'Recover');
  const claimed = await claimRecovery({ request: { executionArn }, execution: recover }, world);
  if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome);
  const { run, subject } = claimed;
  const { hostsKey } = await discoverHosts({ run, tolerateUnreachable: true }, world);
  const plan = await planRecovery({ run, subject, hostsKey, unreachable: [] }, world);
  expect(plan).toMatchObject({ status: 'FAILED', direction: 'none' });
  await recordRun(
    { run, status: 'COMPLETED', recovered: { runId, status: plan.status }, warnings: [] },
    world,
  );
  expect(await world.catalog.readRun(CLUSTER, runId)).toMatchObject({ status: 'FAILED' });
  expect(await world.catalog.readRegistration(CLUSTER)).toBeUndefined();
});

describe('a backup of a registered cluster', () => {
  it('that finds nothing new leaves the registration as it is', async () => {
    const world = newWorld();
    const { runId } = await completedRegistration(world);
    const backup = await completedBackup(world, { at: 60 });
    expect(await world.catalog.readRegistration(CLUSTER)).toMatchObject({ runId });
    expect((await world.catalog.readRun(CLUSTER, backup.runId))?.changes).toBeUndefined();
  });

  it('records what became different, and the registration follows', async () => {
    const world = newWorld();
    await completedRegistration(world, { more: { 2: { cassandraVersion: '5.0.8' } } });
    const { runId } = await completedBackup(world, { at: 60 });
    const changes = [`the version of node ${hosts[2]?.hostId}: 5.0.9, was 5.0.8`];
    expect(await world.catalog.readRun(CLUSTER, runId)).toMatchObject({ status: 'COMPLETED', changes });
    expect(await world.catalog.readRegistration(CLUSTER)).toMatchObject({
      ...{ runId, cassandraVersions: ['5.0.9'] },
    });
  });

  it('comes to the same end wherever its record is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      await completedRegistration(world, { more: { 2: { cassandraVersion: '5.0.8' } } });
      const { run, planKey } = await sealedBackup(world, { at: 60 });
      return {
        world,
        step: (ports) => recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, ports),
      };
    }));

  it('is COMPLETED where the registration cannot be read, and warns', async () => {
    const world = newWorld();
    const { runId } = await completedRegistration(world);
    world.vault.objects.set(world.layout.registration(CLUSTER, runId), Buffer.from('{'));
    const backup = await completedBackup(world, { at: 60 });
    const record = await world.catalog.readRun(CLUSTER, backup.runId);
    expect(record).toMatchObject({ status: 'COMPLETED' });
    expect(record?.warnings.join()).toContain('The registration was not brought up to date');
  });

  it('of a part says nothing of a cluster of which nobody could ask every node', async () => {
    const world = newWorld();
    const { runId } = await completedRegistration(world);
    world.hosts.managed.pop();
    const backup = await completedBackup(world, { at: 60, request: { nodes: [first] } });
    const record = await world.catalog.readRun(CLUSTER, backup.runId);
    expect(record?.leftOut?.nodes).toBe(2);
    expect(record?.changes).toBeUndefined();
    expect(await world.catalog.readRegistration(CLUSTER)).toMatchObject({ runId });
  });

  it('of one that is not registered knows of no changes', async () => {
    const world = newWorld();
    const { runId } = await completedBackup(world);
    expect((await world.catalog.readRun(CLUSTER, runId))?.changes).toBeUndefined();
    expect(await world.catalog.readRegistration(CLUSTER)).toBeUndefined();
  });
});

describe('UnregisterCluster', () => {
  it('forgets the cluster, and a registration after it begins anew', async () => {
    const world = newWorld();
    await completedRegistration(world, { more: { 2: { cassandraVersion: '5.0.8' } } });
    const run = await claimedRun(world, { workflow: 'register', name: 'forget', at: 60 });
    await unregisterCluster({ run }, world);
    await endOf(world, run);
    expect(await world.catalog.readRegistration(CLUSTER)).toBeUndefined();
    expect(await world.catalog.listRuns(CLUSTER)).toHaveLength(2);
    world.clock.advance(120_000);
    const { runId } = await completedRegistration(world, { name: 'anew', at: 120 });
    expect(await kept(world, runId)).toMatchObject({
      ...{ registeredAt: '2026-11-21T02:02:00.000Z', changes: [] },
    });
  });

  it('refuses a cluster that is not registered', async () => {
    const world = newWorld();
    const run = await claimedRun(world, { workflow: 'register' });
    await expect(unregisterCluster({ run }, world)).rejects.toMatchObject({ name: 'UnknownRegistration' });
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      await completedRegistration(world);
      const run = await claimedRun(world, { workflow: 'register', name: 'forget', at: 60 });
      return { world, step: (ports) => unregisterCluster({ run }, ports) };
    }));
});

import { describe, expect, it } from 'vitest';
import { backupPlan } from '../../contracts/plans.ts';
import { discoverHosts } from '../../lambdas/discover-hosts.ts';
import { planBackup } from '../../lambdas/plan-backup.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { answerDescribe, ORDERS_ID, ring, SCHEMA_VERSION, USERS_ID } from './support/answers.ts';
import { completedBackup, plannedBackup, sealedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { claimedRun, hosts, newWorld, type World } from './support/world.ts';

type Describe = Parameters<typeof answerDescribe>;

async function discovered(world: World, more: Describe[3] = {}, live: Describe[4] = {}) {
  const run = await claimedRun(world);
  const { hostsKey } = await discoverHosts({ run, tolerateUnreachable: false }, world);
  await answerDescribe(world, run, 'describe-1', more, live);
  return { run, request: { clusterId: run.clusterId }, hostsKey, round: 1 };
}

describe('PlanBackup', () => {
  it('plans what all nodes agree on', async () => {
    const world = newWorld();
    const planned = await plannedBackup(world);
    expect(planned).toMatchObject({ nodeCount: 3, backupId: planned.run.runId });
    const plan = await readDocument(world, planned.planKey, backupPlan);
    expect(plan).toMatchObject({
      snapshotTag: `ringvault-${planned.run.runId}-1`,
      clusterName: 'Demo',
      schemaVersion: SCHEMA_VERSION,
      tables: [
        { keyspace: 'app', table: 'Orders', tableId: ORDERS_ID },
        { keyspace: 'app', table: 'users', tableId: USERS_ID },
      ],
      warnings: [],
    });
    expect(plan.nodes.map((node) => node.previous)).toEqual([[], [], []]);
    expect(await readHosts(world, planned.nodesKey)).toEqual(hosts);
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const input = await discovered(world);
      return { world, step: (ports) => planBackup(input, ports) };
    }));

  it('names each node’s part of the newest sealed backup', async () => {
    const world = newWorld();
    const first = await completedBackup(world, { name: 'first' });
    const { planKey } = await plannedBackup(world, { name: 'second', at: 60 });
    const plan = await readDocument(world, planKey, backupPlan);
    expect(plan.nodes.map((node) => node.previous)).toEqual(
      hosts.map(({ instanceArn }) => [expect.objectContaining({ instanceArn, backupId: first.runId })]),
    );
  });

  it('uploads everything where the backup before cannot be read', async () => {
    const world = newWorld();
    const first = await completedBackup(world, { name: 'first' });
    const key = world.layout.clusterManifest(first.clusterId, first.runId);
    world.vault.objects.set(key, Buffer.from('{"formatVersion": 9}'));
    const { planKey } = await plannedBackup(world, { name: 'second', at: 60 });
    const plan = await readDocument(world, planKey, backupPlan);
    expect(plan.nodes.every((node) => node.previous.length === 0)).toBe(true);
    expect(plan.warnings[0]).toContain('uploaded anew');
  });

  it('does not take its own manifest for the backup before', async () => {
    const world = newWorld();
    const { run, hostsKey } = await sealedBackup(world);
    const request = { clusterId: run.clusterId };
    const { planKey } = await planBackup({ run, request, hostsKey, round: 1 }, world);
    const plan = await readDocument(world, planKey, backupPlan);
    expect(plan.nodes.every((node) => node.previous.length === 0)).toBe(true);
  });

  it('says once what all nodes warn of, and of the others who warns', async () => {
    const world = newWorld();
    const all = 'system_auth has one replica';
    const input = await discovered(world, {
      0: { warnings: [all] },
      1: { warnings: [all, 'clock'] },
      2: { warnings: [all] },
    });
    const { planKey } = await planBackup(input, world);
    const { warnings } = await readDocument(world, planKey, backupPlan);
    expect(warnings).toEqual([all, `${hosts[1]?.instanceId}: clock`]);
  });

  const [first, second, third] = ring.nodes;
  if (!first || !second || !third) throw new Error('three nodes');
  const stranger = { ...third, hostId: '99999999-0000-4000-8000-000000000000', address: '10.0.0.9' };
  const refusals: Array<[what: string, name: string, says: RegExp, Describe[3]?, Describe[4]?]> = [
    [
      'a node that is down',
      'NodeDown',
      /i-00000000000000002 \(no answer\)/,
      { 1: { cassandra: 'down', downReason: 'no answer' } },
    ],
    [
      'a member that others see down',
      'NodeDown',
      /10\.0\.0\.3 \(DN\) by i-00000000000000001/,
      { 0: { notUpNormal: ['10.0.0.3 (DN)'] } },
    ],
    ['another view of the ring', 'RingDisagreement', /2 views/, { 2: { ringDigest: 'd'.repeat(64) } }],
    [
      'another schema version',
      'SchemaDisagreement',
      /2 schema versions/,
      { 2: { schemaVersion: '22222222-1111-4111-8111-111111111111' } },
    ],
    ['another datacenter', 'InvalidConfiguration', /in "dc2", expected "dc1"/, { 0: { datacenter: 'dc2' } }],
    [
      'a ring member that no host runs',
      'UnmanagedNode',
      /10\.0\.0\.9/,
      {},
      { ring: { ...ring, nodes: [...ring.nodes, stranger] } },
    ],
    [
      'a host that is no ring member',
      'RingDisagreement',
      /expected a member/,
      {},
      { ring: { ...ring, nodes: [first, second] } },
    ],
    [
      'one host ID twice',
      'RingDisagreement',
      /expected one host/,
      { 1: { hostId: first.hostId } },
      { ring: { ...ring, nodes: [first, third] } },
    ],
  ];
  it.each(refusals)('refuses %s by name', async (_what, name, says, more, live) => {
    const world = newWorld();
    const refused = planBackup(await discovered(world, more, live), world);
    await expect(refused).rejects.toMatchObject({ name });
    await expect(refused).rejects.toThrow(says);
  });

  it('does nothing for a run that has ended', async () => {
    const world = newWorld();
    const input = await discovered(world);
    await world.catalog.release(input.run);
    await expect(planBackup(input, world)).rejects.toMatchObject({ name: 'RunEnded' });
  });
});

import { describe, expect, it } from 'vitest';
import { restorePlan } from '../../contracts/plans.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { planRestore } from '../../lambdas/plan-restore.ts';
import { readDocument, readHosts } from '../../lambdas/vault/documents.ts';
import { ring, schema } from './support/answers.ts';
import { backedUp, completedBackup, uploadedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { completedRestore, describedRestore, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, hosts, newWorld } from './support/world.ts';

type Asked = Parameters<typeof describedRestore>[1];

describe('PlanRestore: restore', () => {
  it('plans the newest sealed backup for every host, by host ID', async () => {
    const { world, backupId } = await backedUp();
    const planned = await plannedRestore(world);
    expect(planned).toMatchObject({
      operation: 'restore',
      dryRun: false,
      summary: { backupId, nodes: 3, recreated: [] },
    });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan).toMatchObject({
      backupId,
      restoreRunId: planned.run.runId,
      mayFailToDrain: true,
      statements: [],
    });
    expect(plan.nodes.map((node) => [node.hostId, node.sources[0]?.instanceArn, node.bytes])).toEqual(
      hosts.map(({ hostId, instanceArn }) => [hostId, instanceArn, 2_000]),
    );
    expect(await readHosts(world, planned.seedsKey)).toEqual(hosts.slice(0, 1));
    expect(await readHosts(world, planned.othersKey)).toEqual(hosts.slice(1));
    expect(planned.schemaNodeKey).toBe('');
  });

  it('names no list that would be empty: seeds, others', async () => {
    for (const isSeed of [true, false]) {
      const { world } = await backedUp();
      const planned = await plannedRestore(world, { more: { 0: { isSeed }, 1: { isSeed }, 2: { isSeed } } });
      expect([planned.seedsKey === '', planned.othersKey === '']).toEqual([!isSeed, isSeed]);
    }
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const { world } = await backedUp();
      const input = await describedRestore(world);
      return { world, step: (ports) => planRestore(input, ports) };
    }));

  it('takes the vault’s word for what is sealed, and not the catalog’s', async () => {
    const { world, backupId } = await backedUp();
    await uploadedBackup(world, { name: 'unsealed', at: 60 });
    const run = (await world.catalog.listRuns(CLUSTER))[0];
    const lock = await world.catalog.readLock(CLUSTER);
    if (run) await world.catalog.putEndedRun({ ...run, status: 'COMPLETED', backupId: run.runId });
    if (run && lock) await world.catalog.release({ ...lock, startedAt: run.startedAt, configurationKey: '' });
    const planned = await plannedRestore(world);
    expect(planned.summary).toMatchObject({ backupId });
    const unsealed = { name: 'again', at: 900, request: { backupId: run?.runId ?? '' } };
    const lockOfPlan = planned.run;
    await world.catalog.release(lockOfPlan);
    await expect(plannedRestore(world, unsealed)).rejects.toMatchObject({ name: 'UnknownBackup' });
  });

  it('refuses where there is no backup at all', async () => {
    await expect(plannedRestore(newWorld())).rejects.toMatchObject({ name: 'NoBackup' });
  });

  it('has one node re-create what was dropped', async () => {
    const { world } = await backedUp();
    const live = {
      schema: {
        ...schema,
        tables: schema.tables.slice(1),
        statements: schema.statements.filter((each) => each.name !== '"Orders"'),
      },
    };
    const planned = await plannedRestore(world, { live, more: { 0: { cassandra: 'down' } } });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.statements.map((each) => each.name)).toEqual(['"Orders"']);
    expect(planned.summary['recreated']).toEqual(['table app."Orders"']);
    expect(await readHosts(world, planned.schemaNodeKey)).toEqual([hosts[1]]);
    expect(plan.nodes.map((node) => node.cassandra)).toEqual(['down', 'up', 'up']);
  });

  it('warns of files that had rotted when they were backed up', async () => {
    const world = newWorld();
    await completedBackup(world, {}, { 1: { damagedFiles: 4 } });
    const planned = await plannedRestore(world);
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.warnings).toEqual([
      expect.stringMatching(/^i-00000000000000002 has 4 files in the backup, .* that had rotted/),
    ]);
  });

  it('must drain where live tables are not in the backup', async () => {
    const { world } = await backedUp();
    const more = { ...schema.tables[0], name: 'newer', id: 'e'.repeat(32) } as (typeof schema.tables)[number];
    const planned = await plannedRestore(world, {
      live: { schema: { ...schema, tables: [...schema.tables, more] } },
    });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.mayFailToDrain).toBe(false);
    expect(plan.warnings).toEqual([expect.stringContaining('app.newer')]);
  });

  it('refuses while a node is down whose commit log may hold writes to tables that stay', async () => {
    const newer = {
      ...schema.tables[0],
      name: 'newer',
      id: 'e'.repeat(32),
    } as (typeof schema.tables)[number];
    const live = { schema: { ...schema, tables: [...schema.tables, newer] } };
    const more = { 1: { cassandra: 'down' as const, downReason: 'crashed' } };
    const { world } = await backedUp();
    await completedRestore(world);
    for (const request of [{}, { operation: 'undo' }]) {
      const operation = request.operation ?? 'restore';
      const refused = plannedRestore(world, { name: operation, at: 900, request, live, more });
      await expect(refused).rejects.toMatchObject({ name: 'NodeDown' });
      await expect(refused).rejects.toThrow(
        `got ${hosts[1]?.instanceId} (crashed) down, expected every node up where tables stay as they are (app.newer)`,
      );
      const lock = await world.catalog.readLock(CLUSTER);
      if (lock) await world.catalog.release({ ...lock, startedAt: '', configurationKey: '' });
    }
  });

  it('plans for a cluster that is all down, and says what is at risk', async () => {
    const { world } = await backedUp();
    const down = { cassandra: 'down' as const };
    const planned = await plannedRestore(world, { more: { 0: down, 1: down, 2: down } });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.nodes).toHaveLength(3);
    expect(plan.warnings.join()).toMatch(/writes to them that were not flushed are lost/);
  });

  it.each([
    ['restore', undefined],
    ['restore', 'prod'],
    ['undo', undefined],
    ['release', undefined],
  ])('%s: is refused where confirmCluster is %s', async (operation, confirmCluster) => {
    const { world } = await backedUp();
    if (operation !== 'restore') await completedRestore(world);
    const request = { operation, confirmCluster };
    const refused = plannedRestore(world, { name: 'unconfirmed', at: 900, request });
    await expect(refused).rejects.toMatchObject({ name: 'NotConfirmed' });
    await expect(refused).rejects.toThrow('expected "demo"');
  });

  it('needs no confirmation for a dry run', async () => {
    const { world } = await backedUp();
    const planned = await plannedRestore(world, { request: { confirmCluster: undefined, dryRun: true } });
    expect(planned.summary).toMatchObject({ nodes: 3 });
  });

  it('finds a node that lost its host ID by the instance that it was backed up on', async () => {
    const { world } = await backedUp();
    const planned = await plannedRestore(world, { more: { 2: { cassandra: 'down', hostId: undefined } } });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.nodes[2]?.hostId).toBe(hosts[2]?.hostId);
  });

  const [first, second, third] = ring.nodes;
  if (!first || !second || !third) throw new Error('three nodes');
  const recreated = schema.tables.map((table) => ({ ...table, id: 'e'.repeat(32) }));
  const refusals: Array<[what: string, name: string, Asked]> = [
    ['a host without the guard file', 'RestoreNotAllowed', { more: { 1: { restoreAllowed: false } } }],
    [
      'a format that a node does not read',
      'IncompatibleVersion',
      { more: { 1: { readableFormats: ['oa'] } } },
    ],
    [
      'too little space',
      'InsufficientSpace',
      { more: { 1: { dataDirectories: [{ path: '/d', freeBytes: 2_999, totalBytes: 9_999 }] } } },
    ],
    [
      'another node than the backup’s',
      'TopologyMismatch',
      { more: { 1: { hostId: '99999999-0000-4000-8000-000000000000' } } },
    ],
    [
      'other tokens',
      'TopologyMismatch',
      { live: { ring: { ...ring, nodes: [first, second, { ...third, tokens: ['1'] }] } } },
    ],
    [
      'another member of the ring',
      'TopologyMismatch',
      {
        live: {
          ring: {
            ...ring,
            nodes: [...ring.nodes, { ...third, hostId: '99999999-0000-4000-8000-000000000000' }],
          },
        },
      },
    ],
    ['another cluster’s name', 'TopologyMismatch', { live: { ring: { ...ring, clusterName: 'Other' } } }],
    ['a table created again', 'SchemaConflict', { live: { schema: { ...schema, tables: recreated } } }],
    [
      'nodes of two schemas',
      'SchemaDisagreement',
      { more: { 1: { schemaVersion: '22222222-1111-4111-8111-111111111111' } } },
    ],
    ['an unknown backup', 'UnknownBackup', { request: { backupId: '20200101t000000z-00000000' } }],
  ];
  it.each(refusals)('refuses %s by name, for a dry run too', async (_what, name, asked) => {
    for (const dryRun of [false, true]) {
      const { world } = await backedUp();
      const request = { ...asked?.request, dryRun };
      await expect(plannedRestore(world, { ...asked, request })).rejects.toMatchObject({ name });
    }
  });

  it('refuses a damaged header, ring or schema', async () => {
    for (const part of ['nodeHeader', 'backupRing', 'backupSchema'] as const) {
      const { world, backupId } = await backedUp();
      const key = world.layout[part](CLUSTER, backupId, hosts[0]?.instanceArn ?? '');
      world.vault.objects.set(key, Buffer.from('{}'));
      await expect(plannedRestore(world)).rejects.toMatchObject({ name: 'BackupDamaged' });
    }
  });
});

describe('PlanRestore: undo and release', () => {
  const ask = (operation: 'undo' | 'release', at: number, more: object = {}) => ({
    ...{ name: `${operation}-${at}`, at, request: { operation, ...more } },
  });

  it('plans the newest restore whose data from before is kept', async () => {
    const { world, backupId } = await backedUp();
    const restore = await completedRestore(world);
    const planned = await plannedRestore(world, ask('undo', 900));
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan).toMatchObject({ operation: 'undo', restoreRunId: restore.runId, backupId, statements: [] });
    expect(plan.nodes).toHaveLength(3);
  });

  it('empties at each node what would contradict the restored rows', async () => {
    const { world } = await backedUp();
    const { run, nodesKey, planKey } = await plannedRestore(world);
    const [host] = await readHosts(world, nodesKey);
    if (!host) throw new Error('a host');
    const asked = { run, host, planKey, parameters: {}, cluster: configuration.cluster };
    expect((await actionInputs.place(asked, world)).emptied).toEqual([
      { keyspace: 'system', table: 'paxos' },
      { keyspace: 'system', table: 'paxos_repair_history' },
      { keyspace: 'system', table: 'batches' },
    ]);
  });

  it('refuses where nothing is kept: no restore, a dry run, undone, released', async () => {
    const { world } = await backedUp();
    const refused = async (operation: 'undo' | 'release', at: number) => {
      await expect(plannedRestore(world, ask(operation, at))).rejects.toMatchObject({
        name: 'NothingToUndo',
      });
      const lock = await world.catalog.readLock(CLUSTER);
      if (lock) await world.catalog.release({ ...lock, startedAt: '', configurationKey: '' });
    };
    await refused('undo', 700);
    await completedRestore(world, { name: 'dry', at: 800, request: { dryRun: true } });
    await refused('release', 900);
    await completedRestore(world, { name: 'first', at: 1_000 });
    await completedRestore(world, ask('undo', 1_100));
    await refused('undo', 1_200);
    await completedRestore(world, { name: 'second', at: 1_300 });
    await completedRestore(world, ask('release', 1_400));
    await refused('undo', 1_500);
  });

  it('releases what an undo kept: the newest that keeps anything, or the one named', async () => {
    const { world } = await backedUp();
    const older = await completedRestore(world, { name: 'older', at: 700 });
    const newer = await completedRestore(world, { name: 'newer', at: 800 });
    await completedRestore(world, ask('undo', 900));
    expect(await world.catalog.readRun(CLUSTER, newer.runId)).toMatchObject({ undo: 'undone' });
    await completedRestore(world, ask('release', 1_000));
    expect(await world.catalog.readRun(CLUSTER, newer.runId)).toMatchObject({ undo: 'released' });
    await completedRestore(world, ask('undo', 1_100));
    expect(await world.catalog.readRun(CLUSTER, older.runId)).toMatchObject({ undo: 'undone' });
  });

  it('releases whatever has become of the ring', async () => {
    const { world } = await backedUp();
    await completedRestore(world);
    const more = { 2: { hostId: '99999999-0000-4000-8000-000000000000' } };
    const nodes = ring.nodes.map((node, index) => ({
      ...node,
      ...(index === 2 && { ...more[2], tokens: ['7'] }),
    }));
    const planned = await plannedRestore(world, {
      ...ask('release', 900),
      more,
      live: { ring: { ...ring, nodes } },
    });
    expect((await readDocument(world, planned.planKey, restorePlan)).nodes).toHaveLength(2);
  });

  it.each(['undo', 'release'] as const)('%s as a dry run plans and changes nothing', async (operation) => {
    const { world } = await backedUp();
    const restore = await completedRestore(world);
    const dry = ask(operation, 900, { dryRun: true, confirmCluster: undefined });
    const { runId } = await completedRestore(world, dry);
    const record = await world.catalog.readRun(CLUSTER, runId);
    expect(record).toMatchObject({ restoreRunId: restore.runId, status: 'COMPLETED' });
    const [node] = await world.catalog.listNodes(runId);
    expect(node?.phase).toBe(operation === 'undo' ? 'check-undo' : 'describe');
    expect(await world.catalog.readRun(CLUSTER, restore.runId)).toMatchObject({ undo: 'possible' });
  });

  it('refuses to undo into tables that were dropped, or created again, since', async () => {
    const again = schema.tables.map((table) => ({ ...table, id: 'e'.repeat(32) }));
    const changes: Array<[typeof schema.tables, RegExp]> = [
      [schema.tables.slice(1), /table app\.Orders \(ID b+\) was dropped/],
      [again, /app\.Orders has ID e+, in the backup b+/],
    ];
    for (const [tables, says] of changes) {
      const { world } = await backedUp();
      await completedRestore(world);
      const live = { schema: { ...schema, tables } };
      const refused = plannedRestore(world, { ...ask('undo', 900), live });
      await expect(refused).rejects.toMatchObject({ name: 'SchemaConflict' });
      await expect(refused).rejects.toThrow(says);
    }
  });

  it('undoes restores in the order opposite to theirs', async () => {
    const { world } = await backedUp();
    const older = await completedRestore(world, { name: 'older', at: 700 });
    const newer = await completedRestore(world, { name: 'newer', at: 800 });
    const refused = plannedRestore(world, ask('undo', 900, { restoreRunId: older.runId }));
    await expect(refused).rejects.toMatchObject({ name: 'NothingToUndo' });
    await expect(refused).rejects.toThrow(newer.runId);
  });

  it('records in the restore’s own history what became of it', async () => {
    const { world } = await backedUp();
    const restore = await completedRestore(world);
    expect(await world.catalog.readRun(CLUSTER, restore.runId)).toMatchObject({
      undo: 'possible',
      files: 54,
    });
    const undo = await completedRestore(world, ask('undo', 900));
    expect(await world.catalog.readRun(CLUSTER, restore.runId)).toMatchObject({ undo: 'undone' });
    expect(await world.catalog.readRun(CLUSTER, undo.runId)).toMatchObject({ restoreRunId: restore.runId });
  });

  it('releases the hosts that are left of the restore, and undoes on all or none', async () => {
    const { world } = await backedUp();
    await completedRestore(world);
    const more = { 1: { hostId: '99999999-0000-4000-8000-000000000000', cassandra: 'down' as const } };
    const planned = await plannedRestore(world, { ...ask('release', 900), more });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.nodes).toHaveLength(2);
    expect(plan.warnings.join()).toContain('99999999');
    await world.catalog.release(planned.run);
    await expect(plannedRestore(world, { ...ask('undo', 1_000), more })).rejects.toMatchObject({
      name: 'TopologyMismatch',
    });
  });
});

import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { vaultLayout } from '../../contracts/layout.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import { arnOf, RUN, record, stage } from './stage.ts';

const OLDER = '20261120t020000z-11111111';
const UNSEALED = '20261122t020000z-22222222';
const hash = 'a'.repeat(64);

function manifest(backupId: string): ClusterManifest {
  return {
    formatVersion: 1,
    backupId,
    clusterId: 'demo',
    kind: 'snapshot',
    scope: 'cluster',
    selection: {},
    leftOut: { nodes: 0, tables: 0 },
    clusterName: 'Test Cluster',
    snapshotAt: '2026-11-21T02:00:20.000Z',
    snapshotSpreadMs: 300,
    sealedAt: '2026-11-21T02:03:00.000Z',
    schemaVersion: '0f5b1f0e-7c5d-4f3b-9a55-3a2f6f1f2b11',
    nodes: [
      {
        hostId: '3d1f3a52-4c3e-4a53-8f77-0b0b0b0b0b0b',
        instanceArn: 'arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0',
        headerSha256: hash,
        listingSha256: hash,
        files: 9,
        bytes: 4096,
      },
    ],
    ring: { sha256: hash },
    schema: { sha256: hash },
    schemaCql: { sha256: hash },
    files: 9,
    bytes: 4096,
  };
}

async function withBackups(options: Parameters<typeof stage>[0] = {}) {
  const staged = stage(options);
  const layout = vaultLayout('');
  await staged.know('demo');
  for (const id of [OLDER, RUN]) {
    await staged.store.put(layout.clusterManifest('demo', id), JSON.stringify(manifest(id)), 'create');
  }
  await staged.store.put(layout.nodeHeader('demo', UNSEALED, 'arn'), '{}', 'create');
  return staged;
}
const done = (change = {}) => ({
  execution: { status: 'SUCCEEDED' },
  run: record({ workflow: 'restore', executionArn: arnOf('restore'), ...change }),
});

it('shows what an incremental goes on from; with --snapshot-only it is the base alone that is shown and restored', async () => {
  const { type, story, started, output, store } = await withBackups({ interactive: true, typed: 'demo' });
  const link = { backupId: OLDER, manifestSha256: '0'.repeat(64) };
  const incremental = { ...manifest(RUN), kind: 'incremental', base: link, previous: link };
  await store.put(vaultLayout('').clusterManifest('demo', RUN), JSON.stringify(incremental), 'overwrite');
  story.push(done());
  expect(await type('restore demo')).toBe(0);
  story.push(done());
  expect(await type('restore demo --snapshot-only')).toBe(0);
  expect(started.map(({ input }) => input)).toMatchObject([
    { backupId: RUN, snapshotOnly: false },
    { backupId: OLDER, snapshotOnly: true },
  ]);
  expect(output.stderr).toContain(`beginning with ${OLDER}, is restored with it`);
});

it('asks for the cluster ID, showing the newest sealed backup, and restores exactly that one', async () => {
  const { type, story, started, output } = await withBackups({ interactive: true, typed: 'demo' });
  story.push(done());
  expect(await type('restore demo')).toBe(0);
  expect(output.stderr).toContain(`backup ${RUN}`);
  expect(output.stderr).toContain('2026-11-21 02:00:20Z');
  expect(started).toEqual([
    {
      workflow: 'restore',
      input: {
        operation: 'restore',
        clusterId: 'demo',
        backupId: RUN,
        dryRun: false,
        onlyBackedUpDatacenters: false,
        snapshotOnly: false,
        ignoreGcGrace: false,
        ignoreCounters: false,
        online: false,
        confirmCluster: 'demo',
        requestedBy: 'ana@desk',
      },
    },
  ]);
});

it.each([
  { interactive: true, typed: 'prod' },
  { interactive: true, typed: '' },
  // Ctrl-C, or Ctrl-D.
  { interactive: true },
  { interactive: false },
])('starts nothing without confirmation (%j): exit 3', async (options) => {
  const { type, started, output } = await withBackups(options);
  expect(await type('restore demo')).toBe(3);
  expect(output.stderr).toContain('NotConfirmed: ');
  expect(started).toEqual([]);
});

it('with --yes asks nobody', async () => {
  const { type, story, started } = await withBackups();
  story.push(done());
  expect(await type(`restore demo --backup ${OLDER} --yes`)).toBe(0);
  expect(started).toMatchObject([{ input: { backupId: OLDER } }]);
});

it('a dry run asks nobody and shows the plan', async () => {
  const { type, story, started, output } = await withBackups();
  const { run } = done({ request: { dryRun: true } });
  story.push({ execution: { status: 'SUCCEEDED', output: { nodes: 3 } }, run });
  expect(await type('restore demo --dry-run')).toBe(0);
  expect(started).toMatchObject([{ input: { dryRun: true } }]);
  expect(output.stdout).toContain('"nodes": 3');
});

it('a backup that was not sealed is unknown: exit 4, nothing started', async () => {
  const { type, started, output } = await withBackups();
  expect(await type(`restore demo --backup ${UNSEALED} --yes`)).toBe(4);
  expect(output.stderr).toContain('UnknownBackup: ');
  expect(started).toEqual([]);
});

it('a cluster without a sealed backup has nothing to restore: exit 4', async () => {
  const { type, know, output } = stage();
  await know('demo');
  expect(await type('restore demo --yes')).toBe(4);
  expect(output.stderr).toContain('NoBackup: ');
});

it('restores another cluster’s backup to the one that is named, and says whose it is', async () => {
  const { type, story, started, output } = await withBackups({ interactive: true, typed: 'twin' });
  story.push(done());
  expect(await type('restore twin --source-cluster demo')).toBe(0);
  expect(output.stderr).toContain(
    `Restores cluster twin from backup ${RUN} of another cluster, demo (Test Cluster, 1 nodes):`,
  );
  expect(started.map(({ input }) => input)).toMatchObject([
    { clusterId: 'twin', sourceCluster: 'demo', backupId: RUN, confirmCluster: 'twin' },
  ]);
});

it('brings a dead node back on the host that is named with it, and says what must not happen', async () => {
  const dead = '00000001-0000-4000-8000-000000000000';
  const { type, story, started, output } = await withBackups({ interactive: true, typed: 'demo' });
  for (const half of [`--dead-node ${dead}`, '--on i-0123456789abcdef0'])
    expect(await type(`restore demo ${half}`)).toBe(2);
  expect(output.stderr).toContain('InvalidRequest');
  story.push(done());
  expect(await type(`restore demo --dead-node ${dead} --on i-0123456789abcdef0`)).toBe(0);
  expect(output.stderr).toContain(`Brings node ${dead} of cluster demo back on i-0123456789abcdef0`);
  expect(output.stderr).toMatch(
    /repaired, which may take hours\. There is no undo\.\s+Its old host must never/,
  );
  const deadNode = { node: dead, newInstanceId: 'i-0123456789abcdef0', newHostId: false };
  expect(started.map(({ input }) => input)).toMatchObject([{ clusterId: 'demo', deadNode, backupId: RUN }]);
  expect(started[0]?.input).not.toHaveProperty('repair');
});

it('downloads ahead without asking: nothing is changed', async () => {
  const { type, story, started } = await withBackups({ interactive: true });
  story.push(done());
  expect(await type('restore demo --stop-after-step download')).toBe(0);
  expect(started.map(({ input }) => input)).toMatchObject([{ stopAfterStep: 'download', backupId: RUN }]);
  expect(await type('restore demo --stop-after-step place')).toBe(2);
});

it.each([true, false])('asks for a repair, or for none, only where it was said: %s', async (repair) => {
  const { type, story, started } = await withBackups({ interactive: true, typed: 'demo' });
  story.push(done());
  expect(await type(`restore demo --${repair ? '' : 'no-'}repair`)).toBe(0);
  expect(started.map(({ input }) => input)).toMatchObject([{ repair }]);
});

it('prints what the nodes of a new cluster are started with, by datacenter and rack', async () => {
  const { type, store, output } = await withBackups();
  const node = (number: number, rack: string) => ({
    hostId: `0000000${number}-0000-4000-8000-000000000000`,
    ...{ address: `10.0.0.${number}`, datacenter: 'dc1', rack, tokens: [`-${number}`, `${number}`] },
  });
  const ring = { clusterName: 'Test Cluster', partitioner: 'P', nodes: [node(1, 'b\nx: y'), node(2, 'a')] };
  const key = vaultLayout('').backupRing('demo', RUN);
  await store.put(key, JSON.stringify(ring), 'create');
  const sha256 = createHash('sha256').update(JSON.stringify(ring)).digest('hex');
  const sealed = JSON.stringify({ ...manifest(RUN), ring: { sha256 } });
  await store.put(vaultLayout('').clusterManifest('demo', RUN), sealed, 'overwrite');
  expect(await type('tokens demo')).toBe(0);
  const settings = { partitioner: 'P', num_tokens: 2, auto_bootstrap: false };
  // Comments, and one document a node.
  const [, ...nodes] = parseAllDocuments(`---\n${output.stdout}`).map((each) => each.toJS());
  expect(nodes).toEqual([
    { ...settings, initial_token: '-2,2' },
    { ...settings, initial_token: '-1,1' },
  ]);
  expect(output.stdout).toContain('# 10.0.0.1: datacenter "dc1", rack "b\\nx: y"\n');
});

it('says so where the ring is not the one that was sealed', async () => {
  const { type, store, output } = await withBackups();
  await store.put(vaultLayout('').backupRing('demo', RUN), '{}', 'create');
  expect(await type('tokens demo')).toBe(5);
  expect(output.stderr).toContain('BackupDamaged: ');
});

const UNDONE = '20261121t050000z-33333333';

it.each([
  ['undo', RUN],
  ['release', UNDONE],
] as const)('%s is about the newest restore that keeps something for it', async (operation, restoreRunId) => {
  const { type, remember, story, started } = await withBackups();
  const newer = record({ workflow: 'restore', runId: UNDONE, undo: 'undone' });
  const newest = record({ workflow: 'restore', runId: '20261121t060000z-33333333', undo: 'released' });
  for (const run of [newest, newer, record({ workflow: 'restore', undo: 'possible' })]) await remember(run);
  story.push(done());
  expect(await type(`${operation} demo --yes`)).toBe(0);
  expect(started).toEqual([
    {
      workflow: 'restore',
      input: {
        operation,
        clusterId: 'demo',
        restoreRunId,
        confirmCluster: 'demo',
        requestedBy: 'ana@desk',
      },
    },
  ]);
});

it.each(['undo', 'release'])('%s --dry-run asks nobody, and changes nothing', async (operation) => {
  const { type, remember, story, started } = await withBackups();
  await remember(record({ workflow: 'restore', undo: 'possible' }));
  story.push(done());
  expect(await type(`${operation} demo --dry-run`)).toBe(0);
  expect(started[0]?.input).toMatchObject({ operation, dryRun: true });
  expect(started[0]?.input).not.toHaveProperty('confirmCluster');
});

it('undo goes on over gc_grace_seconds where it is told to', async () => {
  const { type, remember, story, started } = await withBackups();
  await remember(record({ workflow: 'restore', undo: 'possible' }));
  story.push(done());
  expect(await type('undo demo --yes --ignore-gc-grace')).toBe(0);
  expect(started[0]?.input).toMatchObject({ operation: 'undo', ignoreGcGrace: true });
});

it.each(['undo', 'release'])(
  '%s without a restore whose old data is kept is refused: exit 3',
  async (operation) => {
    const { type, remember, started, output } = await withBackups();
    await remember(record({ workflow: 'restore', undo: 'released' }));
    expect(await type(`${operation} demo --yes`)).toBe(3);
    expect(output.stderr).toContain('NothingToUndo: ');
    expect(started).toEqual([]);
  },
);

it('a release that reached some hosts alone is made again by its run ID', async () => {
  const { type, remember, story, started } = await withBackups();
  await remember(record({ workflow: 'restore', undo: 'released' }));
  story.push(done());
  expect(await type(`release demo ${RUN} --yes`)).toBe(0);
  expect(started).toMatchObject([{ input: { operation: 'release', restoreRunId: RUN } }]);
});

it('shows what a backup of a part leaves as it is, and never takes one for the latest', async () => {
  const { deployment, type, story, output } = await withBackups({ interactive: true, typed: 'demo' });
  const part = '20261121t030000z-33333333';
  const selection = {
    nodes: ['i-0123456789abcdef0'],
    keyspaces: { include: ['app.*'], exclude: ['app.cache'] },
  };
  const partial = { ...manifest(part), scope: 'part', selection, leftOut: { nodes: 2, tables: 5 } };
  await deployment.store.put(
    deployment.layout.clusterManifest('demo', part),
    JSON.stringify(partial),
    'create',
  );
  story.push(done());
  expect(await type('restore demo')).toBe(0);
  expect(output.stderr).not.toContain(part);
  story.push(done());
  expect(await type(`restore demo --backup ${part}`)).toBe(0);
  expect(output.stderr).toContain(
    'a part of the cluster (nodes i-0123456789abcdef0; keyspaces app.*; without app.cache): 2 nodes and 5 tables and views are left as they are.',
  );
  expect(output.stderr).toContain('These nodes are stopped and started');
});

it('restores under other names, and from another vault what is named', async () => {
  const { type, story, started, output } = await withBackups({ interactive: true, typed: 'demo' });
  story.push(done());
  expect(await type('restore demo --as shop.orders=before --as app=app_before')).toBe(0);
  expect(output.stderr).toContain('shop.orders comes back as before, beside the live one');
  expect(output.stderr).toContain('Only a part of that is restored: keyspaces shop.orders, app');
  expect(await type('restore demo --as shop.orders=a=b')).toBe(2);
  expect(await type('restore demo --source-vault dr')).toBe(2);
  const dead = '--dead-node i-0123456789abcdef0 --on i-0123456789abcdef1';
  expect(await type(`restore demo --source-vault dr --backup ${OLDER} ${dead}`)).toBe(2);
  story.push(done());
  expect(await type(`restore demo --source-vault dr --source-cluster other --backup ${OLDER}`)).toBe(0);
  expect(output.stderr).toContain(`the backup ${OLDER} of other in vault dr`);
  expect(started.map(({ input }) => input)).toMatchObject([
    { online: true, as: { 'shop.orders': 'before', app: 'app_before' } },
    { sourceVault: 'dr', sourceCluster: 'other', backupId: OLDER },
  ]);
});

// Backups of a part, on Cassandra 4.1 with two datacenters: what was chosen comes back row by row, everything else stays.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { clusterId, gamma, openShop, rows, TABLES, write, written } from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());

test('a whole backup, an increment on it, and the restore of both, on 4.1', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Whole');
  const base = stage.completed(await stage.run('backup', { clusterId, kind: 'incremental' }));
  expect(base).toMatchObject({ kind: 'snapshot', leftOut: { nodes: 0, tables: 0 } });
  await write(client, 'Whole', 'since', 100);
  const backup = stage.completed(await stage.run('backup', { clusterId, kind: 'incremental' }));
  expect(backup).toMatchObject({ kind: 'incremental', baseBackupId: base.runId });
  await write(client, 'Whole', 'after', 10);
  await client.execute('DROP MATERIALIZED VIEW "Whole"."OrdersByWhen"');
  for (const table of TABLES) await client.execute(`DROP TABLE "Whole"."${table}"`);
  stage.completed(await stage.run('restore', { clusterId, backupId: backup.runId }));
  const all = [...written('before', 0), ...written('since', 100)].sort();
  for (const from of ['"Whole"."Orders"', '"Whole"."Cache"', '"Whole"."OrdersByWhen"']) {
    expect(await rows(client, from)).toEqual(all);
  }
  expect(await rows(client, `"Whole"."Orders" WHERE "When" = 'before'`)).toEqual(written('before', 0));
  expect(await rows(client, `"Whole"."Orders" WHERE "When" = 'after'`)).toEqual([]);
});

test('a backup of chosen tables holds no other, and a restore of it leaves the others as they are', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Chosen');
  const keyspaces = { include: ['Chosen'], exclude: ['*.C?che'] };
  const backup = stage.completed(await stage.run('backup', { clusterId, keyspaces }));
  const { files, manifest } = await readStoredBackup(stage, clusterId, backup.runId);
  expect(manifest).toMatchObject({ scope: 'part', selection: { keyspaces } });
  const stored = new Set(files.map(({ path }) => path.replace(/-[0-9a-f]{32}\/.*/, '')));
  const users = [...stored].filter((table) => !table.startsWith('system'));
  expect(users.sort()).toEqual(['Chosen/Orders', 'Chosen/OrdersByWhen']);
  expect([...stored]).toEqual(expect.arrayContaining(['system_schema/tables', 'system_auth/roles']));

  await write(client, 'Chosen', 'after', 10);
  const restore = stage.completed(await stage.run('restore', { clusterId, backupId: backup.runId }));
  expect(restore.warnings.join()).toContain('tables and views are left out');
  expect(await rows(client, '"Chosen"."Orders"')).toEqual(written('before', 0));
  expect(await rows(client, '"Chosen"."OrdersByWhen"')).toEqual(written('before', 0));
  const kept = [
    ...written('before', 0).filter((row) => Number.parseInt(row, 10) < 10),
    ...written('after', 10),
  ];
  expect(await rows(client, '"Chosen"."Cache"')).toEqual(kept.sort());
});

test('a backup of one datacenter brings a dropped keyspace back, replicated there alone', async () => {
  const { cluster, client, first } = await gamma();
  await openShop(cluster, client, 'OneDatacenter');
  const view = await stage.run('backup', { clusterId, datacenter: 'dc1' });
  const backup = stage.completed(view);
  const uploaded = view.nodes.filter((node) => node.phase === 'upload');
  expect(uploaded.map((node) => node.instanceId)).toEqual([first.instanceId]);
  expect(view.nodes.map((node) => node.status)).toEqual(['COMPLETED', 'COMPLETED']);
  expect(backup.leftOut).toEqual({ nodes: 1, tables: 0 });
  await client.execute('DROP KEYSPACE "OneDatacenter"');
  const request = { clusterId, backupId: backup.runId, onlyBackedUpDatacenters: true };
  stage.completed(await stage.run('restore', request));
  const { rows: found } = await client.execute(
    `SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'OneDatacenter'`,
  );
  expect(Object.keys(found[0]?.['replication'] ?? {}).sort()).toEqual(['class', 'dc1']);
  for (const from of ['Orders', 'Cache', 'OrdersByWhen']) {
    expect(await rows(client, `"OneDatacenter"."${from}"`)).toEqual(written('before', 0));
  }
});

test('a chosen node is backed up while another is down, and the mail says that it is a part', async () => {
  const { cluster, first, second, secondNode } = await gamma();
  await secondNode.stop();
  const view = await stage.run('backup', { clusterId, nodes: [first.instanceId] });
  const refused = await stage.run('backup', { clusterId, nodes: [second.instanceId] });
  await secondNode.start();
  await cluster.cassandra.settled();
  const backup = stage.completed(view);
  expect(errorOf(refused)?.name).toBe('NodeDown');
  const mail = await stage.mailAbout(backup.runId, /COMPLETED/);
  expect(mail).toMatch(new RegExp(`Only: +nodes ${first.instanceId}`));
  expect(mail).toMatch(/Left out: +1 ring members, 0 tables and views/);
});

test('a choice that matches nothing is refused by name, and nothing is stored', async () => {
  await gamma();
  const view = await stage.run('backup', { clusterId, keyspaces: { include: ['shop'] } });
  expect(errorOf(view)?.name).toBe('NothingSelected');
  expect(view.run?.backupId).toBeUndefined();
});

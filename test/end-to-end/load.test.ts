// Restores by Cassandra's bulk loader: to other nodes than the backup's, under other names, into tables with views.
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Client } from 'cassandra-driver';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { KEYSPACE } from '../../local/dataset/schema.ts';
import { datasetStage } from './dataset-stage.ts';
import {
  EVERYWHERE,
  gamma,
  clusterId as gammaId,
  openCustomers,
  openShop,
  rows,
  write,
  written,
} from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';

const ELSEWHERE = 'ringvault-elsewhere';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());

/** Asks another keyspace than queries name. */
function asking(client: Client, keyspace: string): Client {
  const to = (query: string) => query.replaceAll(`FROM ${KEYSPACE}.`, `FROM ${keyspace}.`);
  return new Proxy(client, {
    get: (target, name) =>
      name === 'execute'
        ? (query: string, ...more: []) => target.execute(to(query), ...more)
        : Reflect.get(target, name),
  });
}

/** SAI is built in the background, and refuses queries until it is there. */
const indexAnswers = (client: Client, keyspace: string) =>
  stage.until('the SAI index', async () => {
    const query = `SELECT sku FROM ${keyspace}.products WHERE stock = 1`;
    return client.execute(query, [], EVERYWHERE).then(
      () => true,
      () => undefined,
    );
  });

test('a keyspace comes back under another name, whole, beside the live one; killed in the middle, it goes on', async () => {
  const { alpha, backup, differences, mark, withClient } = await datasetStage();
  const isMarked = await mark();
  const second = alpha.hosts[1];
  if (second) second.environment = { RINGVAULT_FAIL_POINT: 'load.batch:kill' };
  const request = {
    ...{ clusterId: 'alpha', backupId: backup.runId, online: true },
    as: { [KEYSPACE]: 'ShopBefore' },
  };
  const run = stage.completed(await stage.run('restore', request));
  expect(run.undo).toBeUndefined();
  expect(run.warnings.join('\n')).toMatch(/under other names/);
  expect(await isMarked()).toBe(true);
  await withClient(async (client) => {
    await indexAnswers(client, '"ShopBefore"');
    const found = await differences(asking(client, '"ShopBefore"'));
    // Of the live one.
    expect(found.filter(({ what }) => !what.startsWith('schema'))).toEqual([]);
    await client.execute('DROP KEYSPACE "ShopBefore"');
  });
});

/** Of a cluster, its backups and objects; what is left of them in the deployment's own vault nobody can read then. */
async function moveElsewhere(clusterId: string) {
  const { cloud } = stage.installation;
  const { store, layout } = stage.deployment;
  const s3 = new S3Client({ ...cloud.clientOptions, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: ELSEWHERE }));
  const folder = `${layout.clusters}${clusterId}/`;
  for await (const key of store.list(folder)) {
    const found = await store.get(key);
    await s3.send(new PutObjectCommand({ Bucket: ELSEWHERE, Key: `copies/${key}`, Body: found?.body }));
  }
  s3.destroy();
  return cloud.endpoint.faults.add({
    ...{ service: 's3', action: 's3:GetObject', times: Number.POSITIVE_INFINITY },
    match: ({ resource }) => !resource.includes(ELSEWHERE) && resource.includes(`/clusters/${clusterId}/`),
    effect: { kind: 'error', statusCode: 403, code: 'AccessDenied' },
  });
}

test('two nodes’ backup in another vault comes to three nodes of other tokens, of a newer Cassandra', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Loaded');
  await openCustomers(cluster, client, 'Loaded');
  const backup = stage.completed(await stage.run('backup', { clusterId: gammaId }));

  const loaded = await stage.client(await stage.alpha());
  const unreadable = await moveElsewhere(gammaId);
  const request = {
    ...{ clusterId: 'alpha', sourceCluster: gammaId, sourceVault: 'elsewhere', online: true },
    keyspaces: { include: ['Loaded'], exclude: ['Loaded.Cache'] },
  };
  const run = stage.completed(await stage.run('restore', request));
  unreadable.remove();
  expect(run).toMatchObject({
    ...{ sourceCluster: gammaId, sourceVault: 'elsewhere' },
    backupId: backup.runId,
  });
  for (const table of ['Orders', 'OrdersByWhen'])
    expect(await rows(loaded, `"Loaded"."${table}"`)).toEqual(written('before', 0));
  expect(await rows(loaded, `"Loaded"."Orders" WHERE "When" = 'before'`)).toEqual(written('before', 0));
  const customers = await loaded.execute('SELECT * FROM "Loaded"."Customers"');
  expect(customers.rows[0]).toMatchObject({ at: { home: { street: 'High' } }, kept: 4 });
  const visits = await loaded.execute('SELECT visits FROM "Loaded"."Visits"', [], EVERYWHERE);
  expect(String(visits.rows[0]?.['visits'])).toBe('3');
  const keyspace = await loaded.execute(`DESCRIBE KEYSPACE "Loaded"`);
  expect(keyspace.rows[0]?.['create_statement']).toContain(`'dc1': '1'`);
  await loaded.execute(`INSERT INTO "Loaded"."Orders" ("Id", "When") VALUES (100, 'after')`, [], EVERYWHERE);
  expect(await rows(loaded, '"Loaded"."OrdersByWhen"')).toEqual(
    [...written('before', 0), '100 after'].sort(),
  );
  await loaded.execute('DROP KEYSPACE "Loaded"');
  await client.execute('DROP KEYSPACE "Loaded"');
});

test('a table with a view comes back online, on 4.1: both are right, and a copy stands beside it', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Viewed');
  const backup = stage.completed(await stage.run('backup', { clusterId: gammaId }));
  await client.execute('TRUNCATE "Viewed"."Orders"');
  await write(client, 'Viewed', 'after', 100);
  const of = { clusterId: gammaId, backupId: backup.runId, online: true };
  stage.completed(await stage.run('restore', { ...of, keyspaces: { include: ['Viewed.Orders'] } }));
  const both = [...written('before', 0), ...written('after', 100)].sort();
  for (const table of ['Orders', 'OrdersByWhen'])
    expect(await rows(client, `"Viewed"."${table}"`)).toEqual(both);
  expect(await rows(client, `"Viewed"."Orders" WHERE "When" = 'before'`)).toEqual(written('before', 0));

  const copy = { ...of, as: { 'Viewed.Orders': 'OrdersBefore' } };
  stage.completed(await stage.run('restore', copy));
  expect(await rows(client, '"Viewed"."OrdersBefore"')).toEqual(written('before', 0));

  await client.execute('DROP TABLE "Viewed"."OrdersBefore"');
  await client.execute('CREATE TABLE "Viewed"."OrdersBefore" (id int PRIMARY KEY)');
  expect(errorOf(await stage.run('restore', copy))).toMatchObject({
    name: 'SchemaConflict',
    message: expect.stringMatching(/OrdersBefore is there already, and was not made of this backup/),
  });
  await client.execute('DROP KEYSPACE "Viewed"');
});

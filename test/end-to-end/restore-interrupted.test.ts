// Restores that are killed, stopped or meet damage: the cluster is on the old data or on the restored, whole, and serves.
import { readdir } from 'node:fs/promises';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { causeDisaster } from '../../local/dataset/disaster.ts';
import { KEYSPACE } from '../../local/dataset/schema.ts';
import { type DatasetStage, datasetStage } from './dataset-stage.ts';
import type { Stage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

const SWEEP_MS = 15 * 60_000;

let dataset: DatasetStage;
let stage: Stage;
beforeAll(async () => {
  dataset = await datasetStage();
  ({ stage } = dataset);
});
afterEach(() => stage.calm());

const restoreRequest = () => ({ clusterId: 'alpha', backupId: dataset.backup.runId });
const alphaLock = () => stage.deployment.catalog.readLock('alpha');
const different = async () => (await dataset.differences()).map(({ what }) => what);

async function expectAllUp(): Promise<void> {
  await dataset.alpha.cassandra.settled();
  expect(await Promise.all(dataset.alpha.cassandra.nodes.map((node) => node.isUp()))).toEqual([
    true,
    true,
    true,
  ]);
}

test('kill -9 of the host program in mid download after a disaster: the retry continues, and everything comes back', async () => {
  const { alpha } = dataset;
  const isMarked = await dataset.mark();
  await dataset.withClient((client) => causeDisaster(alpha.cassandra, client));
  expect(await different()).toEqual([
    'schema, with table IDs',
    'customers (UDT, collections)',
    'customers by country (index)',
    'products',
    'products by stock (SAI index)',
    'orders',
    'orders_by_customer (view)',
    '"OrderLines"',
    // The mark.
    'page_views (counters)',
  ]);
  expect(await readdir(alpha.cassandra.nodes[2]?.dataDirectories[0] ?? '')).not.toContain(KEYSPACE);
  for (const host of alpha.hosts.slice(0, 2))
    host.environment = { RINGVAULT_FAIL_POINT: 'download.file:kill' };
  const gets = new Map<string, number>();
  const stop = stage.installation.cloud.endpoint.onRequest(({ action, path, caller, statusCode }) => {
    if (action !== 's3:GetObject' || !path.includes('/objects/') || statusCode >= 300) return;
    const key = `${caller?.instanceArn} ${path}`;
    gets.set(key, (gets.get(key) ?? 0) + 1);
  });
  stage.completed(await stage.run('restore', restoreRequest()));
  stop();
  expect(await isMarked()).toBe(false);
  expect(await dataset.differences()).toEqual([]);
  // What was complete before the kill is kept.
  const again = [...gets.values()].filter((times) => times > 1).length;
  expect(again).toBeLessThan(gets.size / 4);
});

test('an execution stopped and a host killed after one of three nodes was swapped: Recover brings all back', async () => {
  const { alpha } = dataset;
  const isMarked = await dataset.mark();
  const [first, second, third] = alpha.hosts;
  if (!first || !second || !third) throw new Error('alpha has three hosts');
  for (const host of [second, third]) host.environment = { RINGVAULT_FAIL_POINT: 'place.table:hang' };
  const execution = await stage.start('restore', restoreRequest());
  const { run } = await stage.untilNode(execution, (node) => node.phase === 'place');
  const runId = run?.runId ?? '';
  const placed = stage.deployment.layout.result(first.instanceArn, actionIdOf(runId, 'place'));
  await stage.until('the first node’s swap', async () => stage.deployment.store.get(placed));
  const failedBefore = (await stage.executions('recover', 'FAILED')).length;
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  await second.kill();

  // Nobody knows how the swap of a dead host stands: Recover keeps the cluster locked, and says so.
  await stage.until('a Recover that fails', async () => {
    const failed = await stage.executions('recover', 'FAILED');
    return failed.length > failedBefore ? true : undefined;
  });
  expect((await alphaLock())?.subjectRunId).toBe(runId);
  stage.calm();
  second.connect();
  await stage.installation.cloud.scheduleClock.moveTo(
    new Date(stage.installation.cloud.scheduleClock.now().getTime() + SWEEP_MS),
  );
  await stage.until('the end of the lock', async () => ((await alphaLock()) ? undefined : true));

  expect((await stage.deployment.catalog.readRun('alpha', runId))?.status).toBe('CANCELLED');
  await stage.mailAbout(runId, /CANCELLED/);
  await expectAllUp();
  // The old data, whole: nothing but marks was written since the last restore.
  expect(await isMarked()).toBe(true);
  // An SAI index answers some time after its node.
  await expect.poll(different, { interval: 1_000, timeout: 60_000 }).toEqual(['page_views (counters)']);
});

test('an execution stopped when a node was drained and not yet stopped: Recover starts it anew, on the old data', async () => {
  const { alpha } = dataset;
  const isMarked = await dataset.mark();
  for (const host of alpha.hosts) host.environment = { RINGVAULT_FAIL_POINT: 'stop.drained:hang' };
  const execution = await stage.start('restore', restoreRequest());
  await stage.until('a drained node', async () => {
    const mode = await alpha.cassandra.nodes[0].nodetool('netstats').catch(() => '');
    return mode.includes('DRAINED') ? mode : undefined;
  });
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  const { run } = await stage.end(execution);
  expect(run?.status).toBe('CANCELLED');
  expect(await alphaLock()).toBeUndefined();
  await expectAllUp();
  expect(await isMarked()).toBe(true);
});

test('a corrupted object: found and named, nothing swapped, Cassandra still serving', async () => {
  const { alpha } = dataset;
  const isMarked = await dataset.mark();
  const { files } = await readStoredBackup(stage, 'alpha', dataset.backup.runId);
  const file = files.find(
    ({ path, instanceArn }) =>
      path.startsWith('shop/orders-') &&
      // One that is never linked from what the node has already.
      path.endsWith('-Statistics.db') &&
      instanceArn === alpha.hosts[1]?.instanceArn,
  );
  expect(files.some(({ key }) => key.endsWith('.zst.enc'))).toBe(true);
  const mend = await damage(file?.key ?? '');
  const view = await stage.run('restore', restoreRequest());
  expect(view.run?.status).toBe('FAILED');
  expect(errorOf(view)?.name).toBe('BackupDamaged');
  expect(errorOf(view)?.message).toContain(file?.key);
  await expectAllUp();
  expect(await isMarked()).toBe(true);
  expect(view.nodes.filter(({ phase }) => ['stop', 'place'].includes(phase))).toEqual([]);
  await mend();
});

/** Rots one byte behind the policies' back; answers how to mend it. */
async function damage(Key: string): Promise<() => Promise<void>> {
  const { cloud } = stage.installation;
  const { url: endpoint, credentials } = cloud.endpoint.storage;
  const client = new S3Client({ endpoint, credentials, region: 'eu-west-1', forcePathStyle: true });
  const Bucket = cloud.stacks.find('Ringvault')?.outputs['VaultBucket'];
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  const right = Buffer.from((await Body?.transformToByteArray()) ?? []);
  const rotten = Buffer.from(right);
  const middle = rotten.length >> 1;
  rotten[middle] = (rotten[middle] ?? 0) ^ 1;
  await client.send(new PutObjectCommand({ Bucket, Key, Body: rotten }));
  return async () => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: right }));
    client.destroy();
  };
}

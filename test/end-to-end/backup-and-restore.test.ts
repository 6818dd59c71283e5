// What a restore can be asked for beside its main job, which is done after a disaster in restore-interrupted.test.ts: to plan
// alone, to download ahead; and what can be done after it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { type DatasetStage, datasetStage } from './dataset-stage.ts';
import { addRows } from './small-dataset.ts';

let dataset: DatasetStage;
beforeAll(async () => {
  dataset = await datasetStage();
});

const restoreRequest = () => ({ clusterId: 'alpha', backupId: dataset.backup.runId });

test('a dry run returns the plan, and changes nothing', async () => {
  const { stage } = dataset;
  const isMarked = await dataset.mark();
  const { run, execution } = await stage.run('restore', { ...restoreRequest(), dryRun: true });
  expect(run).toMatchObject({ status: 'COMPLETED', backupId: dataset.backup.runId });
  expect(run?.undo).toBeUndefined();
  expect(execution?.output).toMatchObject({ backupId: dataset.backup.runId });
  expect(await isMarked()).toBe(true);
});

test('what was downloaded ahead is restored without a look at S3; undo puts back the data from before, once', async () => {
  const { stage } = dataset;
  const isMarked = await dataset.mark();
  const ahead = stage.completed(
    await stage.run('restore', { clusterId: 'alpha', stopAfterStep: 'download' }),
  );
  expect(ahead.undo).toBeUndefined();
  expect(await stage.mailAbout(ahead.runId, /restore COMPLETED/)).toContain('nothing was restored');
  expect(await isMarked()).toBe(true);

  // All of it is there.
  const noObjects = stage.installation.cloud.endpoint.faults.add({
    ...{ service: 's3', action: 's3:GetObject', times: Number.POSITIVE_INFINITY },
    match: ({ path }) => path.includes('/objects/'),
    effect: { kind: 'error', statusCode: 403, code: 'AccessDenied' },
  });
  const restore = stage.completed(await stage.run('restore', { clusterId: 'alpha' }));
  noObjects.remove();
  expect(restore.backupId).toBe(dataset.backup.runId);
  expect(await isMarked()).toBe(false);
  expect(await dataset.differences()).toEqual([]);
  const undo = { clusterId: 'alpha', operation: 'undo' };
  const planned = await stage.run('restore', { ...undo, dryRun: true });
  expect(planned.execution?.output).toMatchObject({ operation: 'undo', restoreRunId: restore.runId });
  expect(await isMarked()).toBe(false);
  const undone = stage.completed(await stage.run('restore', undo));
  expect(await isMarked()).toBe(true);
  expect((await stage.deployment.catalog.readRun('alpha', restore.runId))?.undo).toBe('undone');
  const again = { ...undo, restoreRunId: restore.runId };
  expect(errorOf(await stage.run('restore', again))?.name).toBe('NothingToUndo');

  // What it replaced is nobody's to delete but who says so.
  expect(await aside()).toContain(`${restore.runId}.undone`);
  expect(await stage.mailAbout(undone.runId, /undo COMPLETED/)).toContain(`release alpha ${restore.runId}`);
  stage.completed(await stage.run('restore', { clusterId: 'alpha', operation: 'release' }));
  expect(await aside()).not.toContain(`${restore.runId}.undone`);
  expect(await isMarked()).toBe(true);
});

/** Runs of which hosts keep something beside Cassandra's data. */
async function aside(): Promise<string[]> {
  const directories = dataset.alpha.cassandra.nodes.flatMap((node) => node.dataDirectories);
  const found = await Promise.all(
    directories.map((each) => readdir(join(each, '.ringvault')).catch(() => [])),
  );
  return found.flat();
}

test('a restore and its release, which ends undo, leave a second cluster in the same vault as it was', async () => {
  const { stage } = dataset;
  const beta = await stage.beta();
  await addRows(await stage.client(beta));
  stage.completed(await stage.run('backup', { clusterId: 'beta' }));
  const before = await vaultOf('beta');
  const runs = await stage.deployment.catalog.listRuns('beta');
  expect(before.length).toBeGreaterThan(20);

  const restore = stage.completed(await stage.run('restore', restoreRequest()));
  expect(await aside()).toContain(restore.runId);
  const about = { clusterId: 'alpha', restoreRunId: restore.runId };
  stage.completed(await stage.run('restore', { ...about, operation: 'release' }));
  expect(await aside()).not.toContain(restore.runId);
  expect(errorOf(await stage.run('restore', { ...about, operation: 'undo' }))?.name).toBe('NothingToUndo');
  expect(await dataset.differences()).toEqual([]);

  expect(await vaultOf('beta')).toEqual(before);
  expect(await stage.deployment.catalog.listRuns('beta')).toEqual(runs);
});

/** Every key below a cluster, with the digest and time of what lies there. */
async function vaultOf(clusterId: string): Promise<string[]> {
  const { cloud } = dataset.stage.installation;
  const client = new S3Client({ ...cloud.clientOptions, forcePathStyle: true });
  const Bucket = cloud.stacks.find('Ringvault')?.outputs['VaultBucket'];
  const found: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix: `clusters/${clusterId}/`, ContinuationToken }),
    );
    for (const { Key, ETag, LastModified } of page.Contents ?? []) {
      found.push(`${Key} ${ETag} ${LastModified?.toISOString()}`);
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
  client.destroy();
  return found;
}

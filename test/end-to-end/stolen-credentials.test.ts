// The role of a host, as an attacker on it has it: against the synthesized policies and a real backup.
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import { beforeAll, expect, test } from 'vitest';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { type DatasetStage, datasetStage } from './dataset-stage.ts';
import { madeOnce } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

let dataset: DatasetStage;
let thief: S3Client;
let Bucket: string;
beforeAll(async () => {
  dataset = await datasetStage();
  const { cloud } = dataset.stage.installation;
  const credentials = dataset.alpha.hosts[0]?.credentials;
  if (!credentials) throw new Error('alpha has no host');
  thief = new S3Client({ ...cloud.clientOptions, credentials, forcePathStyle: true, maxAttempts: 1 });
  Bucket = cloud.stacks.find('Ringvault')?.outputs['VaultBucket'] ?? '';
});

async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return (error as Error).name;
  }
  return 'it was done';
}

const keys = madeOnce(async () => {
  const { stage, backup, alpha } = dataset;
  const { layout } = stage.deployment;
  const { files } = await readStoredBackup(stage, 'alpha', backup.runId);
  const [, other] = alpha.hosts;
  const [own] = alpha.hosts;
  if (!own || !other || !files[0]) throw new Error('alpha has no backup of several hosts');
  const upload = actionIdOf(backup.runId, 'upload');
  return {
    object: files[0].key,
    manifest: layout.clusterManifest('alpha', backup.runId),
    ownHeader: layout.nodeHeader('alpha', backup.runId, own.instanceArn),
    newHeader: layout.nodeHeader('alpha', '20300101t000000z-00000000', other.instanceArn),
    ownAction: layout.action(own.instanceArn, upload),
    otherAction: layout.action(other.instanceArn, upload),
    otherResult: layout.result(other.instanceArn, upload),
  };
});

test('cannot delete', async () => {
  for (const Key of Object.values(await keys())) {
    expect(await refusal(thief.send(new DeleteObjectCommand({ Bucket, Key })))).toBe('AccessDenied');
  }
});

test('cannot overwrite what is stored', async () => {
  const { object, manifest, ownHeader } = await keys();
  for (const Key of [object, manifest, ownHeader]) {
    const before = await dataset.stage.deployment.store.get(Key);
    const plain = await refusal(thief.send(new PutObjectCommand({ Bucket, Key, Body: 'mine' })));
    expect(plain).toBe('AccessDenied');
    const create = new PutObjectCommand({ Bucket, Key, Body: 'mine', IfNoneMatch: '*' });
    expect(['AccessDenied', 'PreconditionFailed']).toContain(await refusal(thief.send(create)));
    expect((await dataset.stage.deployment.store.get(Key))?.body).toEqual(before?.body);
  }
});

test('cannot list', async () => {
  for (const Prefix of ['', 'clusters/', 'clusters/alpha/', 'actions/']) {
    expect(await refusal(thief.send(new ListObjectsV2Command({ Bucket, Prefix })))).toBe('AccessDenied');
  }
});

test('cannot read another host’s action document, though its own', async () => {
  const { ownAction, otherAction } = await keys();
  expect(await refusal(thief.send(new GetObjectCommand({ Bucket, Key: otherAction })))).toBe('AccessDenied');
  expect(await refusal(thief.send(new GetObjectCommand({ Bucket, Key: ownAction })))).toBe('it was done');
});

test('cannot write another host’s manifest or result', async () => {
  const { newHeader, otherResult } = await keys();
  for (const Key of [newHeader, otherResult]) {
    const put = new PutObjectCommand({ Bucket, Key, Body: '{}', IfNoneMatch: '*' });
    expect(await refusal(thief.send(put))).toBe('AccessDenied');
  }
});

test('cannot send a command to another host', async () => {
  const { cloud } = dataset.stage.installation;
  const [own, other] = dataset.alpha.hosts;
  const client = new SSMClient({ ...cloud.clientOptions, credentials: own?.credentials, maxAttempts: 1 });
  const [document] = cloud.runCommand.documents.values();
  const command = new SendCommandCommand({
    DocumentName: document?.name,
    InstanceIds: [other?.instanceId ?? ''],
  });
  expect(await refusal(client.send(command))).toBe('AccessDeniedException');
  client.destroy();
});

// S3 with KMS keys, as a host and as a stranger: who may not use the key neither stores nor reads.
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { s3ObjectStore } from '../../../adapters/object-store-s3.ts';
import type { NewObject, ObjectStore } from '../../../adapters/ports.ts';
import { refusalOf, startTestEndpoint, type TestEndpoint } from '../endpoint/endpoint.ts';

const Bucket = 'encryption-test';
const NO_UPLOAD = { id: () => undefined, begun: async () => undefined, ended: async () => undefined };
let endpoint: TestEndpoint;
let client: S3Client;
let arn: string;
let store: ObjectStore;

const allow = (Action: string[], Resource: string, Condition = {}) => ({
  Effect: 'Allow',
  Action,
  Resource,
  Condition,
});
const throughS3 = { StringEquals: { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' } };

function clientOf(name: string, ...statements: object[]): S3Client {
  const roleArn = `arn:aws:iam::111122223333:role/${name}`;
  const objects = allow(['s3:GetObject', 's3:PutObject'], `arn:aws:s3:::${Bucket}/*`);
  endpoint.authorizer.putRole({
    arn: roleArn,
    name,
    inlinePolicies: { all: { Version: '2012-10-17', Statement: [objects, ...statements] } },
    managedPolicies: {},
    trust: { Version: '2012-10-17', Statement: [] },
  });
  const caller = { arn: `${roleArn}/i-1`, roleArn };
  return new S3Client({ ...endpoint.configuration(caller), forcePathStyle: true, maxAttempts: 1 });
}

beforeAll(async () => {
  endpoint = await startTestEndpoint();
  client = new S3Client({ ...endpoint.configuration(), forcePathStyle: true, maxAttempts: 1 });
  await client.send(new CreateBucketCommand({ Bucket }));
  ({ arn } = endpoint.keys.create('of a cluster'));
  store = s3ObjectStore({ bucket: Bucket, client }).encryptedWith(arn);
});
afterAll(async () => {
  client.destroy();
  await endpoint.close();
});

it('tells of an object which key it is encrypted with', async () => {
  await store.put('told', 'x', 'create');
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'told' }));
  expect(head).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: arn, Metadata: {} });
  await s3ObjectStore({ bucket: Bucket, client }).put('plain', 'x', 'create');
  const plain = await client.send(new HeadObjectCommand({ Bucket, Key: 'plain' }));
  expect(plain.ServerSideEncryption).toBeUndefined();
});

it('keeps it for an object that is sent in parts', async () => {
  const Key = 'parts';
  const sent: string[] = [];
  const watched = new S3Client({ ...endpoint.configuration(), forcePathStyle: true });
  watched.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        sent.push(String(commandName));
        return next(args);
      },
    { step: 'initialize' },
  );
  const partBytes = 5 * 1024 ** 2;
  const object: Omit<NewObject, 'body' | 'sizeBytes' | 'sha256' | 'crc32' | 'partCrc32'> = {
    ...{ key: Key, partBytes, upload: NO_UPLOAD },
    slot: (send) => send(),
  };
  async function* body() {
    for (let each = 0; each < 6; each += 1) yield Buffer.alloc(1024 ** 2, each);
  }
  await s3ObjectStore({ bucket: Bucket, client: watched })
    .encryptedWith(arn)
    .putStream({ ...object, body, parts: [Buffer.alloc(partBytes), Buffer.alloc(partBytes)] });
  expect(sent).toContain(CompleteMultipartUploadCommand.name);
  expect(sent).toContain(UploadPartCommand.name);
  expect(await client.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject({ SSEKMSKeyId: arn });
});

it('is refused to who may use the objects, but not the key', async () => {
  const stranger = clientOf('stranger');
  await store.put('secret', 'x', 'create');
  expect(await refusalOf(stranger.send(new GetObjectCommand({ Bucket, Key: 'secret' })))).toMatchObject({
    name: 'AccessDenied',
    message: expect.stringContaining('kms:Decrypt'),
  });
  const strangers = s3ObjectStore({ bucket: Bucket, client: stranger });
  await expect(strangers.get('secret')).rejects.toMatchObject({ name: 'EncryptionKeyDenied' });
  await expect(strangers.encryptedWith(arn).put('new', 'x', 'create')).rejects.toMatchObject({
    name: 'EncryptionKeyDenied',
    message: expect.stringContaining('kms:GenerateDataKey'),
  });
  expect(await store.get('new')).toBeUndefined();
});

it('is allowed to who may use the key through S3', async () => {
  const host = clientOf('reader', allow(['kms:Decrypt', 'kms:GenerateDataKey'], arn, throughS3));
  const hosts = s3ObjectStore({ bucket: Bucket, client: host }).encryptedWith(arn);
  expect(await hosts.put('of a host', 'x', 'create')).toBe('created');
  expect((await hosts.get('of a host'))?.body.toString()).toBe('x');
});

it('names a key that is disabled', async () => {
  await store.put('locked', 'x', 'create');
  endpoint.keys.setEnabled(arn, false);
  try {
    await expect(store.get('locked')).rejects.toMatchObject({ name: 'EncryptionKeyDenied' });
    await expect(store.put('more', 'x', 'create')).rejects.toMatchObject({
      name: 'EncryptionKeyDenied',
      message: expect.stringContaining('KMS.DisabledException'),
    });
  } finally {
    endpoint.keys.setEnabled(arn, true);
  }
});

it('is a failure where S3 does not say that it encrypted', async () => {
  const deaf = new S3Client({ ...endpoint.configuration(), forcePathStyle: true });
  deaf.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      for (const name of Object.keys(headers)) {
        if (name.startsWith('x-amz-server-side-encryption')) delete headers[name];
      }
      return next(args);
    },
    { step: 'build', priority: 'low' },
  );
  const unheard = s3ObjectStore({ bucket: Bucket, client: deaf }).encryptedWith(arn);
  await expect(unheard.put('unheard', 'x', 'create')).rejects.toMatchObject({
    name: 'VaultNotEncrypted',
    message: expect.stringContaining(arn),
  });
});

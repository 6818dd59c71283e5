// The vault's policies, enforced: create-only for everyone, and what stolen credentials of a host can and cannot do.

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../../local/endpoint/service.ts';
import { authorizationHeader, signatureOf, signingDate } from '../../../local/endpoint/sigv4.ts';
import { Keys } from '../../../local/services/kms/keys.ts';
import { BucketSettings } from '../../../local/services/s3/bucket-settings.ts';
import { S3Service } from '../../../local/services/s3/s3-service.ts';
import { Store } from '../../../local/services/s3/store.ts';
import { refusalOf, startTestEndpoint, startTestServer, type TestEndpoint } from '../endpoint/endpoint.ts';

const Bucket = 'vault-policies-test';
const bucketArn = `arn:aws:s3:::${Bucket}`;
const instanceArn = (id: string) => `arn:aws:ec2:eu-west-1:111122223333:instance/${id}`;
const OWN = instanceArn('i-0a');
const OTHER = instanceArn('i-0b');
const ownArn = `\${ec2:SourceInstanceARN}`;
const keys = (...patterns: string[]) => patterns.map((each) => `${bucketArn}/${each}`);

/** As infra/ synthesizes them. */
const vaultPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:*',
      Resource: [bucketArn, `${bucketArn}/*`],
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
    {
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:*',
      Resource: [bucketArn, `${bucketArn}/*`],
      Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } },
    },
    {
      Sid: 'CreateOnly',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: keys('clusters/*/objects/*', 'clusters/*/backups/*'),
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    },
  ],
};
const hostPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: keys('clusters/demo/objects/*', 'clusters/demo/backups/*', `actions/${ownArn}/*`),
    },
    {
      Effect: 'Allow',
      Action: 's3:PutObject',
      Resource: keys(
        'clusters/demo/objects/*',
        `clusters/demo/backups/*/nodes/${ownArn}/*`,
        `results/${ownArn}/*`,
        `progress/${ownArn}/*`,
      ),
    },
    {
      Effect: 'Allow',
      Action: ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      Resource: keys('clusters/demo/objects/*'),
    },
  ],
};

const roleArn = 'arn:aws:iam::111122223333:role/demo-host';
const host = { arn: 'arn:aws:sts::111122223333:assumed-role/demo-host/i-0a', roleArn, instanceArn: OWN };

async function prepare(endpoint: TestEndpoint): Promise<void> {
  const operator = endpoint.s3Client();
  await operator.send(new CreateBucketCommand({ Bucket }));
  await operator.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(vaultPolicy) }));
  endpoint.authorizer.putRole({
    arn: roleArn,
    name: 'demo-host',
    inlinePolicies: {},
    managedPolicies: { host: hostPolicy },
    trust: { Version: '2012-10-17', Statement: [] },
  });
}

let endpoint: TestEndpoint;
beforeAll(async () => {
  endpoint = await startTestEndpoint();
  await prepare(endpoint);
}, 60_000);
afterAll(() => endpoint.close());

const denied = { name: 'AccessDenied', status: 403 };

describe('create-only', () => {
  const Key = 'clusters/demo/objects/aa/aa11';

  it('refuses a put without If-None-Match, the operator’s too', async () => {
    const client = endpoint.s3Client();
    const put = (more = {}) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...more }));
    expect(await refusalOf(put())).toMatchObject({
      ...denied,
      message: expect.stringContaining('CreateOnly'),
    });
    await put({ IfNoneMatch: '*' });
    expect(await refusalOf(put({ IfNoneMatch: '*' }))).toMatchObject({
      name: 'PreconditionFailed',
      status: 412,
    });
  });

  it('refuses a copy onto an object', async () => {
    const client = endpoint.s3Client();
    await client.send(new PutObjectCommand({ Bucket, Key: 'progress/evil', Body: 'evil' }));
    const copy = { Bucket, Key, CopySource: `${Bucket}/progress/evil` };
    expect(await refusalOf(client.send(new CopyObjectCommand(copy)))).toMatchObject(denied);
    expect(await refusalOf(client.send(new CopyObjectCommand({ ...copy, IfNoneMatch: '*' })))).toMatchObject({
      name: 'NotImplemented',
    });
  });

  it('lets an upload in parts begin, and refuses its completion without If-None-Match', async () => {
    const client = endpoint.s3Client(host);
    const target = { Bucket, Key: 'clusters/demo/objects/bb/bb22' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const part = { ...target, UploadId, PartNumber: 1 };
    const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'part' }));
    const complete = { ...target, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
    expect(await refusalOf(client.send(new CompleteMultipartUploadCommand(complete)))).toMatchObject(denied);
    await client.send(new CompleteMultipartUploadCommand({ ...complete, IfNoneMatch: '*' }));
    const again = await client.send(new CreateMultipartUploadCommand(target));
    await client.send(new AbortMultipartUploadCommand({ ...target, UploadId: again.UploadId }));
  });
});

describe('stolen credentials of a host', () => {
  it('write objects and the host’s own manifest, results and progress, and overwrite progress', async () => {
    const client = endpoint.s3Client(host);
    const create = (Key: string) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', IfNoneMatch: '*' }));
    await create('clusters/demo/objects/cc/cc33');
    await create(`clusters/demo/backups/b1/nodes/${OWN}/node.json`);
    for (const Body of ['1', '2']) {
      await client.send(new PutObjectCommand({ Bucket, Key: `progress/${OWN}/a.json`, Body }));
    }
  });

  it('cannot delete', async () => {
    const client = endpoint.s3Client(host);
    const Key = 'clusters/demo/objects/cc/cc33';
    expect(await refusalOf(client.send(new DeleteObjectCommand({ Bucket, Key })))).toMatchObject(denied);
    const { Deleted, Errors } = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }),
    );
    expect(Deleted ?? []).toEqual([]);
    expect(Errors).toMatchObject([{ Key, Code: 'AccessDenied' }]);
    await client.send(new GetObjectCommand({ Bucket, Key }));
  });

  it('cannot list, nor learn which keys there are', async () => {
    const client = endpoint.s3Client(host);
    expect(await refusalOf(client.send(new ListObjectsV2Command({ Bucket })))).toMatchObject(denied);
    const Key = 'clusters/demo/objects/dd/missing';
    expect(await refusalOf(client.send(new GetObjectCommand({ Bucket, Key })))).toMatchObject(denied);
    expect(await refusalOf(endpoint.s3Client().send(new GetObjectCommand({ Bucket, Key })))).toMatchObject({
      name: 'NoSuchKey',
    });
  });

  it('cannot overwrite, read another host’s actions, write another host’s manifest, or reach another cluster', async () => {
    const client = endpoint.s3Client(host);
    const put = (Key: string) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', IfNoneMatch: '*' }));
    const overwrite = new PutObjectCommand({ Bucket, Key: 'clusters/demo/objects/cc/cc33', Body: 'y' });
    expect(await refusalOf(client.send(overwrite))).toMatchObject(denied);
    await endpoint
      .s3Client()
      .send(new PutObjectCommand({ Bucket, Key: `actions/${OTHER}/a.json`, Body: 'token' }));
    const read = new GetObjectCommand({ Bucket, Key: `actions/${OTHER}/a.json` });
    expect(await refusalOf(client.send(read))).toMatchObject(denied);
    expect(await refusalOf(put(`clusters/demo/backups/b1/nodes/${OTHER}/node.json`))).toMatchObject(denied);
    expect(await refusalOf(put('clusters/demo/backups/b1/backup.json'))).toMatchObject(denied);
    expect(await refusalOf(put('clusters/other/objects/aa/aa11'))).toMatchObject(denied);
    expect(await refusalOf(put(`actions/${OWN}/a.json`))).toMatchObject(denied);
  });

  it('cannot change the policy, nor do more by the aws CLI', { timeout: 120_000 }, async () => {
    const client = endpoint.s3Client(host);
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    expect(await refusalOf(client.send(new PutBucketPolicyCommand({ Bucket, Policy })))).toMatchObject(
      denied,
    );
    const { Policy: kept } = await endpoint.s3Client().send(new GetBucketPolicyCommand({ Bucket }));
    expect(JSON.parse(kept ?? '')).toEqual(vaultPolicy);
    const remove = execa('aws', ['s3', 'rm', `s3://${Bucket}/clusters/demo/objects/cc/cc33`], {
      env: endpoint.environment(host),
    });
    await expect(remove).rejects.toThrow(/AccessDenied.*s3:DeleteObject/s);
  });

  it.each([
    `/vault/progress/${OWN}/../../actions/${OTHER}/a.json`,
    `/vault/progress/${OWN}/%2e%2e/%2e%2e/actions/${OTHER}/a.json`,
    `/vault/progress/${OWN}//a.json`,
    '/vault/../etc/passwd',
  ])('cannot reach another key by %s', async (path) => {
    const answer = await sendSigned(path, host);
    expect(answer).toMatch(/^HTTP\/1.1 (501|400|403) /);
    expect(answer).not.toContain('token');
  });

  /** As it stands: clients would put the path right. */
  async function sendSigned(target: string, caller: Caller): Promise<string> {
    const credentials = endpoint.identities.issue(caller);
    const date = signingDate(new Date());
    const { host: authority, hostname, port } = new URL(endpoint.url);
    const headers = {
      host: authority,
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-date': date,
      'x-amz-security-token': credentials.sessionToken,
    };
    const scope = { day: date.slice(0, 8), region: 'eu-west-1', service: 's3' };
    const signedHeaders = Object.keys(headers);
    const payloadHash = 'UNSIGNED-PAYLOAD';
    const signable = { method: 'GET', target, headers, signedHeaders, payloadHash, date, scope };
    const signature = signatureOf(signable, credentials.secretAccessKey);
    const authorization = authorizationHeader(credentials.accessKeyId, signable, signature);
    const lines = Object.entries({ ...headers, authorization, connection: 'close' });
    const socket = connect({ host: hostname, port: Number(port) });
    socket.write(
      `GET ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    );
    return text(socket);
  }

  it('reach nothing behind the endpoint without the store’s own key', async () => {
    const direct = await fetch(`${endpoint.storage.url}/${Bucket}/progress/${OWN}/a.json`);
    expect(direct.status).toBe(403);
  });
});

it('a bucket policy that cannot be enforced is refused', async () => {
  const client = endpoint.s3Client();
  const statement = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:*',
    Resource: '*',
    Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  expect(await refusalOf(client.send(new PutBucketPolicyCommand({ Bucket, Policy })))).toMatchObject({
    name: 'MalformedPolicy',
    message: expect.stringContaining('IpAddress'),
  });
});

it('a transport that does not count as secure is denied by the vault’s policy', async () => {
  const insecure = await startTestServer({ loopbackIsSecure: false });
  try {
    // Denied before anything is asked of the store, so there is none.
    const store = new Store('http://127.0.0.1:1', endpoint.storage.credentials);
    const settings = new BucketSettings('/nonexistent');
    insecure.register(new S3Service(store, settings, insecure.authorizer, new Keys()));
    insecure.authorizer.putBucketPolicy(Bucket, vaultPolicy);
    const put = new PutObjectCommand({ Bucket, Key: 'progress/x', Body: 'x' });
    const client = new S3Client({ ...insecure.configuration(), forcePathStyle: true });
    expect(await refusalOf(client.send(put))).toMatchObject({
      ...denied,
      message: expect.stringContaining('explicitly denied by statement 0'),
    });
  } finally {
    await insecure.close();
  }
});

// S3 as its clients see it through the endpoint: SDK v3 and the aws CLI.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR } from '../../../local/endpoint/identities.ts';
import { authorizationHeader, signatureOf, signingDate } from '../../../local/endpoint/sigv4.ts';
import { refusalOf, startTestEndpoint, type TestEndpoint } from '../endpoint/endpoint.ts';

const Bucket = 's3-test';
const MEBIBYTE = 1024 * 1024;
let endpoint: TestEndpoint;

beforeAll(async () => {
  endpoint = await startTestEndpoint();
  await endpoint.s3Client().send(new CreateBucketCommand({ Bucket }));
}, 60_000);
afterAll(() => endpoint.close());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
function crc32Base64(bytes: Buffer): string {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32(bytes));
  return value.toString('base64');
}

describe('objects', () => {
  it('come back as they were put, with their checksum', async () => {
    const client = endpoint.s3Client();
    const Body = randomBytes(100_000);
    const Key = 'a/arn:aws:ec2:eu-west-1:111122223333:instance/i-1/with space+plus.json';
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ChecksumSHA256: sha256(Body) }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(Body.equals((await got.Body?.transformToByteArray()) ?? new Uint8Array())).toBe(true);
    expect(got.ChecksumSHA256).toBe(sha256(Body));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(head).toMatchObject({ ContentLength: Body.length, ChecksumSHA256: sha256(Body) });
  });

  it('with another checksum than their bytes are refused and not stored', async () => {
    const client = endpoint.s3Client();
    const put = {
      Bucket,
      Key: 'wrong',
      Body: Buffer.from('abc'),
      ChecksumSHA256: sha256(Buffer.from('abd')),
    };
    expect(await refusalOf(client.send(new PutObjectCommand(put)))).toMatchObject({
      name: 'BadDigest',
      status: 400,
    });
    expect(await refusalOf(client.send(new GetObjectCommand({ Bucket, Key: 'wrong' })))).toMatchObject({
      name: 'NoSuchKey',
      status: 404,
    });
  });

  it('are created once where If-None-Match says so', async () => {
    const client = endpoint.s3Client();
    const put = (Body: string) =>
      client.send(new PutObjectCommand({ Bucket, Key: 'once', Body, IfNoneMatch: '*' }));
    const outcomes = await Promise.allSettled(['1', '2', '3', '4', '5'].map(put));
    expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    expect(await refusalOf(put('6'))).toMatchObject({ name: 'PreconditionFailed', status: 412 });
  });

  it('of 64 MiB stream through, up and down and by range', async () => {
    const client = endpoint.s3Client();
    const chunk = randomBytes(MEBIBYTE);
    const count = 64;
    const Body = Readable.from(Array.from({ length: count }, () => chunk));
    const ContentLength = count * MEBIBYTE;
    await client.send(new PutObjectCommand({ Bucket, Key: 'large', Body, ContentLength }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'large' }));
    let same = 0;
    const seen = createHash('sha256');
    for await (const piece of got.Body as Readable) {
      same += piece.length;
      seen.update(piece);
    }
    const expected = createHash('sha256');
    for (let index = 0; index < count; index += 1) expected.update(chunk);
    expect(same).toBe(ContentLength);
    expect(seen.digest('hex')).toBe(expected.digest('hex'));
    const Range = `bytes=${MEBIBYTE + 5}-${MEBIBYTE + 9}`;
    const part = await client.send(new GetObjectCommand({ Bucket, Key: 'large', Range }));
    expect(Buffer.from((await part.Body?.transformToByteArray()) ?? [])).toEqual(chunk.subarray(5, 10));
  });

  it('in parts carry the CRC-32 of the whole', async () => {
    const client = endpoint.s3Client();
    const Key = 'parts';
    const parts = [randomBytes(5 * MEBIBYTE), randomBytes(300)];
    const whole = crc32Base64(Buffer.concat(parts));
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({
        Bucket,
        Key,
        ChecksumAlgorithm: 'CRC32',
        ChecksumType: 'FULL_OBJECT',
      }),
    );
    const Parts = await Promise.all(
      parts.map(async (Body, index) => {
        const PartNumber = index + 1;
        const part = { Bucket, Key, UploadId, PartNumber, Body, ChecksumCRC32: crc32Base64(Body) };
        const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part));
        return { PartNumber, ETag, ChecksumCRC32 };
      }),
    );
    await client.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts },
        ChecksumCRC32: whole,
        ChecksumType: 'FULL_OBJECT',
        IfNoneMatch: '*',
      }),
    );
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(head).toMatchObject({ ContentLength: 5 * MEBIBYTE + 300, ChecksumCRC32: whole });
  });

  it('are deleted many at a time', async () => {
    const client = endpoint.s3Client();
    const keys = ['del/a&b', 'del/c'];
    for (const Key of keys) await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
    const Objects = keys.map((Key) => ({ Key }));
    const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map((each) => each.Key)).toEqual(keys);
    expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'del/' }))).KeyCount).toBe(0);
  });
});

describe('bodies that are not what was declared', () => {
  const bytes = (sizeBytes: number) => Buffer.alloc(sizeBytes, 'a');

  it.each([
    ['small', 1_000],
    ['streamed', 3 * MEBIBYTE],
  ])('%s, by the signed hash', async (name, sizeBytes) => {
    const payloadHash = createHash('sha256').update('another').digest('hex');
    const answer = await putSigned(`/${Bucket}/hash-${name}`, bytes(sizeBytes), payloadHash);
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('XAmzContentSHA256Mismatch') });
    expect(await isThere(`hash-${name}`)).toBe(false);
  });

  it.each([
    ['small', 1_000],
    ['streamed', 3 * MEBIBYTE],
  ])('%s, by a trailing checksum', async (name, sizeBytes) => {
    const body = bytes(sizeBytes);
    const put = (checksum: string) =>
      putSigned(
        `/${Bucket}/trailer-${name}`,
        Buffer.concat([
          Buffer.from(`${sizeBytes.toString(16)}\r\n`),
          body,
          Buffer.from(`\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`),
        ]),
        'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        { 'x-amz-decoded-content-length': String(sizeBytes), 'x-amz-trailer': 'x-amz-checksum-crc32' },
      );
    expect(await put('AAAAAA==')).toMatchObject({ status: 400, body: expect.stringContaining('BadDigest') });
    expect(await isThere(`trailer-${name}`)).toBe(false);
    expect(await put(crc32Base64(body))).toMatchObject({ status: 200 });
    expect(await isThere(`trailer-${name}`)).toBe(true);
  });

  it('the checksum of all parts', async () => {
    const client = endpoint.s3Client();
    const target = { Bucket, Key: 'wrong-whole' };
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({
        ...target,
        ChecksumAlgorithm: 'CRC32',
        ChecksumType: 'FULL_OBJECT',
      }),
    );
    const part = {
      ...target,
      UploadId,
      PartNumber: 1,
      Body: 'x',
      ChecksumCRC32: crc32Base64(Buffer.from('x')),
    };
    const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part));
    const complete = new CompleteMultipartUploadCommand({
      ...target,
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag, ChecksumCRC32 }] },
      ChecksumCRC32: 'AAAAAA==',
      ChecksumType: 'FULL_OBJECT',
    });
    expect(await refusalOf(client.send(complete))).toMatchObject({ name: 'BadDigest' });
    expect(await isThere('wrong-whole')).toBe(false);
  });

  async function isThere(Key: string): Promise<boolean> {
    const head = endpoint.s3Client().send(new HeadObjectCommand({ Bucket, Key }));
    return head.then(
      () => true,
      () => false,
    );
  }

  /** A put whose signature is right and whose payload hash is what the test says. */
  async function putSigned(
    target: string,
    body: Buffer,
    payloadHash: string,
    more: Record<string, string> = {},
  ) {
    const credentials = endpoint.identities.issue(OPERATOR);
    const date = signingDate(new Date());
    const headers: Record<string, string> = {
      host: new URL(endpoint.url).host,
      'x-amz-content-sha256': payloadHash,
      'x-amz-date': date,
      ...more,
    };
    const scope = { day: date.slice(0, 8), region: 'eu-west-1', service: 's3' };
    const signedHeaders = Object.keys(headers).sort();
    const signable = { method: 'PUT', target, headers, signedHeaders, payloadHash, date, scope };
    const signature = signatureOf(signable, credentials.secretAccessKey);
    const { host: _, ...sent } = headers;
    const answer = await fetch(endpoint.url + target, {
      method: 'PUT',
      body: new Uint8Array(body),
      headers: { ...sent, authorization: authorizationHeader(credentials.accessKeyId, signable, signature) },
    });
    return { status: answer.status, body: await answer.text() };
  }
});

describe('faults', () => {
  it('a lost answer leaves the object, a reset leaves nothing, half an answer fails the read', async () => {
    const client = endpoint.s3Client();
    const Body = randomBytes(2 * MEBIBYTE);
    const put = (Key: string) => client.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: '*' }));
    endpoint.faults.add({ action: 's3:PutObject', effect: { kind: 'lost-answer' } });
    expect((await refusalOf(put('lost'))).status).toBeUndefined();
    expect(await refusalOf(put('lost'))).toMatchObject({ name: 'PreconditionFailed' });
    endpoint.faults.add({
      match: ({ resource, bytes }) => resource.endsWith('/reset') && bytes === Body.length,
      effect: { kind: 'reset', afterBytes: MEBIBYTE },
    });
    expect((await refusalOf(put('reset'))).status).toBeUndefined();
    await put('reset');
    endpoint.faults.add({ action: 's3:GetObject', effect: { kind: 'half-answer' } });
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'reset' }));
    await expect(got.Body?.transformToByteArray()).rejects.toThrow();
  });
});

describe('bucket settings', () => {
  it('are answered as they were put', async () => {
    const client = endpoint.s3Client();
    expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined();
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled');
  });
});

describe('the aws CLI', () => {
  it('puts, lists and gets', { timeout: 120_000 }, async () => {
    const directory = await mkdtemp(join(endpoint.stateDirectory, 'cli-'));
    const env = endpoint.environment();
    const bytes = randomBytes(9 * MEBIBYTE);
    await writeFile(join(directory, 'in'), bytes);
    await execa('aws', ['s3', 'cp', join(directory, 'in'), `s3://${Bucket}/cli/file`], { env });
    const { stdout } = await execa('aws', ['s3', 'ls', `s3://${Bucket}/cli/`], { env });
    expect(stdout).toContain(`${bytes.length} file`);
    await execa('aws', ['s3', 'cp', `s3://${Bucket}/cli/file`, join(directory, 'out')], { env });
    expect((await readFile(join(directory, 'out'))).equals(bytes)).toBe(true);
  });
});

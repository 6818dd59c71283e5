// The vault in S3. Every body that is sent carries a checksum header, so that S3 refuses other bytes than were meant;
// bodies are sent as buffers of at most one part, so that the SDK can retry them and memory stays bounded.
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { isMissing, namedS3Error } from './object-store-s3-errors.ts';
import { bodyOf, openObject } from './object-store-s3-read.ts';
import { createOnce, putFileToS3 } from './object-store-s3-upload.ts';
import type { ObjectAttributes, ObjectStore } from './ports.ts';

/** Larger files go in parts. AWS allows 10,000 parts: an object over 160 GiB gets larger ones. */
const PART_BYTES = 16 * 1024 ** 2;

export interface S3ObjectStoreOptions {
  bucket: string;
  region?: string;
  /** The default client takes endpoint and credentials from the environment. */
  client?: S3Client;
  /** For tests; AWS wants at least 5 MiB. */
  partBytes?: number;
}

export function s3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const { bucket: Bucket, partBytes = PART_BYTES } = options;
  const client = options.client ?? s3Client(options.region);
  signWithoutBody(client);
  return {
    async get(key) {
      const opened = await openObject(client, Bucket, key);
      return opened && { body: await buffer(bodyOf(client, Bucket, key, opened)), servedAt: opened.servedAt };
    },
    async getStream(key) {
      const opened = await openObject(client, Bucket, key);
      if (!opened) return undefined;
      return { body: bodyOf(client, Bucket, key, opened), sizeBytes: opened.output.ContentLength ?? 0 };
    },
    put(key, body, mode) {
      const Body = Buffer.from(body);
      const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64');
      const input = {
        Bucket,
        Key: key,
        Body,
        ChecksumSHA256,
        ...(mode === 'create' && { IfNoneMatch: '*' }),
      };
      return createOnce('PutObject', key, async () => {
        await client.send(new PutObjectCommand(input));
      });
    },
    putFile: (file) => putFileToS3({ client, Bucket, partBytes }, file),
    attributes: (key) => attributesOf(client, Bucket, key),
    list: (prefix, listing) => listKeys(client, Bucket, prefix, listing),
  };
}

function s3Client(region: string | undefined): S3Client {
  return new S3Client({
    ...(region && { region }),
    maxAttempts: 8,
    // Checksums are set here for each request; responses are hashed by who reads them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/** On plain HTTP the SDK would hash each body once more for the signature; the checksum header is signed already. */
function signWithoutBody(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const headers = (args.request as { headers: Record<string, string> }).headers;
      if (Object.keys(headers).some((name) => name.toLowerCase().startsWith('x-amz-checksum-'))) {
        headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return next(args);
    },
    { step: 'build', name: 'signWithoutBody', override: true },
  );
}

async function attributesOf(
  client: S3Client,
  Bucket: string,
  Key: string,
): Promise<ObjectAttributes | undefined> {
  try {
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    const whole = head.ChecksumType === 'COMPOSITE' ? undefined : head.ChecksumSHA256;
    return {
      sizeBytes: head.ContentLength ?? 0,
      ...(whole && { sha256: Buffer.from(whole, 'base64').toString('hex') }),
    };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw namedS3Error(error, 'HeadObject', Key);
  }
}

async function* listKeys(
  client: S3Client,
  Bucket: string,
  Prefix: string,
  { delimiter, startAfter = '' }: { delimiter?: '/'; startAfter?: string } = {},
): AsyncGenerator<string> {
  const listing = { Bucket, Prefix, Delimiter: delimiter, ...(startAfter && { StartAfter: startAfter }) };
  let ContinuationToken: string | undefined;
  do {
    const page = await client
      .send(new ListObjectsV2Command({ ...listing, ContinuationToken }))
      .catch((error: unknown) => Promise.reject(namedS3Error(error, 'ListObjectsV2', Prefix)));
    const keys = (page.Contents ?? []).flatMap((object) => object.Key ?? []);
    const prefixes = (page.CommonPrefixes ?? []).flatMap((common) => common.Prefix ?? []);
    for (const name of [...keys, ...prefixes].sort()) if (name > startAfter) yield name;
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken);
}

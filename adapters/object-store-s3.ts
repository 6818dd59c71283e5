// The vault in S3. Every body that is sent carries a checksum header, so that S3 refuses other bytes than were meant.
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { isThrottlingError, isTransientError } from '@smithy/core/retry';
import { systemClock } from './clock-system.ts';
import { isCutShort, namedS3Error, type SdkError } from './object-store-s3-errors.ts';
import { attributesOf } from './object-store-s3-head.ts';
import { bodyOf, openObject, Rest, type Waiting } from './object-store-s3-read.ts';
import { receiveObject, receivingClient } from './object-store-s3-receive.ts';
import { putStreamToS3 } from './object-store-s3-stream.ts';
import {
  createOnce,
  encryptionOf,
  mustBeEncrypted,
  putObjectToS3,
  type Target,
} from './object-store-s3-upload.ts';
import type { FailedAttempt, ObjectStore } from './ports.ts';
import { systemRandom } from './random-system.ts';

export interface S3ObjectStoreOptions {
  bucket: string;
  region?: string;
  /** The default client takes endpoint and credentials from the environment. */
  client?: S3Client;
  /** S3 encrypts what is put with this key. */
  kmsKeyArn?: string;
  /** Between the connections of one body. */
  waiting?: Waiting;
}

export function s3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const { bucket: Bucket, waiting = { clock: systemClock, random: systemRandom } } = options;
  const client = options.client ?? s3Client(options.region);
  signWithoutBody(client);
  client.config.logger = QUIET;
  let receiving: S3Client | undefined;
  const target: Target = { client, Bucket, kmsKeyArn: options.kmsKeyArn };
  return {
    async get(key) {
      const opened = await openObject(client, Bucket, key);
      if (!opened) return undefined;
      const rest = new Rest(client, { Bucket, Key: key }, opened, waiting);
      return { body: await buffer(bodyOf(opened, rest)), servedAt: opened.servedAt };
    },
    async getStream(key, range) {
      const opened = await openObject(client, Bucket, key, range);
      if (!opened) return undefined;
      return {
        body: bodyOf(opened, new Rest(client, { Bucket, Key: key }, opened, waiting)),
        sizeBytes: opened.output.ContentLength ?? 0,
      };
    },
    receive(Key, receiver) {
      receiving ??= receivingClient(client);
      return receiveObject(receiving, { Bucket, Key }, receiver, waiting);
    },
    put(key, body, mode) {
      const Body = Buffer.from(body);
      const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64');
      const input = {
        Bucket,
        Key: key,
        Body,
        ChecksumSHA256,
        ...encryptionOf(target),
        ...(mode === 'create' && { IfNoneMatch: '*' }),
      };
      return createOnce('PutObject', key, async () => {
        mustBeEncrypted(target, key, await client.send(new PutObjectCommand(input)));
      });
    },
    putObject: (object) => putObjectToS3(target, object),
    putStream: (object) => putStreamToS3(target, object),
    onFailedAttempt(listener) {
      receiving ??= receivingClient(client);
      for (const each of [client, receiving]) listenForFailures(each, listener);
    },
    encryptedWith: (kmsKeyArn) => s3ObjectStore({ ...options, client, kmsKeyArn }),
    attributes: (key) => attributesOf(client, Bucket, key),
    list: (prefix, listing) => listKeys(client, Bucket, prefix, listing),
  };
}

const ignore = () => undefined;
/** The SDK warns on the console of each stream that it cannot send again: who sends it does. */
const QUIET = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** More than any of the configuration's limits allows at once. */
const MOST_SOCKETS = 256;

function s3Client(region: string | undefined): S3Client {
  return new S3Client({
    ...(region && { region }),
    maxAttempts: 8,
    // A server that falls silent counts as a broken connection.
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: 60_000,
      // To wait for a connection counts as connecting.
      httpAgent: { maxSockets: MOST_SOCKETS },
      httpsAgent: { maxSockets: MOST_SOCKETS },
    },
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

/** Seen at each attempt, also at those that the SDK makes again by itself. */
function listenForFailures(client: S3Client, listener: (why: FailedAttempt) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (isThrottlingError(error as SdkError)) listener('throttled');
        else if (isTransientError(error as SdkError) || isCutShort(error)) listener('transient');
        throw error;
      }
    },
    { step: 'deserialize', name: 'listenForFailures', priority: 'high', override: true },
  );
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

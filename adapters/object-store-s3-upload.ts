// Putting an object into S3, create-only: in one request, or in parts that a later attempt goes on with. S3 itself checks
// every request's bytes against the checksum that was made when they were hashed.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type Part,
  PutObjectCommand,
  type PutObjectCommandOutput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { FileUnstable, RingvaultError, VaultNotEncrypted } from '../contracts/errors.ts';
import { type Body, sendBody } from './object-store-s3-body.ts';
import { isExisting, isOver, isUploadGone, mustTryAgain, namedS3Error } from './object-store-s3-errors.ts';
import { isStored } from './object-store-s3-head.ts';
import type { NewObject } from './ports.ts';

export interface Target {
  client: S3Client;
  Bucket: string;
  kmsKeyArn: string | undefined;
}

/** With a bucket key, S3 asks KMS once for many objects. */
export function encryptionOf({ kmsKeyArn }: Target) {
  return kmsKeyArn === undefined
    ? {}
    : ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyArn, BucketKeyEnabled: true } as const);
}

/** @throws VaultNotEncrypted */
export function mustBeEncrypted(
  { kmsKeyArn }: Target,
  key: string,
  { ServerSideEncryption, SSEKMSKeyId }: Pick<PutObjectCommandOutput, 'ServerSideEncryption' | 'SSEKMSKeyId'>,
): void {
  if (kmsKeyArn === undefined || (ServerSideEncryption === 'aws:kms' && SSEKMSKeyId === kmsKeyArn)) return;
  throw new VaultNotEncrypted(
    `${key}: got ${ServerSideEncryption ?? 'no encryption'} ${SSEKMSKeyId ?? ''}, expected aws:kms ${kmsKeyArn}`,
  );
}
const MOST_CONFLICTS = 5;
const CONFLICT_WAIT_MS = 200;

/**
 * Runs a conditional write, again where another writer was in the way.
 * @param isThere for what is not sent again before it is known to be missing
 */
export async function createOnce(
  operation: string,
  key: string,
  write: () => Promise<void>,
  isThere?: () => Promise<boolean>,
): Promise<'created' | 'exists'> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await write();
      return 'created';
    } catch (error) {
      if (isExisting(error)) return 'exists';
      if (error instanceof RingvaultError) throw error;
      if (!mustTryAgain(error) || attempt === MOST_CONFLICTS) throw namedS3Error(error, operation, key);
      await sleep(Math.random() * CONFLICT_WAIT_MS * attempt);
      if (await isThere?.()) return 'exists';
    }
  }
}

/** @throws FileUnstable where the bytes are not those that were hashed, VaultUnavailable, VaultDenied */
export async function putObjectToS3(target: Target, object: NewObject): Promise<'created' | 'exists'> {
  const isThere = () => isStored(target.client, target.Bucket, object.key);
  if (object.partCrc32.length <= 1) {
    return createOnce('PutObject', object.key, () => putWhole(target, object), isThere);
  }
  // Tried once: whatever is wrong with it, a new one may go through.
  let earlier = object.upload.id();
  const write = () => {
    const id = earlier;
    earlier = undefined;
    return putInParts(target, object, id);
  };
  const outcome = await createOnce('CompleteMultipartUpload', object.key, write, isThere);
  if (outcome === 'exists') await abort(target, object);
  return outcome;
}

/** In one request. */
export async function putWhole(
  target: Target,
  object: Body & Pick<NewObject, 'sha256' | 'slot'>,
): Promise<void> {
  const { client, Bucket } = target;
  const ChecksumSHA256 = Buffer.from(object.sha256, 'hex').toString('base64');
  const input = { Bucket, Key: object.key, ChecksumSHA256, IfNoneMatch: '*', ...encryptionOf(target) };
  await object.slot(() =>
    sendBody(object, { at: 0, length: object.sizeBytes }, async (body, options) => {
      const answer = await client.send(new PutObjectCommand({ ...input, ...body }), options);
      mustBeEncrypted(target, object.key, answer);
    }),
  );
}

async function putInParts(target: Target, object: NewObject, earlier: string | undefined): Promise<void> {
  const { client, Bucket } = target;
  const { id: UploadId, sent } =
    earlier === undefined ? await begin(target, object) : await partsSent(target, object, earlier);
  try {
    const Parts = await putParts(target, object, UploadId, sent);
    await client.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key: object.key,
        UploadId,
        MultipartUpload: { Parts },
        ChecksumCRC32: base64OfCrc32(object.crc32),
        ChecksumType: 'FULL_OBJECT',
        IfNoneMatch: '*',
      }),
    );
  } catch (error) {
    if (error instanceof FileUnstable || isOver(error)) return abortAfter(error, target, object, UploadId);
    throw error;
  }
}

type Beginning = Pick<NewObject, 'key' | 'upload'>;

interface Upload {
  id: string;
  sent: CompletedPart[];
}

export async function begin(target: Target, object: Beginning): Promise<Upload> {
  const answer = await target.client.send(
    new CreateMultipartUploadCommand({
      Bucket: target.Bucket,
      Key: object.key,
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
      ...encryptionOf(target),
    }),
  );
  const id = answer.UploadId ?? '';
  // Parts of an upload that is not encrypted are never gone on with: the lifecycle ends it.
  mustBeEncrypted(target, object.key, answer);
  await object.upload.begun(id);
  return { id, sent: [] };
}

/** Of an upload that an attempt before began the parts that are right. Where S3 does not know it any more, it may be completed. */
async function partsSent(
  { client, Bucket }: Target,
  { key, partCrc32 }: NewObject,
  id: string,
): Promise<Upload> {
  const sent: CompletedPart[] = [];
  const upload = { Bucket, Key: key, UploadId: id };
  for await (const { PartNumber = 0, ETag, ChecksumCRC32 } of listParts(client, upload)) {
    const crc = partCrc32[PartNumber - 1];
    if (crc === undefined || ChecksumCRC32 !== base64OfCrc32(crc)) continue;
    sent.push({ PartNumber, ETag, ChecksumCRC32 });
  }
  return { id, sent };
}

/** The SDK's paginator asks for ever: S3 names a next marker on the last page too. */
async function* listParts(
  client: S3Client,
  upload: { Bucket: string; Key: string; UploadId: string },
): AsyncGenerator<Part> {
  let PartNumberMarker: string | undefined;
  do {
    const page: ListPartsCommandOutput = await client.send(
      new ListPartsCommand({ ...upload, PartNumberMarker }),
    );
    yield* page.Parts ?? [];
    PartNumberMarker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  } while (PartNumberMarker);
}

async function putParts(
  { client, Bucket }: Target,
  object: NewObject,
  UploadId: string,
  sent: CompletedPart[],
): Promise<CompletedPart[]> {
  const parts = new Map(sent.map((part) => [part.PartNumber, part]));
  let failed: { reason: unknown } | undefined;
  const send = async (PartNumber: number, crc: number) => {
    if (failed) throw failed.reason;
    const at = (PartNumber - 1) * object.partBytes;
    const length = Math.min(object.partBytes, object.sizeBytes - at);
    const ChecksumCRC32 = base64OfCrc32(crc);
    await sendBody(object, { at, length }, async (body, options) => {
      const part = { Bucket, Key: object.key, UploadId, PartNumber, ChecksumCRC32 };
      const { ETag } = await client.send(new UploadPartCommand({ ...part, ...body }), options);
      parts.set(PartNumber, { ETag, PartNumber, ChecksumCRC32 });
    });
  };
  const sending = object.partCrc32.map((crc, index) =>
    parts.has(index + 1)
      ? undefined
      : object
          .slot(() => send(index + 1, crc))
          .catch((reason: unknown) => {
            failed ??= { reason };
          }),
  );
  await Promise.all(sending);
  if (failed) throw failed.reason;
  return object.partCrc32.flatMap((_, index) => parts.get(index + 1) ?? []);
}

/** Ends the upload that failed. One that stays is left to the next attempt: another would be remembered in its place. */
export async function abortAfter(
  error: unknown,
  target: Target,
  object: Beginning,
  id = object.upload.id(),
): Promise<never> {
  const isGone = await abort(target, object, id);
  throw !isGone && mustTryAgain(error) ? namedS3Error(error, 'CompleteMultipartUpload', object.key) : error;
}

/**
 * An abort that fails is left to the next attempt, which still knows of the upload, and at last to the bucket's lifecycle.
 * @returns whether there is none any more
 */
export async function abort(
  { client, Bucket }: Target,
  { key, upload }: Beginning,
  UploadId = upload.id(),
): Promise<boolean> {
  if (UploadId === undefined) return true;
  try {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId }));
  } catch (error) {
    if (!isUploadGone(error)) return false;
  }
  if (upload.id() === UploadId) await upload.ended();
  return true;
}

export function base64OfCrc32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}

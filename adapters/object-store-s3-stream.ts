// Putting an object into S3 whose bytes are made as they are sent: in one request where they are few, else in parts, of which
// one is made while the one before is sent.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type CompletedPart, CompleteMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { joinedCrc32 } from './joined-crc32.ts';
import { type Body, sendBody } from './object-store-s3-body.ts';
import { isStored } from './object-store-s3-head.ts';
import {
  abort,
  abortAfter,
  base64OfCrc32,
  begin,
  createOnce,
  putWhole,
  type Target,
} from './object-store-s3-upload.ts';
import type { NewStream } from './ports.ts';
import { partsOf } from './stream-parts.ts';

/** @throws what the stream throws, VaultUnavailable, VaultDenied */
export async function putStreamToS3(target: Target, object: NewStream): Promise<'created' | 'exists'> {
  // Of an attempt before, whose parts nobody knows to be right.
  await abort(target, object);
  const write = async () => {
    try {
      await putOnce(target, object);
    } catch (error) {
      await abortAfter(error, target, object);
    }
  };
  const isThere = () => isStored(target.client, target.Bucket, object.key);
  return createOnce('PutObject', object.key, write, isThere);
}

async function putOnce(target: Target, object: NewStream): Promise<void> {
  let id: string | undefined;
  let crc = 0;
  let sending: Promise<CompletedPart> | undefined;
  const sent: CompletedPart[] = [];
  try {
    for await (const { isLast, crc32, ...bytes } of partsOf(object)) {
      const part = { ...object, ...bytes };
      if (isLast && id === undefined) {
        return await putWhole(target, { ...part, sha256: await sha256Of(bytes.body) });
      }
      id ??= (await begin(target, object)).id;
      crc = joinedCrc32(crc, crc32, bytes.sizeBytes);
      // Then the one before is there, and what it lies in may be used for the next.
      if (sending) sent.push(await sending);
      const named = { UploadId: id, PartNumber: sent.length + 1, ChecksumCRC32: base64OfCrc32(crc32) };
      sending = object.slot(() => sendPart(target, part, named));
      // Waited for at the next part, or below.
      sending.catch(() => undefined);
    }
    if (sending) sent.push(await sending);
  } finally {
    await sending?.catch(() => undefined);
  }
  await target.client.send(
    new CompleteMultipartUploadCommand({
      ...{ Bucket: target.Bucket, Key: object.key, UploadId: id },
      MultipartUpload: { Parts: sent },
      ...{ ChecksumCRC32: base64OfCrc32(crc), ChecksumType: 'FULL_OBJECT' },
      IfNoneMatch: '*',
    }),
  );
}

async function sha256Of(body: Buffer | string): Promise<string> {
  const hash = createHash('sha256');
  if (typeof body !== 'string') return hash.update(body).digest('hex');
  for await (const chunk of createReadStream(body)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function sendPart(
  { client, Bucket }: Target,
  object: Body,
  part: { UploadId: string; PartNumber: number; ChecksumCRC32: string },
): Promise<CompletedPart> {
  let ETag: string | undefined;
  await sendBody(object, { at: 0, length: object.sizeBytes }, async (body, options) => {
    ({ ETag } = await client.send(
      new UploadPartCommand({ Bucket, Key: object.key, ...part, ...body }),
      options,
    ));
  });
  const { PartNumber, ChecksumCRC32 } = part;
  return { ETag, PartNumber, ChecksumCRC32 };
}

// Putting an object into S3 whose bytes are made as they are sent: in one request where they are few, else in parts, of which
// one is made while the one before is sent.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
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
import { pieces } from './pieces.ts';
import type { NewStream } from './ports.ts';

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
    for await (const { bytes, isLast } of pieces(object.body(), object.partBytes)) {
      const memory = { ...object, body: bytes, sizeBytes: bytes.length };
      if (isLast && id === undefined) {
        return await putWhole(target, {
          ...memory,
          sha256: createHash('sha256').update(bytes).digest('hex'),
        });
      }
      id ??= (await begin(target, object)).id;
      const own = crc32(bytes);
      crc = joinedCrc32(crc, own, bytes.length);
      if (sending) sent.push(await sending);
      const part = { UploadId: id, PartNumber: sent.length + 1, ChecksumCRC32: base64OfCrc32(own) };
      sending = object.slot(() => sendPart(target, memory, part));
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

async function sendPart(
  { client, Bucket }: Target,
  memory: Body & { body: Buffer },
  part: { UploadId: string; PartNumber: number; ChecksumCRC32: string },
): Promise<CompletedPart> {
  let ETag: string | undefined;
  await sendBody(memory, { at: 0, length: memory.sizeBytes }, async (body, options) => {
    ({ ETag } = await client.send(
      new UploadPartCommand({ Bucket, Key: memory.key, ...part, ...body }),
      options,
    ));
  });
  const { PartNumber, ChecksumCRC32 } = part;
  return { ETag, PartNumber, ChecksumCRC32 };
}

// Putting a file into S3, create-only: in one request, or in parts with a checksum of the whole.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { FileUnstable } from '../contracts/errors.ts';
import { isExisting, mustTryAgain, namedS3Error } from './object-store-s3-errors.ts';
import type { ObjectStore } from './ports.ts';

type PutFile = Parameters<ObjectStore['putFile']>[0];
interface Target {
  client: S3Client;
  Bucket: string;
  /** Size of a part, unless 10,000 of them do not suffice. */
  partBytes: number;
}
const MOST_PARTS = 10_000;
const MOST_CONFLICTS = 5;

/** Runs a conditional write, again where another writer was in the way. */
export async function createOnce(
  operation: string,
  key: string,
  write: () => Promise<void>,
): Promise<'created' | 'exists'> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await write();
      return 'created';
    } catch (error) {
      if (isExisting(error)) return 'exists';
      if (error instanceof FileUnstable) throw error;
      if (!mustTryAgain(error) || attempt === MOST_CONFLICTS) throw namedS3Error(error, operation, key);
    }
  }
}

/** @throws FileUnstable where the bytes read do not have the hash given, VaultUnavailable, VaultDenied */
export async function putFileToS3(target: Target, file: PutFile): Promise<'created' | 'exists'> {
  const handle = await open(file.path, 'r');
  try {
    if (file.sizeBytes <= target.partBytes) {
      return await createOnce('PutObject', file.key, () => putWhole(target, file, handle));
    }
    return await createOnce('CompleteMultipartUpload', file.key, () => putInParts(target, file, handle));
  } finally {
    await handle.close();
  }
}

async function putWhole({ client, Bucket }: Target, file: PutFile, handle: FileHandle): Promise<void> {
  const Body = await readAt(handle, file, 0, file.sizeBytes);
  checkHash(file, createHash('sha256').update(Body).digest('hex'));
  const ChecksumSHA256 = Buffer.from(file.sha256, 'hex').toString('base64');
  await client.send(new PutObjectCommand({ Bucket, Key: file.key, Body, ChecksumSHA256, IfNoneMatch: '*' }));
  file.onBytes?.(file.sizeBytes);
}

async function putInParts(target: Target, file: PutFile, handle: FileHandle): Promise<void> {
  const { client, Bucket } = target;
  const upload = { Bucket, Key: file.key };
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...upload, ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }),
  );
  try {
    const { parts, checksum } = await putParts(target, file, handle, UploadId);
    await client.send(
      new CompleteMultipartUploadCommand({
        ...upload,
        UploadId,
        MultipartUpload: { Parts: parts },
        ChecksumCRC32: checksum,
        ChecksumType: 'FULL_OBJECT',
        IfNoneMatch: '*',
      }),
    );
  } catch (error) {
    // A failed abort leaves parts that the bucket's lifecycle removes; the first failure is the one to tell.
    await client.send(new AbortMultipartUploadCommand({ ...upload, UploadId })).catch(() => undefined);
    throw error;
  }
}

async function putParts(
  { client, Bucket, partBytes }: Target,
  file: PutFile,
  handle: FileHandle,
  UploadId: string | undefined,
): Promise<{ parts: CompletedPart[]; checksum: string }> {
  const size = Math.max(partBytes, Math.ceil(file.sizeBytes / MOST_PARTS));
  const parts: CompletedPart[] = [];
  const sha256 = createHash('sha256');
  let checksum = 0;
  for (let at = 0; at < file.sizeBytes; at += size) {
    const Body = await readAt(handle, file, at, Math.min(size, file.sizeBytes - at));
    sha256.update(Body);
    checksum = crc32(Body, checksum);
    const PartNumber = parts.length + 1;
    const ChecksumCRC32 = base64OfCrc32(crc32(Body));
    const part = { Bucket, Key: file.key, UploadId, PartNumber, Body, ChecksumCRC32 };
    const { ETag } = await client.send(new UploadPartCommand(part));
    parts.push({ ETag, PartNumber, ChecksumCRC32 });
    file.onBytes?.(Body.length);
  }
  checkHash(file, sha256.digest('hex'));
  return { parts, checksum: base64OfCrc32(checksum) };
}

async function readAt(handle: FileHandle, file: PutFile, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, at + filled);
    if (bytesRead === 0) {
      throw new FileUnstable(`${file.path}: ends at byte ${at + filled}, expected ${file.sizeBytes} bytes`);
    }
    filled += bytesRead;
  }
  return buffer;
}

function checkHash(file: PutFile, got: string): void {
  if (got === file.sha256) return;
  throw new FileUnstable(
    `${file.path}: its first ${file.sizeBytes} bytes have SHA-256 ${got}, expected ${file.sha256}`,
  );
}

function base64OfCrc32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}

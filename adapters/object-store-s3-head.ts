// What S3 says of an object without its bytes.
import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { VaultDenied } from '../contracts/errors.ts';
import { isMissing, isUnexplained, namedS3Error } from './object-store-s3-errors.ts';
import type { ObjectAttributes } from './ports.ts';

/** @throws VaultUnavailable, VaultDenied, EncryptionKeyDenied */
export async function attributesOf(
  client: S3Client,
  Bucket: string,
  Key: string,
): Promise<ObjectAttributes | undefined> {
  try {
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    const { ChecksumSHA256, ChecksumCRC32 } = head.ChecksumType === 'COMPOSITE' ? {} : head;
    return {
      sizeBytes: head.ContentLength ?? 0,
      ...(ChecksumSHA256 && { sha256: Buffer.from(ChecksumSHA256, 'base64').toString('hex') }),
      ...(ChecksumCRC32 && { crc32: Buffer.from(ChecksumCRC32, 'base64').readUInt32BE() }),
    };
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (isUnexplained(error)) throw await explained(client, Bucket, Key, error);
    throw namedS3Error(error, 'HeadObject', Key);
  }
}

/** False also where S3 does not say: of what is missing it says that it is denied, to who may not list. */
export async function isStored(client: S3Client, Bucket: string, Key: string): Promise<boolean> {
  try {
    return (await attributesOf(client, Bucket, Key)) !== undefined;
  } catch (error) {
    if (error instanceof VaultDenied) return false;
    throw error;
  }
}

/** The answer to a HEAD has no body that could say why: a key that is disabled, credentials that have expired. A GET's has. */
async function explained(client: S3Client, Bucket: string, Key: string, refusal: unknown): Promise<Error> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=0-0' }));
    await Body?.transformToByteArray();
  } catch (error) {
    return namedS3Error(error, 'GetObject', Key);
  }
  return namedS3Error(refusal, 'HeadObject', Key);
}

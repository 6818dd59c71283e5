// File assets of a stack: put where `cdk deploy` would put them. What is zipped for Lambda is used from its directory instead.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CreateBucketCommand, HeadBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { FileAsset } from './cloud-assembly.ts';

/** @param resolveName puts account and region into a bucket's name */
export async function uploadAssets(
  assets: readonly FileAsset[],
  s3: S3Client,
  resolveName: (name: string) => string,
): Promise<void> {
  for (const { path, packaging, bucketName, objectKey } of assets) {
    // The template itself is an asset too, and nobody reads it from the bucket.
    if (packaging === 'zip' || path.endsWith('.template.json')) continue;
    const Bucket = resolveName(bucketName);
    await ensureBucket(s3, Bucket);
    const { size } = await stat(path);
    await s3.send(
      new PutObjectCommand({ Bucket, Key: objectKey, Body: createReadStream(path), ContentLength: size }),
    );
  }
}

async function ensureBucket(s3: S3Client, Bucket: string): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket }));
  } catch {
    await s3.send(new CreateBucketCommand({ Bucket }));
  }
}

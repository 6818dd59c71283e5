// Stands in for the aws CLI where it is not installed: `aws s3 cp --only-show-errors s3://<bucket>/<key> <file>`.
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';

const [from = '', to = ''] = process.argv
  .slice(2)
  .filter((word) => !['s3', 'cp', '--only-show-errors'].includes(word));
const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(from) ?? [];
const { Body } = await new S3Client({ forcePathStyle: true }).send(new GetObjectCommand({ Bucket, Key }));
await pipeline(Body as Readable, createWriteStream(to));

// aws:downloadContent from S3 as the agent does it: with the host's own credentials, and with no check of any digest.
import { createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { IssuedCredentials } from '../endpoint/service.ts';

export interface Download {
  /** `https://s3.<region>.amazonaws.com/<bucket>/<key>`, or with the bucket as the first label. */
  url: string;
  destinationPath: string;
  /** What a relative destination is relative to. */
  downloads: string;
  /** What an absolute destination is put below: the host's file system. */
  hostRoot: string;
  endpointUrl: string;
  region: string;
  credentials: IssuedCredentials;
}

/** Answers the path of the file. */
export async function downloadContent(download: Download): Promise<string> {
  const { bucket, key } = parseS3Url(download.url);
  const path = await destination(download, key);
  const client = new S3Client({
    endpoint: download.endpointUrl,
    region: download.region,
    credentials: download.credentials,
    forcePathStyle: true,
  });
  try {
    // The agent looks whether the key is a folder before it gets it, which needs s3:ListBucket.
    await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key }));
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    if (!(Body instanceof Readable)) throw new Error(`${download.url} came without a body`);
    await mkdir(dirname(path), { recursive: true });
    await pipeline(Body, createWriteStream(path));
    return path;
  } finally {
    client.destroy();
  }
}

function parseS3Url(url: string): { bucket: string; key: string } {
  const { hostname, pathname } = new URL(url);
  const match = /^(?:(?<bucket>.+)\.)?s3[.-][a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/.exec(hostname);
  const path = decodeURIComponent(pathname.slice(1));
  const bucket = match?.groups?.['bucket'] ?? path.split('/')[0] ?? '';
  const key = match?.groups?.['bucket'] ? path : path.slice(bucket.length + 1);
  if (!match || !bucket || !key) throw new Error(`got ${url}, expected the HTTPS URL of an S3 object`);
  return { bucket, key };
}

/** A directory (it is there, or the path ends in "/") takes the file under its own name; else the path is the file's. */
async function destination({ destinationPath, downloads, hostRoot }: Download, key: string): Promise<string> {
  const path = isAbsolute(destinationPath)
    ? join(hostRoot, destinationPath)
    : join(downloads, destinationPath);
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isDirectory || path.endsWith('/') ? join(path, basename(key)) : path;
}

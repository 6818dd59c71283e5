import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import { startS3Proxy } from '../../local/servers/s3proxy.ts';
import { objectStoreSuite } from './object-store.suite.ts';

const PART_BYTES = 5 * 1024 ** 2;
const cleanups: Array<() => Promise<void>> = [];
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

objectStoreSuite('S3', PART_BYTES, async () => {
  const directory = await mkdtemp(join(tmpdir(), 's3-suite-'));
  const server = await startS3Proxy(directory);
  cleanups.push(server.stop, () => rm(directory, { recursive: true, force: true }));
  const { url: endpoint, credentials } = server;
  const client = new S3Client({ endpoint, credentials, region: 'eu-west-1', forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'suite' }));
  return s3ObjectStore({ bucket: 'suite', client, partBytes: PART_BYTES });
});

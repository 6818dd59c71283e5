import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import { shared } from '../shared/shared.ts';
import { objectStoreSuite } from './object-store.suite.ts';

const PART_BYTES = 5 * 1024 ** 2;

objectStoreSuite('S3', PART_BYTES, async () => {
  const { url: endpoint, credentials } = await shared('s3proxy');
  const client = new S3Client({ endpoint, credentials, region: 'eu-west-1', forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'object-store-suite' }));
  return s3ObjectStore({ bucket: 'object-store-suite', client });
});

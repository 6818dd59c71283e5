// What S3 and DynamoDB are behind the local endpoint: two servers, started and stopped together.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DynamoDbLocal, startDynamoDbLocal } from './dynamodb-local.ts';
import { type S3Proxy, startS3Proxy } from './s3proxy.ts';

export interface StorageServers {
  s3proxy: Pick<S3Proxy, 'url' | 'credentials'>;
  dynamoDb: Pick<DynamoDbLocal, 'url'>;
  stop(): Promise<void>;
}

/** @throws LocalToolFailed LocalServerFailed, once neither of the two runs */
export async function startStorageServers(stateDirectory: string): Promise<StorageServers> {
  const directories = [join(stateDirectory, 's3'), join(stateDirectory, 'dynamodb')] as const;
  for (const each of directories) await mkdir(each, { recursive: true });
  const starting = [startS3Proxy(directories[0]), startDynamoDbLocal(directories[1])] as const;
  try {
    const [s3proxy, dynamoDb] = await Promise.all(starting);
    return {
      s3proxy,
      dynamoDb,
      async stop() {
        await Promise.all([s3proxy.stop(), dynamoDb.stop()]);
      },
    };
  } catch (error) {
    for (const each of await Promise.allSettled(starting)) {
      if (each.status === 'fulfilled') await each.value.stop();
    }
    throw error;
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll } from 'vitest';
import { dynamoDbCatalog } from '../../adapters/catalog-dynamodb.ts';
import { systemClock } from '../../adapters/clock-system.ts';
import { systemRandom } from '../../adapters/random-system.ts';
import { startDynamoDbLocal } from '../../local/servers/dynamodb-local.ts';
import { catalogSuite } from './catalog.suite.ts';

const cleanups: Array<() => Promise<void>> = [];
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

catalogSuite('DynamoDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'catalog-suite-'));
  cleanups.unshift(() => rm(directory, { recursive: true, force: true }));
  const server = await startDynamoDbLocal(directory);
  cleanups.unshift(server.stop);
  const client = new DynamoDBClient({
    endpoint: server.url,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  await client.send(
    new CreateTableCommand({
      TableName: 'catalog',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
  return dynamoDbCatalog({ table: 'catalog', clock: systemClock, random: systemRandom, client });
});

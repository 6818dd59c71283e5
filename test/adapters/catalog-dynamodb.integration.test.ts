import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoDbCatalog } from '../../adapters/catalog-dynamodb.ts';
import { systemClock } from '../../adapters/clock-system.ts';
import { systemRandom } from '../../adapters/random-system.ts';
import { shared } from '../shared/shared.ts';
import { catalogSuite } from './catalog.suite.ts';

catalogSuite('DynamoDB', async () => {
  const { url: endpoint } = await shared('dynamoDb');
  const client = new DynamoDBClient({
    endpoint,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  await client.send(
    new CreateTableCommand({
      TableName: 'catalog-suite',
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
  return dynamoDbCatalog({ table: 'catalog-suite', clock: systemClock, random: systemRandom, client });
});

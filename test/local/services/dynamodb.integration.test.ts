// DynamoDB as its clients see it through the endpoint: SDK v3 and the aws CLI.
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  GetItemCommand,
  ListTagsOfResourceCommand,
  PutItemCommand,
  ResourceNotFoundException,
  TagResourceCommand,
  TransactWriteItemsCommand,
  UpdateContinuousBackupsCommand,
} from '@aws-sdk/client-dynamodb';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestEndpoint, type TestEndpoint } from '../endpoint/endpoint.ts';

const TableName = 'dynamodb-test';
const arn = `arn:aws:dynamodb:eu-west-1:111122223333:table/${TableName}`;
let endpoint: TestEndpoint;

beforeAll(async () => {
  endpoint = await startTestEndpoint();
  await endpoint.dynamoDbClient().send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
}, 60_000);
afterAll(() => endpoint.close());

it('keeps items, and refuses what a condition refuses', async () => {
  const client = endpoint.dynamoDbClient();
  const put = {
    TableName,
    Item: { pk: { S: 'a' }, n: { N: '1' } },
    ConditionExpression: 'attribute_not_exists(pk)',
  };
  await client.send(new PutItemCommand(put));
  await expect(client.send(new PutItemCommand(put))).rejects.toBeInstanceOf(ConditionalCheckFailedException);
  const got = await client.send(new GetItemCommand({ TableName: arn, Key: { pk: { S: 'a' } } }));
  expect(got.Item).toEqual({ pk: { S: 'a' }, n: { N: '1' } });
});

it('names tables by the local account and region', async () => {
  const client = endpoint.dynamoDbClient();
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  expect(Table?.TableArn).toBe(arn);
  await expect(client.send(new DescribeTableCommand({ TableName: 'none' }))).rejects.toBeInstanceOf(
    ResourceNotFoundException,
  );
});

it('answers the settings that are recorded', async () => {
  const client = endpoint.dynamoDbClient();
  const recovery = async () =>
    (await client.send(new DescribeContinuousBackupsCommand({ TableName }))).ContinuousBackupsDescription
      ?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
  expect(await recovery()).toBe('DISABLED');
  const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
  await client.send(new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }));
  expect(await recovery()).toBe('ENABLED');
  const Tags = [{ Key: 'owner', Value: 'ringvault' }];
  await client.send(new TagResourceCommand({ ResourceArn: arn, Tags }));
  expect((await client.send(new ListTagsOfResourceCommand({ ResourceArn: arn }))).Tags).toEqual(Tags);
});

it('asks for each action of a transaction', async () => {
  const roleArn = 'arn:aws:iam::111122223333:role/writer';
  const statement = { Effect: 'Allow', Action: 'dynamodb:PutItem', Resource: arn };
  endpoint.authorizer.putRole({
    arn: roleArn,
    name: 'writer',
    inlinePolicies: { own: { Version: '2012-10-17', Statement: [statement] } },
    managedPolicies: {},
    trust: { Version: '2012-10-17', Statement: [] },
  });
  const client = endpoint.dynamoDbClient({ arn: 'arn:aws:sts::111122223333:assumed-role/writer/1', roleArn });
  const Put = { TableName, Item: { pk: { S: 't' } } };
  const Delete = { TableName, Key: { pk: { S: 'a' } } };
  await client.send(new TransactWriteItemsCommand({ TransactItems: [{ Put }] }));
  await expect(
    client.send(new TransactWriteItemsCommand({ TransactItems: [{ Put }, { Delete }] })),
  ).rejects.toMatchObject({
    name: 'AccessDeniedException',
    message: expect.stringContaining('dynamodb:DeleteItem'),
  });
});

it('serves the aws CLI', { timeout: 120_000 }, async () => {
  const env = endpoint.environment();
  const { stdout } = await execa('aws', ['dynamodb', 'list-tables', '--output', 'json'], { env });
  expect(JSON.parse(stdout)).toEqual({ TableNames: expect.arrayContaining([TableName]) });
  const scan = await execa(
    'aws',
    ['dynamodb', 'get-item', '--table-name', TableName, '--key', '{"pk":{"S":"a"}}'],
    {
      env,
    },
  );
  expect(scan.stdout).toContain('"1"');
});

// The adapter against a server that speaks CloudFormation's protocol.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cloudFormationStacks } from '../../adapters/stack-outputs-cloudformation.ts';
import { UnknownStack } from '../../contracts/errors.ts';

const OUTPUTS = {
  VaultBucket: 'bucket',
  CatalogTable: 'table',
  TopicArn: 'topic',
  BackupArn: 'backup',
  RestoreArn: 'restore',
  RegisterArn: 'register',
  RecoverArn: 'recover',
};
const stacks: Record<string, Record<string, string>> = {
  Ringvault: { ...OUTPUTS, VaultPrefix: 'team/' },
  Bare: OUTPUTS,
  Other: { Website: 'http://example.com' },
};

const server = createServer(async (request, response) => {
  const name = new URLSearchParams((await buffer(request)).toString()).get('StackName') ?? '';
  const outputs = stacks[name];
  response.writeHead(outputs ? 200 : 400, { 'content-type': 'text/xml' });
  response.end(outputs ? described(name, outputs) : refused(name));
});
let client: CloudFormationClient;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new CloudFormationClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
});
afterAll(() => {
  client.destroy();
  server.close();
});

it('reads the outputs that the stack has', async () => {
  expect(await cloudFormationStacks(client).outputs('Ringvault')).toEqual({
    vaultBucket: 'bucket',
    vaultPrefix: 'team/',
    catalogTable: 'table',
    topicArn: 'topic',
    backupArn: 'backup',
    restoreArn: 'restore',
    registerArn: 'register',
    recoverArn: 'recover',
  });
});

it('takes a prefix without a value as the empty one', async () => {
  expect(await cloudFormationStacks(client).outputs('Bare')).toMatchObject({ vaultPrefix: '' });
});

it.each(['Missing', 'Other'])('%s is no stack of ours', async (name) => {
  await expect(cloudFormationStacks(client).outputs(name)).rejects.toThrow(UnknownStack);
});

function described(name: string, outputs: Record<string, string>): string {
  const members = Object.entries(outputs)
    .map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    )
    .join('');
  return `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
    <StackName>${name}</StackName><CreationTime>2026-11-21T02:00:00.000Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>
    <Outputs>${members}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`;
}

function refused(name: string): string {
  return `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>
    <Code>ValidationError</Code><Message>Stack with id ${name} does not exist</Message></Error><RequestId>1</RequestId></ErrorResponse>`;
}

// SNS, Secrets Manager and STS as their clients see them.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import {
  CreateTopicCommand,
  ListSubscriptionsByTopicCommand,
  ListTopicsCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from '@aws-sdk/client-sns';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR } from '../../../local/endpoint/identities.ts';
import { Secrets } from '../../../local/services/secrets-manager/secrets.ts';
import { secretsManagerService } from '../../../local/services/secrets-manager/secrets-manager.ts';
import { Deliveries } from '../../../local/services/sns/deliveries.ts';
import { snsService } from '../../../local/services/sns/sns.ts';
import { Topics } from '../../../local/services/sns/topics.ts';
import { stsService } from '../../../local/services/sts.ts';
import { refusalOf, startTestServer, type TestServer } from '../endpoint/endpoint.ts';

const secretArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:ringvault/demo-AbCdEf';
const roleArn = 'arn:aws:iam::111122223333:role/host';
const host = { arn: 'arn:aws:sts::111122223333:assumed-role/host/i-1', roleArn };
const now = () => new Date();
let server: TestServer;
let directory: string;
let deliveries: Deliveries;
let secrets: Secrets;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-services-'));
  server = await startTestServer();
  deliveries = new Deliveries(join(directory, 'mail'));
  secrets = new Secrets(join(directory, 'secrets.json'), now);
  server.register(snsService(new Topics(join(directory, 'topics.json')), deliveries, now));
  server.register(secretsManagerService(secrets));
  server.register(stsService({ identities: server.identities, authorizer: server.authorizer, now }));
  const allow = (more: object) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...more }] });
  server.authorizer.putRole({
    arn: roleArn,
    name: 'host',
    inlinePolicies: { secret: allow({ Action: 'secretsmanager:GetSecretValue', Resource: secretArn }) },
    managedPolicies: {},
    trust: allow({ Action: 'sts:AssumeRole', Principal: { AWS: OPERATOR.arn } }),
  });
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

/** An HTTP endpoint that refuses `failures` times. */
async function subscriber(failures: number) {
  const received: Array<{ headers: IncomingHttpHeaders; body: string }> = [];
  let left = failures;
  const http = createServer(async (request, response) => {
    const body = await text(request);
    left -= 1;
    if (left < 0) received.push({ headers: request.headers, body });
    response.writeHead(left < 0 ? 200 : 503).end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, received, close: () => http.close() };
}

describe('SNS', () => {
  const attribute = (StringValue: string) => ({ DataType: 'String', StringValue });

  it('delivers to mails and HTTP endpoints whose filter the message passes, and tries again', async () => {
    const client = new SNSClient(server.configuration());
    const { TopicArn } = await client.send(new CreateTopicCommand({ Name: 'runs' }));
    const { url, received, close } = await subscriber(1);
    const filter = (FilterPolicy: unknown) => ({
      Attributes: { FilterPolicy: JSON.stringify(FilterPolicy) },
    });
    const subscribe = (Protocol: string, Endpoint: string, more = {}) =>
      client.send(new SubscribeCommand({ TopicArn, Protocol, Endpoint, ...more }));
    await subscribe('email', 'demo@example.com', filter({ clusterId: ['demo', { exists: false }] }));
    await subscribe('email', 'other@example.com', filter({ clusterId: ['other'] }));
    await subscribe('http', url);
    const { MessageId } = await client.send(
      new PublishCommand({
        TopicArn,
        Subject: 'Backup completed',
        Message: 'line 1\nline "2" & <3>',
        MessageAttributes: { clusterId: attribute('demo') },
      }),
    );
    await client.send(new PublishCommand({ TopicArn, Message: 'no attributes' }));
    await deliveries.settled();
    close();
    const mails = await readdir(join(directory, 'mail'));
    expect(mails).toHaveLength(2);
    expect(mails.every((name) => name.includes('demo@example.com') && name.endsWith('.eml'))).toBe(true);
    const [delivered] = deliveries.records.filter((each) => each.messageId === MessageId && each.file);
    const mail = await readFile(delivered?.file ?? '', 'utf8');
    expect(mail).toContain('Subject: Backup completed\n');
    expect(mail).toContain('\n\nline 1\nline "2" & <3>\n');
    expect(received).toHaveLength(2);
    const posted = received.find((each) => each.headers['x-amz-sns-message-id'] === MessageId);
    expect(JSON.parse(posted?.body ?? '')).toMatchObject({
      Type: 'Notification',
      MessageId,
      TopicArn,
      Subject: 'Backup completed',
      MessageAttributes: { clusterId: { Type: 'String', Value: 'demo' } },
    });
  });

  it('lists topics and subscriptions, and refuses what it does not know', async () => {
    const client = new SNSClient(server.configuration());
    const { Topics: topics } = await client.send(new ListTopicsCommand({}));
    const TopicArn = topics?.[0]?.TopicArn;
    const { Subscriptions } = await client.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
    expect(Subscriptions).toHaveLength(3);
    const sms = new SubscribeCommand({ TopicArn, Protocol: 'sms', Endpoint: '+15550100' });
    expect((await refusalOf(client.send(sms))).message).toContain('Protocol');
    const none = new PublishCommand({ TopicArn: `${TopicArn}2`, Message: 'x' });
    expect(await refusalOf(client.send(none))).toMatchObject({ name: 'NotFoundException', status: 404 });
    const subject = new PublishCommand({ TopicArn, Message: 'x', Subject: 'Grüße' });
    expect((await refusalOf(client.send(subject))).message).toContain('Subject');
  });

  it('asks the topic’s policy and the caller’s', async () => {
    const { TopicArn = '' } = await new SNSClient(server.configuration()).send(
      new CreateTopicCommand({ Name: 'guarded' }),
    );
    const publish = () =>
      new SNSClient(server.configuration(host)).send(new PublishCommand({ TopicArn, Message: 'x' }));
    expect(await refusalOf(publish())).toMatchObject({ name: 'AuthorizationErrorException', status: 403 });
    const Principal = { AWS: roleArn };
    const Statement = [{ Effect: 'Allow', Principal, Action: 'sns:Publish', Resource: TopicArn }];
    server.authorizer.putResourcePolicy(TopicArn, { Version: '2012-10-17', Statement });
    await publish();
  });
});

describe('Secrets Manager', () => {
  it('answers a secret that was put under exactly its ARN, to whom a policy lets read it', async () => {
    await secrets.putByArn(secretArn, '{"username":"backup"}');
    const client = new SecretsManagerClient(server.configuration(host));
    const got = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
    expect(got).toMatchObject({
      ARN: secretArn,
      Name: 'ringvault/demo',
      SecretString: '{"username":"backup"}',
    });
    const describeSecret = new DescribeSecretCommand({ SecretId: secretArn });
    expect(await refusalOf(client.send(describeSecret))).toMatchObject({ name: 'AccessDeniedException' });
    expect((await stat(join(directory, 'secrets.json'))).mode & 0o777).toBe(0o600);
  });

  it('keeps the value before', async () => {
    const client = new SecretsManagerClient(server.configuration());
    const { ARN } = await client.send(new CreateSecretCommand({ Name: 'a/b', SecretString: '1' }));
    expect(ARN).toMatch(/:secret:a\/b-[A-Za-z0-9]{6}$/);
    await client.send(new PutSecretValueCommand({ SecretId: 'a/b', SecretString: '2' }));
    const value = async (VersionStage: string) =>
      (await client.send(new GetSecretValueCommand({ SecretId: ARN, VersionStage }))).SecretString;
    expect([await value('AWSCURRENT'), await value('AWSPREVIOUS')]).toEqual(['2', '1']);
    await expect(client.send(new GetSecretValueCommand({ SecretId: 'none' }))).rejects.toBeInstanceOf(
      ResourceNotFoundException,
    );
  });
});

describe('STS', () => {
  it('says who the caller is', async () => {
    const client = new STSClient(server.configuration(host));
    expect(await client.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: host.arn,
      Account: '111122223333',
    });
  });

  it('hands out sessions of a role to whom it trusts', async () => {
    const assume = new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'debug' });
    const { Credentials } = await new STSClient(server.configuration()).send(assume);
    const session = server.configuration(host, {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    });
    expect(await new STSClient(session).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: 'arn:aws:sts::111122223333:assumed-role/host/debug',
    });
    expect(await refusalOf(new STSClient(session).send(assume))).toMatchObject({
      name: 'AccessDenied',
      status: 403,
    });
  });
});

// A template becomes resources that work: one made by the real CDK, and small ones by hand for what is refused.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { GetDocumentCommand, SSMClient } from '@aws-sdk/client-ssm';
import { App, CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Function as CdkFunction, Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { sharedStorage } from '../../shared/shared.ts';

const BUNDLE = `
import { S3Client, PutObjectCommand } from '@aws-sdk/client-s3';
export const handler = async (event) => {
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: event.key ?? 'from-schedule', Body: 'x' }));
  return { written: event.key };
};`;

let directory: string;
let cloud: Cloud;
let outputs: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-deploy-'));
  const assembly = await synthesize();
  cloud = await startCloud({
    stateDirectory: join(directory, 'state'),
    servers: await sharedStorage(),
    onError: (error) => console.error(error),
  });
  const [stack] = await cloud.deploy(assembly);
  outputs = stack?.outputs ?? {};
}, 60_000);
afterAll(async () => {
  await cloud.close();
  await rm(directory, { recursive: true });
});

async function synthesize(): Promise<string> {
  const code = join(directory, 'code');
  await mkdir(code);
  await writeFile(join(code, 'index.mjs'), BUNDLE);
  await writeFile(join(directory, 'bundle.txt'), 'of the host');
  const app = new App({ outdir: join(directory, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Small', { description: 'for this test' });
  const bucket = new Bucket(stack, 'Bucket', { versioned: true, enforceSSL: true });
  const writer = new CdkFunction(stack, 'Writer', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromAsset(code),
    timeout: Duration.seconds(10),
    environment: { BUCKET: bucket.bucketName },
  });
  writer.addToRolePolicy(
    new PolicyStatement({
      actions: ['s3:PutObject'],
      resources: [bucket.arnForObjects('allowed/*'), bucket.arnForObjects('from-schedule')],
    }),
  );
  new Schedule(stack, 'Daily', {
    schedule: ScheduleExpression.expression('cron(0 2 * * ? *)'),
    target: new LambdaInvoke(writer, {}),
  });
  new Rule(stack, 'Rule', { eventPattern: { source: ['test'] }, targets: [new LambdaFunction(writer)] });
  const asset = new Asset(stack, 'Bundle', { path: join(directory, 'bundle.txt') });
  const policy = new ManagedPolicy(stack, 'Hosts', {
    statements: [
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [asset.bucket.arnForObjects(asset.s3ObjectKey)],
      }),
      new PolicyStatement({ actions: ['s3:ListBucket'], resources: [asset.bucket.bucketArn] }),
    ],
  });
  const document = new CfnDocument(stack, 'Document', {
    documentType: 'Command',
    content: {
      schemaVersion: '2.2',
      mainSteps: [
        {
          action: 'aws:downloadContent',
          name: 'fetch',
          inputs: {
            sourceType: 'S3',
            sourceInfo: `{"path":"${asset.httpUrl}"}`,
            destinationPath: 'bundle.txt',
          },
        },
        { action: 'aws:runShellScript', name: 'show', inputs: { runCommand: ['cat bundle.txt'] } },
      ],
    },
  });
  const named = { Bucket: bucket.bucketName, Writer: writer.functionName, Document: document.ref };
  const arns = { HostPolicyArns: stack.toJsonString({ demo: policy.managedPolicyArn }) };
  for (const [name, value] of Object.entries({ ...named, ...arns })) {
    new CfnOutput(stack, `Out${name}`, { value }).overrideLogicalId(name);
  }
  return app.synth().directory;
}

async function keys(): Promise<Array<string | undefined>> {
  const client = new S3Client({ ...cloud.clientOptions, forcePathStyle: true });
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: outputs['Bucket'] }));
  client.destroy();
  return Contents.map(({ Key }) => Key);
}

describe('a stack of the real CDK', () => {
  it('is told by CloudFormation', async () => {
    const client = new CloudFormationClient(cloud.clientOptions);
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: 'Small' }));
    expect(Stacks?.[0]).toMatchObject({ StackStatus: 'CREATE_COMPLETE', Description: 'for this test' });
    expect(Stacks?.[0]?.Outputs).toContainEqual({ OutputKey: 'Bucket', OutputValue: outputs['Bucket'] });
    const { StackResources } = await client.send(new DescribeStackResourcesCommand({ StackName: 'Small' }));
    expect(StackResources?.map((each) => each.ResourceType)).toContain('AWS::Lambda::Function');
    await expect(client.send(new DescribeStacksCommand({ StackName: 'None' }))).rejects.toThrow(
      'does not exist',
    );
    client.destroy();
  });

  it('has functions that do what their role allows, and nothing else', async () => {
    const client = new LambdaClient(cloud.clientOptions);
    const invoke = async (key: string) => {
      const Payload = JSON.stringify({ key });
      return client.send(new InvokeCommand({ FunctionName: outputs['Writer'], Payload }));
    };
    const allowed = await invoke('allowed/one');
    expect(allowed.FunctionError, allowed.Payload?.transformToString()).toBeUndefined();
    expect(JSON.parse(allowed.Payload?.transformToString() ?? '')).toEqual({ written: 'allowed/one' });
    const denied = await invoke('elsewhere');
    expect(denied.FunctionError).toBe('Unhandled');
    expect(denied.Payload?.transformToString()).toContain('AccessDenied');
    expect(await keys()).toEqual(['allowed/one']);
    client.destroy();
  });

  it('has a schedule that invokes its function', async () => {
    const client = new SchedulerClient(cloud.clientOptions);
    const [schedule] = cloud.scheduler.list();
    const got = await client.send(new GetScheduleCommand({ Name: schedule?.name }));
    expect(got).toMatchObject({ ScheduleExpression: 'cron(0 2 * * ? *)', State: 'ENABLED' });
    client.destroy();
    const next = schedule && cloud.scheduler.nextTime(schedule);
    await cloud.scheduleClock.moveTo(next ?? new Date(0));
    expect(cloud.targets.deliveries.at(-1)).toMatchObject({ outcome: 'delivered' });
    expect(await keys()).toContain('from-schedule');
  });

  it('has a rule whose function lets it in', async () => {
    await cloud.events.put({ source: 'test', detail: {} });
    const last = cloud.targets.deliveries.at(-1);
    expect(last).toMatchObject({ principal: 'events.amazonaws.com', outcome: 'delivered' });
  });

  it('has a document that a host runs with what its policy lets it download', async () => {
    const host = await cloud.addHost({ instanceId: 'i-0123456789abcdef0', clusterId: 'demo', tags: {} });
    const document = cloud.runCommand.documents.get(outputs['Document'] ?? '');
    if (!document) throw new Error('the document was not deployed');
    const command = cloud.runCommand.send({
      document,
      hosts: [host],
      parameters: {},
      comment: '',
      timeoutSeconds: 60,
    });
    await vi.waitFor(() => expect(command.invocations[0]?.status).toBe('Success'), { timeout: 10_000 });
    expect(command.invocations[0]?.steps[1]?.stdout).toBe('of the host');
    const client = new SSMClient(cloud.clientOptions);
    const { Content } = await client.send(new GetDocumentCommand({ Name: document.name }));
    expect(Content).toContain('https://s3.eu-west-1.amazonaws.com/cdk-');
    client.destroy();
  });

  it('does not let a host reach what its policy does not name', async () => {
    const host = cloud.runCommand.hosts.get('i-0123456789abcdef0');
    const client = new S3Client({
      ...cloud.clientOptions,
      credentials: host?.credentials,
      forcePathStyle: true,
    });
    const get = new GetObjectCommand({ Bucket: outputs['Bucket'], Key: 'from-schedule' });
    await expect(client.send(get)).rejects.toThrow(expect.objectContaining({ name: 'AccessDenied' }));
    const put = new PutObjectCommand({ Bucket: outputs['Bucket'], Key: 'mine', Body: 'x' });
    await expect(client.send(put)).rejects.toThrow(expect.objectContaining({ name: 'AccessDenied' }));
    client.destroy();
  });

  it('says what it recorded and does not enforce', () => {
    expect(cloud.stacks.recordedOnly).toContain('AWS::IAM::ManagedPolicy.Description');
    expect(cloud.stacks.recordedOnly).not.toContain('AWS::Lambda::Function.Timeout');
  });
});

describe('a template is refused', () => {
  let count = 0;
  async function deploy(resources: object, more: object = {}): Promise<unknown> {
    const assembly = join(directory, `by-hand-${++count}`);
    await mkdir(assembly);
    const name = `ByHand${count}`;
    const properties = { templateFile: 'template.json' };
    const manifest = {
      version: '1',
      artifacts: { [name]: { type: 'aws:cloudformation:stack', properties } },
    };
    await writeFile(join(assembly, 'manifest.json'), JSON.stringify(manifest));
    await writeFile(join(assembly, 'template.json'), JSON.stringify({ Resources: resources, ...more }));
    return cloud.deploy(assembly);
  }
  const topic = (properties: object) => ({ Topic: { Type: 'AWS::SNS::Topic', Properties: properties } });

  it.each([
    ['an unknown type', { It: { Type: 'AWS::EC2::VPC' } }, {}, /It \(AWS::EC2::VPC\).*does not implement/],
    ['an unknown property', topic({ FifoTopic: true }), {}, /Topic \(AWS::SNS::Topic\).*"FifoTopic"/],
    [
      'a wrong property',
      { Q: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 7 } } },
      {},
      /QueueName.*expected string/,
    ],
    [
      'an unknown function',
      topic({ TopicName: { 'Fn::ImportValue': 'x' } }),
      {},
      /Fn::ImportValue is not implemented/,
    ],
    ['an unknown reference', topic({ TopicName: { Ref: 'Nothing' } }), {}, /Ref Nothing/],
    ['a section that matters', topic({}), { Transform: 'AWS::Serverless-2016-10-31' }, /Transform/],
    [
      'a nested property',
      { Alias: { Type: 'AWS::Lambda::Permission', Properties: { Action: 'lambda:*' } } },
      {},
      /Action/,
    ],
  ])('for %s, by name', async (_what, resources, more, message) => {
    await expect(deploy(resources, more)).rejects.toThrow(message);
  });

  it('but not for a resource whose condition is false', async () => {
    const conditional = { It: { Type: 'AWS::EC2::VPC', Condition: 'Never' }, ...topic({ DisplayName: 'x' }) };
    const conditions = { Conditions: { Never: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'elsewhere'] } } };
    await expect(deploy(conditional, conditions)).resolves.toHaveLength(1);
  });
});

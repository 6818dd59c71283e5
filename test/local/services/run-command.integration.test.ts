// Run Command as its clients see it, with documents that really run on a host's directory.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelCommandCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  type GetCommandInvocationCommandOutput,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LocalHost } from '../../../local/hosts/host.ts';
import { processesOf } from '../../../local/hosts/processes.ts';
import { documentContent } from '../../../local/hosts/ssm-document.ts';
import { ssmService } from '../../../local/services/ssm.ts';
import { RunCommand } from '../../../local/services/ssm-commands.ts';
import { fakeS3, type SmallCloud, startSmallCloud } from './small-cloud.ts';

const INSTANCE = 'i-0123456789abcdef0';
const SLOW_INSTANCE = 'i-0123456789abcdef1';
const runCommand = new RunCommand();
const denied = new Set<string>();
let cloud: SmallCloud;
let host: LocalHost;
let client: SSMClient;
let directory: string;
/** Begun before all others on a host of its own: five seconds is the shortest time that a document may give. */
let timingOut: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-hosts-'));
  cloud = await startSmallCloud({
    decide: (_caller, _action, resource) => ({ allowed: !denied.has(resource), reason: 'the test says so' }),
  });
  cloud.register(ssmService(runCommand));
  cloud.register(fakeS3(new Map([['assets/bundle.txt', 'from the bucket']])));
  client = new SSMClient(cloud.clientOptions);
  host = await addHost(INSTANCE);
  runDocument('script', ['{{ command }}'], { command: { type: 'String', allowedPattern: '[ -~]{0,200}' } });
  runDocument('slow', ['sleep 300'], {}, { timeoutSeconds: 5 });
  await addHost(SLOW_INSTANCE);
  timingOut = await send('slow', {}, SLOW_INSTANCE);
});
afterAll(async () => {
  client.destroy();
  for (const each of runCommand.hosts.values()) await each.close();
  await cloud.close();
  await rm(directory, { recursive: true });
});

async function addHost(instanceId: string): Promise<LocalHost> {
  const created = await LocalHost.create({
    instanceId,
    instanceArn: `arn:aws:ec2:eu-west-1:111122223333:instance/${instanceId}`,
    tags: { 'cassandra-cluster': 'demo' },
    directory,
    endpointUrl: cloud.endpointUrl,
    region: 'eu-west-1',
    credentials: cloud.operator,
    restorable: ['demo'],
  });
  runCommand.hosts.set(instanceId, created);
  return created;
}

function addDocument(name: string, content: object): void {
  const contentJson = JSON.stringify({ schemaVersion: '2.2', ...content });
  const arn = `arn:aws:ssm:eu-west-1:111122223333:document/${name}`;
  const parsed = documentContent.parse(JSON.parse(contentJson));
  runCommand.documents.set(name, { name, arn, content: parsed, contentJson, createdAt: new Date() });
}

function runDocument(
  name: string,
  runCommandLines: string[],
  parameters: object = {},
  inputs: object = {},
): void {
  const step = {
    action: 'aws:runShellScript',
    name: 'run',
    inputs: { runCommand: runCommandLines, ...inputs },
  };
  addDocument(name, { parameters, mainSteps: [step] });
}

async function send(
  document: string,
  parameters: Record<string, string[]> = {},
  instanceId = INSTANCE,
): Promise<string> {
  const sent = await client.send(
    new SendCommandCommand({ DocumentName: document, InstanceIds: [instanceId], Parameters: parameters }),
  );
  return sent.Command?.CommandId ?? '';
}

const run = (command: string) => send('script', { command: [command] });

function look(
  CommandId: string,
  PluginName?: string,
  InstanceId = INSTANCE,
): Promise<GetCommandInvocationCommandOutput> {
  return client.send(new GetCommandInvocationCommand({ CommandId, InstanceId, PluginName }));
}

function until(
  commandId: string,
  status: string,
  pluginName?: string,
  instanceId = INSTANCE,
): Promise<GetCommandInvocationCommandOutput> {
  return vi.waitFor(
    async () => {
      const seen = await look(commandId, pluginName, instanceId);
      expect(seen.Status, JSON.stringify(seen)).toBe(status);
      return seen;
    },
    { timeout: 15_000, interval: 50 },
  );
}

describe('a command', () => {
  it('is not known right after it was sent, then tells output and exit code', async () => {
    const commandId = await run('echo out; echo err >&2; exit 7');
    await expect(look(commandId)).rejects.toThrow(
      expect.objectContaining({ name: 'InvocationDoesNotExist' }),
    );
    const seen = await until(commandId, 'Failed');
    expect(seen).toMatchObject({ ResponseCode: 7, StandardOutputContent: 'out\n', DocumentName: 'script' });
    expect(seen.StandardErrorContent).toContain('err\n');
  });

  it('runs with the host’s own executables, root and credentials, and with nothing of this process', async () => {
    process.env['RINGVAULT_STRAY'] = 'must not be seen';
    host.environment = { RINGVAULT_FAIL_POINT: 'upload.object:kill' };
    const seen = await until(await run('command -v nodetool; env'), 'Success');
    host.environment = {};
    const [nodetool, ...environment] = (seen.StandardOutputContent ?? '').split('\n');
    expect(nodetool).toBe(join(host.root, 'bin/nodetool'));
    expect(environment).toContain(`RINGVAULT_HOST_ROOT=${host.root}`);
    expect(environment).toContain(`AWS_SSM_INSTANCE_ID=${INSTANCE}`);
    expect(environment).toContain('RINGVAULT_FAIL_POINT=upload.object:kill');
    expect(environment).toContain(`AWS_ACCESS_KEY_ID=${cloud.operator.accessKeyId}`);
    expect(environment.join()).not.toContain('RINGVAULT_STRAY');
  });

  it('takes a first line that names bash', async () => {
    runDocument('bash', ['#!/bin/bash', '[[ abc == a* ]] && echo yes']);
    expect((await until(await send('bash'), 'Success')).StandardOutputContent).toBe('yes\n');
  });

  it('keeps 24,000 characters of output and 8,000 of errors', async () => {
    const seen = await until(await run('head -c 30000 /dev/zero | tr "\\0" x | tee /dev/stderr'), 'Success');
    expect(seen.StandardOutputContent).toHaveLength(24_000);
    expect(seen.StandardErrorContent).toHaveLength(8_000);
  });

  it('ends when its script ends, though a detached child lives on with its output open', async () => {
    await until(await run('setsid sleep 300 & echo launched'), 'Success');
    expect(await processesOf(host.root)).not.toEqual([]);
    await host.kill();
    expect(await processesOf(host.root)).toEqual([]);
    host.connect();
  });

  it('is killed with its process group when it is cancelled', async () => {
    const commandId = await run('sleep 300 & sleep 300');
    await until(commandId, 'InProgress');
    await client.send(new CancelCommandCommand({ CommandId: commandId }));
    await until(commandId, 'Cancelled');
    expect(await processesOf(host.root)).toEqual([]);
  });

  it('waits for a host that is offline', async () => {
    host.disconnect();
    const commandId = await run('echo late');
    await until(commandId, 'Pending');
    host.connect();
    expect(await until(commandId, 'Success')).toMatchObject({ StandardOutputContent: 'late\n' });
  });

  it('holds one of five workers while it runs', async () => {
    const waiting = await Promise.all(Array.from({ length: 5 }, () => run('sleep 300')));
    await Promise.all(waiting.map((each) => until(each, 'InProgress')));
    const sixth = await run('true');
    await until(sixth, 'Pending');
    await client.send(new CancelCommandCommand({ CommandId: waiting[0] }));
    await until(sixth, 'Success');
    for (const CommandId of waiting) await client.send(new CancelCommandCommand({ CommandId }));
    await Promise.all(waiting.map((each) => until(each, 'Cancelled')));
  });

  it('runs twice when it is delivered twice', async () => {
    const commandId = await run(`echo again >> ${join(directory, 'delivered')}`);
    await until(commandId, 'Success');
    const second = runCommand.redeliver(commandId, INSTANCE);
    await vi.waitFor(() => expect(second.status).toBe('Success'));
    expect(await readFile(join(directory, 'delivered'), 'utf8')).toBe('again\nagain\n');
  });

  it('times out as its document says', async () => {
    const seen = await until(timingOut, 'TimedOut', undefined, SLOW_INSTANCE);
    expect(seen).toMatchObject({ StatusDetails: 'ExecutionTimedOut' });
  });
});

describe('a document of several steps', () => {
  const download = (path: string, inputs: object = {}) => ({
    action: 'aws:downloadContent',
    name: 'fetch',
    inputs: {
      sourceType: 'S3',
      sourceInfo: { path: `https://s3.eu-west-1.amazonaws.com/${path}` },
      ...inputs,
    },
  });
  const script = { action: 'aws:runShellScript', name: 'run', inputs: { runCommand: ['cat bundle.txt'] } };

  it('finds the object that it downloaded in its working directory', async () => {
    addDocument('fetching', { mainSteps: [download('assets/bundle.txt'), script] });
    const commandId = await send('fetching');
    const seen = await until(commandId, 'Success', 'run');
    expect(seen.StandardOutputContent).toBe('from the bucket');
    await expect(look(commandId)).rejects.toThrow(expect.objectContaining({ name: 'InvalidPluginName' }));
    const listed = await client.send(
      new ListCommandInvocationsCommand({ CommandId: commandId, Details: true }),
    );
    expect(listed.CommandInvocations?.[0]?.CommandPlugins?.map((each) => each.Name)).toEqual([
      'fetch',
      'run',
    ]);
  });

  it('goes on after a failed step, as the agent does, unless the step says exit', async () => {
    addDocument('missing', {
      mainSteps: [download('assets/none'), { ...script, inputs: { runCommand: ['echo on'] } }],
    });
    expect(await until(await send('missing'), 'Success', 'run')).toMatchObject({
      StandardOutputContent: 'on\n',
    });
    addDocument('exits', { mainSteps: [download('assets/none', { onFailure: 'exit' }), script] });
    const commandId = await send('exits');
    await until(commandId, 'Failed', 'fetch');
    const seen = await vi.waitFor(async () => await until(commandId, 'Success', 'run'));
    expect(seen.StandardOutputContent).toBe('Step execution skipped');
  });
});

describe('SendCommand refuses', () => {
  const refused = (name: string) => expect.objectContaining({ name });

  it('parameters that the document does not allow', async () => {
    for (const parameters of [
      { command: ['new\nline'] },
      { command: ['ends with a newline\n'] },
      { unknown: ['x'] },
      {},
    ]) {
      const got = send('script', parameters as Record<string, string[]>);
      await expect(got, JSON.stringify(parameters)).rejects.toThrow(refused('InvalidParameters'));
    }
  });

  it('unknown documents and instances', async () => {
    await expect(send('nothing')).rejects.toThrow(refused('InvalidDocument'));
    const toNobody = new SendCommandCommand({ DocumentName: 'script', InstanceIds: ['i-00000000000000000'] });
    await expect(client.send(toNobody)).rejects.toThrow(refused('InvalidInstanceId'));
  });

  it('who may not use the document, or the instance', async () => {
    for (const arn of ['arn:aws:ssm:eu-west-1:111122223333:document/script', host.instanceArn]) {
      denied.add(arn);
      await expect(run('true')).rejects.toThrow(refused('AccessDeniedException'));
      denied.delete(arn);
    }
  });
});

it('DescribeInstanceInformation finds hosts by tag, page by page, and tells who is online', async () => {
  for (let index = 1; index <= 4; index++) await addHost(`i-0123456789abcde0${index}`);
  runCommand.hosts.get('i-0123456789abcde01')?.disconnect();
  const found: Array<string | undefined> = [];
  let NextToken: string | undefined;
  do {
    const Filters = [{ Key: 'tag:cassandra-cluster', Values: ['demo'] }];
    const page = await client.send(
      new DescribeInstanceInformationCommand({ Filters, MaxResults: 5, NextToken }),
    );
    found.push(...(page.InstanceInformationList ?? []).map((each) => each.PingStatus));
    NextToken = page.NextToken;
  } while (NextToken);
  expect(found).toHaveLength(6);
  expect(found.filter((each) => each === 'ConnectionLost')).toHaveLength(1);
  const none = await client.send(
    new DescribeInstanceInformationCommand({
      Filters: [{ Key: 'tag:cassandra-cluster', Values: ['other'] }],
    }),
  );
  expect(none.InstanceInformationList).toEqual([]);
});

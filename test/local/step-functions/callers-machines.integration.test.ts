// State machines that callers create, with the SDK and the unmodified aws CLI, and functions at an outside Lambda endpoint.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  SFNClient,
  StartExecutionCommand,
  UpdateStateMachineCommand,
  ValidateStateMachineDefinitionCommand,
} from '@aws-sdk/client-sfn';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { sharedStorage } from '../../shared/shared.ts';
import { functionArn } from './bench.ts';

/** Status 0: the connection is cut. */
type Answer = { status?: number; headers?: Record<string, string>; body?: string };

const OUTSIDE_ROLE = 'arn:aws:iam::111122223333:role/of-a-suite';
const KNOWN_ROLE = 'arn:aws:iam::111122223333:role/known';

let directory: string;
let lambda: Server;
let cloud: Cloud;
let strict: Cloud;
let client: SFNClient;
/** By name; what is not here has no function. */
let functions: Record<string, (payload: Record<string, unknown>, qualifier: string | null) => Answer>;
let invoked: string[];
let number = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-callers-'));
  lambda = createServer((request, response) => void playLambda(request, response));
  await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve));
  const { port } = lambda.address() as AddressInfo;
  cloud = await start('outside', `http://127.0.0.1:${port}`);
  strict = await start('strict');
  client = new SFNClient({ ...cloud.clientOptions, maxAttempts: 1 });
});
afterAll(async () => {
  client.destroy();
  await cloud.close();
  await strict.close();
  lambda.closeAllConnections();
  await new Promise((resolve) => lambda.close(resolve));
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  functions = {};
  invoked = [];
});

async function start(name: string, lambdaEndpoint?: string): Promise<Cloud> {
  const started = await startCloud({
    stateDirectory: join(directory, name),
    servers: await sharedStorage(),
    onError: (error) => console.error(error),
    ...(lambdaEndpoint !== undefined && { lambdaEndpoint }),
  });
  const Principal = { Service: 'states.amazonaws.com' };
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }],
  };
  started.roles.create({ arn: KNOWN_ROLE, name: 'known', trust });
  started.roles.putInlinePolicy('known', 'invoke', {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: functionArn('allowed') }],
  });
  return started;
}

/** Lambda's own protocol, and nothing of the SDK. */
async function playLambda(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://lambda');
  const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(pathname)?.[1] ?? pathname;
  invoked.push(name);
  const run = functions[name];
  const {
    status = 200,
    headers = {},
    body = '',
  } = run
    ? run(JSON.parse(await text(request)), searchParams.get('Qualifier'))
    : refusal(404, 'ResourceNotFoundException');
  if (status === 0) request.socket.destroy();
  else response.writeHead(status, headers).end(body);
}

function refusal(status: number, errorType: string): Answer {
  return { status, headers: { 'x-amzn-errortype': errorType }, body: JSON.stringify({ Message: errorType }) };
}
function functionError(payload: unknown): Answer {
  return { headers: { 'x-amz-function-error': 'Unhandled' }, body: JSON.stringify(payload) };
}

function invoke(FunctionName: string, more: Record<string, unknown> = {}) {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName, Payload: '{% $states.input %}' },
    Output: '{% $states.result.Payload %}',
    ...(!('Next' in more) && { End: true }),
    ...more,
  };
}
const definitionOf = (States: Record<string, unknown>) =>
  JSON.stringify({ QueryLanguage: 'JSONata', StartAt: Object.keys(States)[0], States });
const waiting = definitionOf({ Wait: { Type: 'Wait', Seconds: 3600, End: true } });

async function create(definition: string, roleArn = OUTSIDE_ROLE, name = `machine-${++number}`) {
  const { stateMachineArn } = await client.send(new CreateStateMachineCommand({ name, definition, roleArn }));
  return stateMachineArn ?? '';
}

async function run(states: Record<string, unknown>, input: unknown = {}, roleArn = OUTSIDE_ROLE) {
  const stateMachineArn = await create(definitionOf(states), roleArn);
  const { executionArn } = await client.send(
    new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
  );
  return vi.waitFor(
    async () => {
      const described = await client.send(new DescribeExecutionCommand({ executionArn }));
      expect(described.status).not.toBe('RUNNING');
      const { status, output, error, cause } = described;
      return { status, output: output && JSON.parse(output), error, cause };
    },
    { timeout: 20_000 },
  );
}

describe('functions at an outside endpoint', () => {
  it('are invoked by each item of a Map, their own errors caught and retried by name', async () => {
    let refusals = 1;
    functions['square'] = ({ n }) => {
      if (n === 3 && refusals-- > 0) return refusal(429, 'TooManyRequestsException');
      if (n === 4) return functionError({ errorType: 'TooLarge', errorMessage: 'four', trace: [] });
      return { body: JSON.stringify(Number(n) ** 2) };
    };
    const square = invoke(functionArn('square'), {
      Retry: [{ ErrorEquals: ['Lambda.TooManyRequestsException'], IntervalSeconds: 1, MaxAttempts: 1 }],
      Catch: [{ ErrorEquals: ['TooLarge'], Next: 'Told', Output: '{% $parse($states.errorOutput.Cause) %}' }],
    });
    const each = {
      Type: 'Map',
      Items: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }],
      ItemProcessor: {
        StartAt: 'Square',
        States: {
          Square: square,
          Told: { Type: 'Pass', Output: '{% $states.input.errorMessage %}', End: true },
        },
      },
      End: true,
    };
    expect(await run({ Each: each })).toMatchObject({ status: 'SUCCEEDED', output: [1, 4, 9, 'four'] });
    expect(invoked).toHaveLength(5);
  });

  it('are asked for by name, with the version or alias as the qualifier', async () => {
    functions['work'] = (_, qualifier) => ({ body: JSON.stringify(qualifier) });
    expect(await run({ Work: invoke('work:live') })).toMatchObject({ output: 'live' });
    expect(await run({ Work: invoke(`${functionArn('work')}:7`) })).toMatchObject({ output: '7' });
    expect(await run({ Work: invoke('111122223333:function:work') })).toMatchObject({ output: null });
  });

  it.each<[string, Answer | undefined]>([
    ['Lambda.ResourceNotFoundException', undefined],
    ['Lambda.ServiceException', refusal(500, 'ServiceException')],
    ['Lambda.EC2ThrottledException', refusal(502, 'EC2ThrottledException')],
    ['Lambda.AWSLambdaException', refusal(403, 'AccessDeniedException')],
    ['Lambda.TooManyRequestsException', { status: 429, body: 'busy' }],
    ['Lambda.ServiceException', { status: 503 }],
    ['Lambda.ServiceException', { status: 500, body: '<html>' }],
    ['Lambda.AWSLambdaException', { status: 400, body: '{}' }],
    ['Lambda.SdkClientException', { status: 0 }],
    ['Lambda.Unknown', functionError({ errorMessage: 'Task timed out after 3.00 seconds' })],
    ['Lambda.Unknown', { body: 'no JSON' }],
  ])('fail with %s', async (error, answer) => {
    if (answer) functions['work'] = () => answer;
    expect(await run({ Work: invoke('work') })).toMatchObject({ status: 'FAILED', error });
    expect(invoked).toEqual(['work']);
  });
});

describe('the role of a state machine that a caller creates', () => {
  it('is evaluated where it is known, for outside functions too', async () => {
    functions['allowed'] = functions['other'] = () => ({ body: '"ran"' });
    expect(await run({ Work: invoke('allowed') }, {}, KNOWN_ROLE)).toMatchObject({ output: 'ran' });
    const refused = await run({ Work: invoke('other') }, {}, KNOWN_ROLE);
    expect(refused).toMatchObject({ error: 'Lambda.AWSLambdaException' });
    expect(refused.cause).toContain('no policy of role known allows it');
    expect(invoked).toEqual(['allowed']);
  });

  it('that is not known may do nothing but invoke outside functions', async () => {
    const Resource = 'arn:aws:states:::states:startExecution';
    const StateMachineArn = await create(waiting);
    const startAnother = { Type: 'Task', Resource, Arguments: { StateMachineArn }, End: true };
    expect(await run({ Start: startAnother })).toMatchObject({
      error: 'StepFunctions.AWSStepFunctionsException',
      cause: expect.stringContaining(`there is no role ${OUTSIDE_ROLE}`),
    });
    cloud.functions.create({
      name: 'deployed',
      arn: functionArn('deployed'),
      roleArn: KNOWN_ROLE,
      runtime: 'nodejs24.x',
      handler: 'index.handler',
      directory,
      timeoutSeconds: 3,
      memoryMegabytes: 128,
      environment: {},
      logGroup: 'deployed',
    });
    for (const name of ['deployed', functionArn('deployed'), `${functionArn('deployed')}:$LATEST`]) {
      expect(await run({ Work: invoke(name) })).toMatchObject({
        error: 'Lambda.AWSLambdaException',
        cause: expect.stringContaining(`there is no role ${OUTSIDE_ROLE}`),
      });
    }
    expect(invoked).toEqual([]);
  });

  it('must be known and trust Step Functions where no outside endpoint is given', async () => {
    const inside = new SFNClient({ ...strict.clientOptions, maxAttempts: 1 });
    const request = { name: 'machine', definition: waiting };
    await expect(
      inside.send(new CreateStateMachineCommand({ ...request, roleArn: OUTSIDE_ROLE })),
    ).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('there is no role'),
    });
    await inside.send(new CreateStateMachineCommand({ ...request, roleArn: KNOWN_ROLE }));
    inside.destroy();
  });

  it('must be one that the caller may pass', async () => {
    const statements = (...Action: string[]) => ({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
    });
    const roleArn = 'arn:aws:iam::111122223333:role/creator';
    cloud.roles.create({ arn: roleArn, name: 'creator', trust: { Version: '2012-10-17', Statement: [] } });
    cloud.roles.putInlinePolicy('creator', 'create', statements('states:CreateStateMachine'));
    const caller = { arn: 'arn:aws:sts::111122223333:assumed-role/creator/1', roleArn };
    const credentials = cloud.endpoint.identities.issue(caller);
    const creator = new SFNClient({ ...cloud.clientOptions, credentials, maxAttempts: 1 });
    const command = new CreateStateMachineCommand({
      name: 'passed',
      definition: waiting,
      roleArn: KNOWN_ROLE,
    });
    await expect(creator.send(command)).rejects.toThrow('iam:PassRole');
    cloud.roles.putInlinePolicy('creator', 'pass', statements('iam:PassRole'));
    await creator.send(command);
    creator.destroy();
  });
});

describe('a state machine', () => {
  it('created again is the same one, unless its definition differs', async () => {
    const stateMachineArn = await create(waiting, OUTSIDE_ROLE, 'again');
    expect(await create(waiting, KNOWN_ROLE, 'again')).toBe(stateMachineArn);
    expect(await client.send(new DescribeStateMachineCommand({ stateMachineArn }))).toMatchObject({
      roleArn: OUTSIDE_ROLE,
    });
    await expect(create(`${waiting} `, OUTSIDE_ROLE, 'again')).rejects.toMatchObject({
      name: 'StateMachineAlreadyExists',
    });
  });

  it('that is updated starts its next execution under the new definition', async () => {
    const stateMachineArn = await create(waiting);
    const before = await client.send(new StartExecutionCommand({ stateMachineArn }));
    const definition = definitionOf({ Done: { Type: 'Succeed', Output: 'new' } });
    const { revisionId } = await client.send(new UpdateStateMachineCommand({ stateMachineArn, definition }));
    const described = await client.send(new DescribeStateMachineCommand({ stateMachineArn }));
    expect(described).toMatchObject({ definition, revisionId, roleArn: OUTSIDE_ROLE });
    const after = await client.send(new StartExecutionCommand({ stateMachineArn }));
    await vi.waitFor(async () =>
      expect(await client.send(new DescribeExecutionCommand(after))).toMatchObject({ output: '"new"' }),
    );
    expect(await client.send(new DescribeExecutionCommand(before))).toMatchObject({ status: 'RUNNING' });
  });

  it('that is deleted is gone with what ran of it, once and again', async () => {
    const stateMachineArn = await create(waiting);
    const started = await client.send(new StartExecutionCommand({ stateMachineArn }));
    await client.send(new DeleteStateMachineCommand({ stateMachineArn }));
    await client.send(new DeleteStateMachineCommand({ stateMachineArn }));
    expect(await client.send(new DescribeExecutionCommand(started))).toMatchObject({
      status: 'ABORTED',
      cause: 'The state machine was deleted',
    });
    await expect(client.send(new StartExecutionCommand({ stateMachineArn }))).rejects.toMatchObject({
      name: 'StateMachineDoesNotExist',
    });
  });

  it.each([
    ['InvalidName', { name: 'two words' }],
    ['InvalidDefinition', { definition: '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}' }],
    ['InvalidArn', { roleArn: 'nobody' }],
    ['StateMachineTypeNotSupported', { type: 'EXPRESS' as const }],
    ['ValidationException', { publish: true }],
    ['ValidationException', { loggingConfiguration: { level: 'ALL' as const } }],
    ['ValidationException', { tracingConfiguration: { enabled: true } }],
  ])('is refused with %s for %j', async (name, more) => {
    const request = { name: 'refused', definition: waiting, roleArn: OUTSIDE_ROLE, ...more };
    await expect(client.send(new CreateStateMachineCommand(request))).rejects.toMatchObject({ name });
  });

  it.each([
    [
      'StateMachineDoesNotExist',
      'arn:aws:states:eu-west-1:111122223333:stateMachine:none',
      { definition: waiting },
    ],
    ['InvalidArn', 'arn:aws:states:eu-west-1:111122223333:stateMachine:one:1', { definition: waiting }],
    ['MissingRequiredParameter', 'arn:aws:states:eu-west-1:111122223333:stateMachine:none', {}],
  ])('is not updated: %s', async (name, stateMachineArn, change) => {
    await expect(
      client.send(new UpdateStateMachineCommand({ stateMachineArn, ...change })),
    ).rejects.toMatchObject({ name });
  });

  it('is told of every fault before it is made', async () => {
    const definition = definitionOf({ A: { Type: 'Pass', Next: 'B' }, C: { Type: 'Pass' } });
    const { result, diagnostics, truncated } = await client.send(
      new ValidateStateMachineDefinitionCommand({ definition, maxResults: 1 }),
    );
    expect([result, diagnostics?.length, truncated]).toEqual(['FAIL', 1, true]);
    expect(diagnostics?.[0]?.message).toContain('there is no state "B"');
    expect(
      await client.send(new ValidateStateMachineDefinitionCommand({ definition: waiting })),
    ).toMatchObject({ result: 'OK', diagnostics: [] });
  });
});

it('serves the aws CLI', { timeout: 120_000 }, async () => {
  functions['greet'] = ({ name }) => ({ body: JSON.stringify(`hello ${name}`) });
  const aws = async (...words: string[]) => {
    const env = { ...cloud.environment, AWS_PAGER: '' };
    const { stdout } = await execa('aws', ['stepfunctions', ...words, '--output', 'json'], { env });
    return stdout === '' ? undefined : JSON.parse(stdout);
  };
  const definition = definitionOf({ Greet: invoke(functionArn('greet')) });
  const made = ['--name', 'from-the-cli', '--role-arn', OUTSIDE_ROLE, '--definition', definition];
  const { stateMachineArn } = await aws('create-state-machine', ...made);
  const machine = ['--state-machine-arn', stateMachineArn];
  const { executionArn } = await aws('start-execution', ...machine, '--input', '{"name":"Ada"}');
  await vi.waitFor(async () => {
    const { status } = await client.send(new DescribeExecutionCommand({ executionArn }));
    expect(status).not.toBe('RUNNING');
  });
  expect(await aws('describe-execution', '--execution-arn', executionArn)).toMatchObject({
    status: 'SUCCEEDED',
    output: '"hello Ada"',
  });
  expect(await aws('describe-state-machine', ...machine)).toMatchObject({ definition, status: 'ACTIVE' });
  await aws('delete-state-machine', ...machine);
  await expect(client.send(new DescribeStateMachineCommand({ stateMachineArn }))).rejects.toMatchObject({
    name: 'StateMachineDoesNotExist',
  });
});

// The endpoint's promises for any service: who is let in, and how each protocol answers and refuses.

import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateScheduleCommand, GetScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { GetTopicAttributesCommand, SNSClient } from '@aws-sdk/client-sns';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { OPERATOR } from '../../../local/endpoint/identities.ts';
import { RestAnswer, ServiceError } from '../../../local/endpoint/service.ts';
import { operation } from '../../../local/services/operation.ts';
import { refusalOf, startTestServer, type TestServer } from './endpoint.ts';

const roleArn = 'arn:aws:iam::111122223333:role/reader';
const role = { arn: 'arn:aws:sts::111122223333:assumed-role/reader/s', roleArn };
let now = () => new Date();
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ now: () => now() });
  server.authorizer.putRole({
    arn: roleArn,
    name: 'reader',
    inlinePolicies: {},
    managedPolicies: {},
    trust: {},
  });
  server.register({
    protocol: 'json',
    signingName: 'states',
    targetPrefix: 'AWSStepFunctions',
    jsonVersion: '1.0',
    operations: {
      ListExecutions: operation(z.strictObject({ stateMachineArn: z.string() }), async (input, context) => {
        if (input.stateMachineArn === 'broken') throw new TypeError('a defect');
        context.authorize('states:ListExecutions', input.stateMachineArn);
        if (input.stateMachineArn === 'none')
          throw new ServiceError('StateMachineDoesNotExist', 'no machine');
        return { executions: [{ name: 'one', startDate: new Date(1_700_000_000_500) }] };
      }),
    },
  });
  server.register({
    protocol: 'query',
    signingName: 'sns',
    xmlNamespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
    operations: {
      GetTopicAttributes: operation(
        z.strictObject({ TopicArn: z.string() }),
        async ({ TopicArn }, context) => {
          context.authorize('sns:GetTopicAttributes', TopicArn);
          if (TopicArn === 'none') throw new ServiceError('NotFound', 'no topic', 404);
          return { Attributes: new Map([['DisplayName', 'a & <b> "c"']]) };
        },
      ),
    },
  });
  server.register({
    protocol: 'rest-json',
    signingName: 'scheduler',
    routes: [
      {
        method: 'GET',
        path: '/schedules/{Name}',
        operation: 'GetSchedule',
        ...operation(
          z.strictObject({ Name: z.string(), groupName: z.string().optional() }),
          async (input) => {
            if (input.Name === 'none')
              throw new ServiceError('ResourceNotFoundException', 'no schedule', 404);
            return { Name: input.Name, GroupName: input.groupName };
          },
        ),
      },
    ],
  });
  server.register({
    protocol: 'rest-json',
    signingName: 'lambda',
    routes: [
      {
        method: 'POST',
        path: '/2015-03-31/functions/{FunctionName}/invocations',
        operation: 'Invoke',
        rawPayload: true,
        ...operation(
          z.object({ FunctionName: z.string(), payload: z.instanceof(Buffer) }),
          async ({ FunctionName, payload }) =>
            new RestAnswer(200, { 'x-amz-function-error': 'Unhandled' }, `${FunctionName} ${payload}`),
        ),
      },
    ],
  });
});
afterAll(() => server.close());

const operator = () => server.configuration();
/** Keys that somebody made up, or has changed. */
const forged = (credentials: { accessKeyId: string; secretAccessKey: string }) =>
  server.configuration(OPERATOR, { sessionToken: '', ...credentials });
const list = (client: SFNClient, stateMachineArn = 'machine') =>
  client.send(new ListExecutionsCommand({ stateMachineArn }));

describe('callers', () => {
  it('with credentials that were issued are let in', async () => {
    const { executions } = await list(new SFNClient(operator()));
    expect(executions?.[0]?.startDate).toEqual(new Date(1_700_000_000_500));
  });

  it('with an unknown key are refused in each protocol’s words', async () => {
    const unknown = forged({ accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' });
    expect(await refusalOf(list(new SFNClient(unknown)))).toMatchObject({
      name: 'UnrecognizedClientException',
    });
    const sns = new SNSClient(unknown);
    expect(await refusalOf(sns.send(new GetTopicAttributesCommand({ TopicArn: 'a' })))).toMatchObject({
      name: 'InvalidClientTokenId',
    });
  });

  it('with another secret than was issued are refused', async () => {
    const { accessKeyId } = server.identities.issue(OPERATOR);
    const guess = forged({ accessKeyId, secretAccessKey: 'guess' });
    expect(await refusalOf(list(new SFNClient(guess)))).toMatchObject({ name: 'InvalidSignatureException' });
  });

  it('that leave out a role’s session token are refused', async () => {
    const { accessKeyId, secretAccessKey } = server.identities.issue(role);
    const bare = forged({ accessKeyId, secretAccessKey });
    expect(await refusalOf(list(new SFNClient(bare)))).toMatchObject({ name: 'InvalidToken' });
  });

  it('whose credentials have expired are refused', async () => {
    const expired = server.identities.issue(role, { expiresAt: new Date(Date.now() - 1) });
    expect(await refusalOf(list(new SFNClient(server.configuration(role, expired))))).toMatchObject({
      name: 'ExpiredTokenException',
    });
  });

  it('whose clock is far off are refused', async () => {
    const client = new SFNClient(operator());
    now = () => new Date(Date.now() + 20 * 60_000);
    const refusal = await refusalOf(list(client)).finally(() => {
      now = () => new Date();
    });
    expect(refusal).toMatchObject({ name: 'RequestExpired' });
  });

  it('that do not sign are refused', async () => {
    const answer = await fetch(server.url, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('date')).not.toBeNull();
  });

  it('without a permission are refused with the reason', async () => {
    const client = new SFNClient(server.configuration(role));
    expect(await refusalOf(list(client))).toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining(
        'states:ListExecutions on resource: machine: no policy of role reader',
      ),
    });
    const sns = new SNSClient(server.configuration(role));
    expect(await refusalOf(sns.send(new GetTopicAttributesCommand({ TopicArn: 'a' })))).toMatchObject({
      name: 'AuthorizationErrorException',
      status: 403,
    });
  });
});

describe('protocols', () => {
  it('JSON tells modelled errors, wrong input, defects and what is not implemented apart', async () => {
    const client = new SFNClient(operator());
    expect(await refusalOf(list(client, 'none'))).toMatchObject({
      name: 'StateMachineDoesNotExist',
      status: 400,
    });
    expect(await refusalOf(list(client, 'broken'))).toMatchObject({ name: 'InternalFailure', status: 500 });
    const extra = client.send(new ListExecutionsCommand({ stateMachineArn: 'a', statusFilter: 'RUNNING' }));
    expect(await refusalOf(extra)).toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining('statusFilter'),
    });
  });

  it('query XML carries any text', async () => {
    const client = new SNSClient(operator());
    const { Attributes } = await client.send(new GetTopicAttributesCommand({ TopicArn: 'a' }));
    expect(Attributes).toEqual({ DisplayName: 'a & <b> "c"' });
    expect(await refusalOf(client.send(new GetTopicAttributesCommand({ TopicArn: 'none' })))).toMatchObject({
      name: 'NotFoundException',
      status: 404,
    });
  });

  it('REST-JSON takes names from the path, the query and raw payloads', async () => {
    const client = new SchedulerClient(operator());
    const got = await client.send(new GetScheduleCommand({ Name: 'a b', GroupName: 'g' }));
    expect(got).toMatchObject({ Name: 'a b', GroupName: 'g' });
    expect(await refusalOf(client.send(new GetScheduleCommand({ Name: 'none' })))).toMatchObject({
      name: 'ResourceNotFoundException',
      status: 404,
    });
    const lambda = new LambdaClient(operator());
    const answer = await lambda.send(new InvokeCommand({ FunctionName: 'f', Payload: Buffer.from('[1]') }));
    expect(Buffer.from(answer.Payload ?? []).toString()).toBe('f [1]');
    expect(answer.FunctionError).toBe('Unhandled');
  });

  it('refuse by name what they do not implement', async () => {
    const create = new CreateScheduleCommand({
      Name: 'a',
      ScheduleExpression: 'rate(1 day)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: 'a', RoleArn: 'b' },
    });
    expect(await refusalOf(new SchedulerClient(operator()).send(create))).toMatchObject({
      name: 'UnknownOperationException',
      message: expect.stringContaining('POST /schedules/a'),
    });
    expect(await refusalOf(new STSClient(operator()).send(new GetCallerIdentityCommand({})))).toBeDefined();
  });
});

describe('faults and listeners', () => {
  it('an error strikes as often as it should, in the service’s own shape', async () => {
    const client = new SFNClient(operator());
    const fault = server.faults.add({
      action: 'states:ListExecutions',
      times: 2,
      effect: { kind: 'error', statusCode: 400, code: 'ThrottlingException' },
    });
    for (let count = 0; count < 2; count += 1) {
      expect(await refusalOf(list(client))).toMatchObject({ name: 'ThrottlingException' });
    }
    await list(client);
    expect(fault.hits).toBe(2);
  });

  it.each(['reset', 'lost-answer', 'half-answer'] as const)('%s cuts the connection', async (kind) => {
    const client = new SFNClient(operator());
    server.seen.length = 0;
    const fault = server.faults.add({ service: 'states', effect: { kind } });
    await refusalOf(list(client));
    expect(fault.hits).toBe(1);
    await list(client);
    expect(server.seen.map(({ action, statusCode }) => [action, statusCode])).toEqual([
      ['states:ListExecutions', 0],
      ['states:ListExecutions', 200],
    ]);
  });

  it('hold waits until it is let go', async () => {
    const client = new SFNClient(operator());
    const { promise: until, resolve: letGo } = Promise.withResolvers<void>();
    server.faults.add({ service: 'states', effect: { kind: 'hold', until } });
    let answered = false;
    const held = list(client).then(() => {
      answered = true;
    });
    await list(client);
    expect(answered).toBe(false);
    letGo();
    await held;
  });

  it('listeners learn who did what', async () => {
    server.seen.length = 0;
    const client = new SFNClient(server.configuration(role));
    await refusalOf(list(client));
    expect(server.seen).toMatchObject([
      {
        caller: { roleArn },
        service: 'states',
        action: 'states:ListExecutions',
        statusCode: 400,
        errorCode: 'AccessDeniedException',
      },
    ]);
  });
});

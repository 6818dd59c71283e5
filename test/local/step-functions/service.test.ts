import {
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  DescribeStateMachineCommand,
  DescribeStateMachineForExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
  ListStateMachinesCommand,
  paginateGetExecutionHistory,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { beforeEach, describe, expect, it } from 'vitest';
import { type CallContext, type Operation, ServiceError } from '../../../local/endpoint/service.ts';
import { statesService } from '../../../local/step-functions/service.ts';
import { type Bench, makeBench, waitForToken } from './bench.ts';

let bench: Bench;
let client: SFNClient;
let token = '';
/** `action resource` that the caller may not do. */
let forbidden = '';
let authorized: string[];

beforeEach(() => {
  bench = makeBench();
  bench.functions['start'] = (payload) => {
    token = String(payload['token']);
    return { ok: null };
  };
  forbidden = '';
  authorized = [];
  client = clientOf(bench);
});

/** The SDK, its requests answered by the service without HTTP between. */
function clientOf({ executions, machines }: Bench): SFNClient {
  const { operations } = statesService(executions, machines);
  const context: CallContext = {
    caller: { arn: 'arn:aws:iam::111122223333:user/operator' },
    authorize(action, resource) {
      authorized.push(`${action} ${resource}`);
      if (`${action} ${resource}` === forbidden)
        throw new ServiceError('AccessDeniedException', 'not allowed');
    },
  };
  const answer = async (target: string, body: string) => {
    const operation = operations[target.split('.')[1] ?? ''] as unknown as Operation;
    return operation.handle(operation.input.parse(JSON.parse(body)), context);
  };
  return new SFNClient({
    region: 'eu-west-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
    requestHandler: {
      async handle(request: { headers: Record<string, string>; body: Uint8Array }) {
        const reply = (statusCode: number, value: unknown) => ({
          response: { statusCode, headers: {}, body: Buffer.from(JSON.stringify(value)) },
        });
        try {
          return reply(
            200,
            await answer(request.headers['x-amz-target'] ?? '', Buffer.from(request.body).toString()),
          );
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error;
          return reply(error.statusCode, { __type: error.code, message: error.message });
        }
      },
    },
  });
}

const states = {
  Each: {
    Type: 'Map',
    Label: 'Each',
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'Wait',
      States: { Wait: waitForToken('start') },
    },
    End: true,
  },
};

async function startOne() {
  const stateMachineArn = bench.create('backup', states);
  const started = await client.send(
    new StartExecutionCommand({ stateMachineArn, name: 'first', input: '[1]' }),
  );
  await bench.clock.advance(0);
  return { stateMachineArn, executionArn: started.executionArn, startDate: started.startDate };
}

describe('the API', () => {
  it('starts, describes, lists and tells the history of an execution', async () => {
    const { stateMachineArn, executionArn, startDate } = await startOne();
    expect(executionArn).toBe('arn:aws:states:eu-west-1:111122223333:execution:backup:first');
    expect(startDate).toEqual(new Date('2026-01-01T00:00:00Z'));
    await client.send(new SendTaskHeartbeatCommand({ taskToken: token }));
    await client.send(new SendTaskSuccessCommand({ taskToken: token, output: '{"n":1}' }));
    await bench.clock.advance(0);
    expect(await client.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
      status: 'SUCCEEDED',
      output: '[{"n":1}]',
      input: '[1]',
      startDate,
      stopDate: startDate,
    });
    expect(await client.send(new ListExecutionsCommand({ stateMachineArn }))).toMatchObject({
      executions: [{ executionArn, status: 'SUCCEEDED', name: 'first' }],
    });
    const { events } = await client.send(
      new GetExecutionHistoryCommand({ executionArn, reverseOrder: true }),
    );
    expect(events?.[0]).toMatchObject({
      type: 'ExecutionSucceeded',
      executionSucceededEventDetails: { output: '[{"n":1}]' },
    });
    expect(events?.at(-2)).toMatchObject({
      type: 'MapStateEntered',
      id: 2,
      previousEventId: 1,
      stateEnteredEventDetails: { name: 'Each', input: '[1]' },
    });
  });

  it('shows map runs and their children', async () => {
    const { stateMachineArn, executionArn } = await startOne();
    const { mapRuns } = await client.send(new ListMapRunsCommand({ executionArn }));
    const mapRunArn = mapRuns?.[0]?.mapRunArn;
    expect(mapRunArn).toMatch(/^arn:aws:states:eu-west-1:111122223333:mapRun:backup\/Each:/);
    expect(await client.send(new DescribeMapRunCommand({ mapRunArn }))).toMatchObject({
      status: 'RUNNING',
      executionArn,
      itemCounts: { total: 1, running: 1 },
      toleratedFailureCount: 0,
    });
    const { executions } = await client.send(
      new ListExecutionsCommand({ mapRunArn, statusFilter: 'RUNNING' }),
    );
    expect(executions).toHaveLength(1);
    const child = executions?.[0]?.executionArn;
    expect(
      await client.send(new DescribeStateMachineForExecutionCommand({ executionArn: child })),
    ).toMatchObject({ stateMachineArn: `${stateMachineArn}/Each`, label: 'Each', mapRunArn });
    expect((await client.send(new ListExecutionsCommand({ stateMachineArn }))).executions).toHaveLength(1);
  });

  it('pages through a history in order', async () => {
    const { executionArn } = await startOne();
    const ids: Array<number | undefined> = [];
    for await (const page of paginateGetExecutionHistory({ client, pageSize: 2 }, { executionArn })) {
      ids.push(...(page.events ?? []).map((event) => event.id));
    }
    expect(ids).toEqual([1, 2, 3, 4]);
  });

  it('stops an execution with error and cause', async () => {
    const { executionArn } = await startOne();
    await client.send(new StopExecutionCommand({ executionArn, error: 'Cancelled', cause: 'by me' }));
    expect(await client.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
      status: 'ABORTED',
      error: 'Cancelled',
      cause: 'by me',
    });
    await expect(
      client.send(new SendTaskFailureCommand({ taskToken: token, error: 'E' })),
    ).rejects.toMatchObject({ name: 'TaskTimedOut' });
  });

  it('describes and lists state machines', async () => {
    const stateMachineArn = bench.create('backup', states);
    const described = await client.send(new DescribeStateMachineCommand({ stateMachineArn }));
    expect(described).toMatchObject({ name: 'backup', status: 'ACTIVE', type: 'STANDARD' });
    expect(JSON.parse(described.definition ?? '')).toMatchObject({ StartAt: 'Each' });
    expect((await client.send(new ListStateMachinesCommand({}))).stateMachines).toHaveLength(1);
  });

  it.each([
    [new DescribeExecutionCommand({ executionArn: 'arn:none' }), 'ExecutionDoesNotExist'],
    [new DescribeStateMachineCommand({ stateMachineArn: 'arn:none' }), 'StateMachineDoesNotExist'],
    [new StartExecutionCommand({ stateMachineArn: 'arn:none' }), 'StateMachineDoesNotExist'],
    [new SendTaskSuccessCommand({ taskToken: 'none', output: '1' }), 'InvalidToken'],
  ] as const)('answers %s with %s', async (command, name) => {
    await expect(client.send(command as StartExecutionCommand)).rejects.toMatchObject({ name });
  });

  it('asks leave for a token on the machine of its task, and refuses before anything happens', async () => {
    const { stateMachineArn, executionArn } = await startOne();
    forbidden = `states:SendTaskSuccess ${stateMachineArn}/Each`;
    await expect(
      client.send(new SendTaskSuccessCommand({ taskToken: token, output: '1' })),
    ).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await bench.clock.advance(0);
    expect(bench.executions.get(executionArn ?? '').status).toBe('RUNNING');
    expect(authorized).toContain(`states:StartExecution ${stateMachineArn}`);
  });
});

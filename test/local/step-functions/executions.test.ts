import { beforeEach, describe, expect, it } from 'vitest';
import { statusChange } from '../../../local/step-functions/answers.ts';
import { type Bench, invoke, makeBench, waitForToken } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
});
const done = { Done: { Type: 'Succeed' } };
const waiting = { Wait: { Type: 'Wait', Seconds: 1000, End: true } };
const pass = (output: unknown) => ({ P: { Type: 'Pass', Output: output, End: true } });
const big = (bytes: number) => `{% $pad('', ${bytes}, 'x') %}`;

describe('limits', () => {
  it('are 256 KiB of JSON for an output, States.ALL or not', async () => {
    expect((await bench.run(pass(big(262_142)))).status).toBe('SUCCEEDED');
    const { error, cause } = await bench.run(pass(big(262_143)));
    expect(error).toBe('States.DataLimitExceeded');
    expect(cause).toContain('262145 bytes');
  });

  it('are 256 KiB in bytes, not characters', async () => {
    const { error } = await bench.run(pass("{% $pad('', 131072, 'é') %}"));
    expect(error).toBe('States.DataLimitExceeded');
  });

  it.each([
    ['payload', { Arguments: { FunctionName: 'work', Payload: big(262_144) } }, 1],
    ['result', { Arguments: { FunctionName: 'work' }, Output: 1 }, 'x'.repeat(262_144)],
  ])('hold for a %s, and can be caught by name only', async (_, more, answer) => {
    bench.functions['work'] = () => ({ ok: answer });
    const caught = (name: string) => ({
      Work: invoke('work', { ...more, Catch: [{ ErrorEquals: [name], Next: 'Done' }] }),
      ...done,
    });
    expect((await bench.run(caught('States.ALL'))).error).toBe('States.DataLimitExceeded');
    expect((await bench.run(caught('States.DataLimitExceeded'))).status).toBe('SUCCEEDED');
  });

  it('hold for the outputs of a Map together', async () => {
    const each = { StartAt: 'P', States: pass(big(100_000)) };
    const { error } = await bench.run({ Each: { Type: 'Map', ItemProcessor: each, End: true } }, [1, 2, 3]);
    expect(error).toBe('States.DataLimitExceeded');
  });

  it('are 25,000 events: the execution fails and no Catch helps', async () => {
    const loop = {
      One: { Type: 'Pass', Next: 'Two' },
      Two: { Type: 'Pass', Next: 'One' },
    };
    const branches = [{ StartAt: 'One', States: loop }];
    const execution = bench.start({
      Loop: {
        Type: 'Parallel',
        Branches: branches,
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Done' }],
        End: true,
      },
      ...done,
    });
    const { error, cause } = await bench.finish(execution);
    expect(error).toBe('States.Runtime');
    expect(cause).toContain('maximum number of history events (25000)');
    expect(execution.history.events).toHaveLength(25_000);
    expect(execution.history.events.at(-1)?.type).toBe('ExecutionFailed');
  });

  it('are the TimeoutSeconds of the machine, which a Catch does not see', async () => {
    const task = waitForToken('start', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Done' }] });
    bench.functions['start'] = () => ({ ok: 1 });
    const execution = bench.start({ Wait: task, ...done }, {}, { TimeoutSeconds: 90 });
    const { status, error, types } = await bench.finish(execution);
    expect([status, error]).toEqual(['TIMED_OUT', 'States.Timeout']);
    expect(types.slice(-2)).toEqual(['TaskStateAborted', 'ExecutionTimedOut']);
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(90_000);
  });
});

describe('names', () => {
  it('are unique; the same input while running is the same execution', async () => {
    const arn = bench.create('m', waiting);
    const start = (input: string) => bench.executions.start(arn, { name: 'once', input });
    const first = start('{"a":1}');
    expect(start('{"a":1}')).toBe(first);
    expect(() => start('{"a":2}')).toThrow(expect.objectContaining({ code: 'ExecutionAlreadyExists' }));
    await bench.finish(first);
    expect(() => start('{"a":1}')).toThrow(expect.objectContaining({ code: 'ExecutionAlreadyExists' }));
  });

  it.each(['', 'a b', 'a/b', 'a:b', 'x'.repeat(81), 'a\n'])('%j is refused', (name) => {
    const arn = bench.create('m', waiting);
    expect(() => bench.executions.start(arn, { name, input: '{}' })).toThrow(
      expect.objectContaining({ code: 'InvalidName' }),
    );
  });

  it('and input that is not JSON or too large is refused', () => {
    const arn = bench.create('m', waiting);
    for (const input of ['{', JSON.stringify('x'.repeat(262_143))]) {
      expect(() => bench.executions.start(arn, { input })).toThrow(
        expect.objectContaining({ code: 'InvalidExecutionInput' }),
      );
    }
  });
});

describe('an execution', () => {
  it('goes on under its own definition when the machine is replaced', async () => {
    const arn = bench.create('m', { ...waiting });
    const execution = bench.executions.start(arn, { input: '"old"' });
    bench.machines.delete(arn);
    bench.create('m', pass('"new"'));
    expect(await bench.finish(execution)).toMatchObject({ status: 'SUCCEEDED', output: 'old' });
  });

  it('tells of its start and its end, a child of a Distributed Map does not', async () => {
    const told: unknown[] = [];
    bench.executions.onStatusChange((execution) => told.push(statusChange(execution)));
    const each = {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'Boom',
      States: { Boom: { Type: 'Fail', Error: 'Boom', Cause: 'why' } },
    };
    const execution = bench.start({ Each: { Type: 'Map', ItemProcessor: each, End: true } }, [1]);
    await bench.finish(execution);
    const { arn, name, machine } = execution.plan;
    const about = { executionArn: arn, stateMachineArn: machine.arn, name, input: '[1]', output: null };
    const startDate = execution.startDate.getTime();
    expect(told).toEqual([
      expect.objectContaining({ ...about, status: 'RUNNING', startDate, stopDate: null, error: null }),
      expect.objectContaining({
        ...about,
        status: 'FAILED',
        startDate,
        stopDate: startDate,
        error: 'States.ExceedToleratedFailureThreshold',
        cause: 'The specified tolerated failure threshold was exceeded',
      }),
    ]);
  });

  it('that was stopped stays as it ended', async () => {
    const execution = bench.start(done);
    await bench.finish(execution);
    await bench.executions.stop(execution.plan.arn);
    expect(execution.status).toBe('SUCCEEDED');
  });

  it('is ended by close, like all others, and none starts after', async () => {
    const arn = bench.create('m', waiting);
    const running = [1, 2].map((input) => bench.executions.start(arn, { input: String(input) }));
    await bench.executions.close();
    expect(running.map(({ status }) => status)).toEqual(['ABORTED', 'ABORTED']);
    expect(bench.clock.sleepers).toBe(0);
    expect(() => bench.executions.start(arn, { input: '3' })).toThrow('closing');
  });
});

describe('startExecution', () => {
  const starting = (arn: string, kind: string, more: Record<string, unknown> = {}) => ({
    Start: {
      Type: 'Task',
      Resource: `arn:aws:states:::states:${kind}`,
      Arguments: { StateMachineArn: arn, Input: { from: '{% $states.input %}' }, ...more },
      End: true,
    },
  });
  const started = (machineArn: string) =>
    bench.executions.list().find((execution) => execution.plan.machine.arn === machineArn);

  it('starts and does not wait', async () => {
    const arn = bench.create('other', waiting);
    const { output } = await bench.run(starting(arn, 'startExecution'), 7);
    expect(output).toMatchObject({ ExecutionArn: started(arn)?.plan.arn });
    expect(started(arn)).toMatchObject({ status: 'RUNNING', plan: { input: '{"from":7}' } });
  });

  it('.sync:2 waits and has the output as JSON', async () => {
    const arn = bench.create('other', { Wait: { Type: 'Wait', Seconds: 50, End: true } });
    const execution = bench.start(starting(arn, 'startExecution.sync:2'), 7);
    const { output, types } = await bench.finish(execution);
    expect(output).toMatchObject({ Status: 'SUCCEEDED', Output: { from: 7 }, StateMachineArn: arn });
    expect(types).toContain('TaskSubmitted');
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(50_000);
  });

  it('.sync:2 fails with States.TaskFailed, its cause the execution that failed', async () => {
    const arn = bench.create('other', { Boom: { Type: 'Fail', Error: 'Boom', Cause: 'why' } });
    const { error, cause } = await bench.run(starting(arn, 'startExecution.sync:2'));
    expect(error).toBe('States.TaskFailed');
    expect(JSON.parse(cause ?? '')).toMatchObject({ Status: 'FAILED', Error: 'Boom', Cause: 'why' });
  });

  it('.sync:2 stopped, stops what it started', async () => {
    const arn = bench.create('other', waiting);
    const execution = bench.start(starting(arn, 'startExecution.sync:2'));
    await bench.clock.advance(1_000);
    await bench.executions.stop(execution.plan.arn);
    expect(started(arn)?.status).toBe('ABORTED');
  });

  it('.sync:2 names a taken name and a missing machine', async () => {
    const arn = bench.create('other', waiting);
    bench.executions.start(arn, { name: 'taken', input: '{}' });
    const taken = await bench.run(starting(arn, 'startExecution', { Name: 'taken' }));
    expect(taken.error).toBe('StepFunctions.ExecutionAlreadyExistsException');
    const missing = await bench.run(starting(`${arn}-not`, 'startExecution'));
    expect(missing.error).toBe('StepFunctions.StateMachineDoesNotExistException');
  });

  it.each([
    'states:StartExecution',
    'states:DescribeExecution',
    'states:StopExecution',
    'events:PutTargets',
    'events:PutRule',
    'events:DescribeRule',
  ])('.sync:2 fails when its role lacks %s, and starts nothing', async (lacking) => {
    const arn = bench.create('other', done);
    bench.denied = (action) => action === lacking;
    const { error, cause } = await bench.run(starting(arn, 'startExecution.sync:2'));
    expect(error).toBe('StepFunctions.AWSStepFunctionsException');
    expect(cause).toContain(`not authorized to perform: ${lacking} on resource: arn:aws:`);
    expect(started(arn)).toBeUndefined();
  });
});

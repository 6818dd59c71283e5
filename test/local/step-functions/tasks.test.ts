import { beforeEach, describe, expect, it } from 'vitest';
import { type Bench, functionArn, invoke, makeBench } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
});

/** A function that fails with each error in turn and then answers. */
function failing(...errors: string[]) {
  const calls: number[] = [];
  bench.functions['work'] = () => {
    calls.push(bench.clock.now().getTime());
    const error = errors.shift();
    return error === undefined ? { ok: 'done' } : { error, cause: `cause of ${error}` };
  };
  return calls;
}
const gaps = (calls: number[]) => calls.slice(1).map((at, index) => (at - (calls[index] ?? 0)) / 1000);

describe('a task that invokes a function', () => {
  it('gets the evaluated arguments and leads its payload on', async () => {
    bench.functions['work'] = (payload) => ({ ok: { got: payload } });
    const { status, output, types } = await bench.run({ Work: invoke('work') }, { a: 'it\'s "so"\n\\' });
    expect(status).toBe('SUCCEEDED');
    expect(output).toEqual({ got: { a: 'it\'s "so"\n\\' } });
    expect(types).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
  });

  it("fails with the function's own error and its JSON as the cause", async () => {
    const cause = JSON.stringify({ errorType: 'RingChanged', errorMessage: 'it changed', trace: [] });
    bench.functions['work'] = () => ({ error: 'RingChanged', cause });
    expect(await bench.run({ Work: invoke('work') })).toMatchObject({
      status: 'FAILED',
      error: 'RingChanged',
      cause,
    });
  });

  it('fails when its role may not invoke the function, saying what was missing', async () => {
    bench.functions['work'] = () => ({ ok: 1 });
    bench.denied = (action) => action === 'lambda:InvokeFunction';
    const { error, cause } = await bench.run({ Work: invoke('work') });
    expect(error).toBe('Lambda.AWSLambdaException');
    expect(cause).toContain(`lambda:InvokeFunction on resource: ${functionArn('work')}: no policy allows it`);
  });

  it('ends with States.Timeout after TimeoutSeconds, whatever the function does later', async () => {
    bench.functions['work'] = () => new Promise(() => {});
    const execution = bench.start({ Work: invoke('work', { TimeoutSeconds: '{% 3 * 4 %}' }) });
    const { error, types } = await bench.finish(execution);
    expect(error).toBe('States.Timeout');
    expect(types).toContain('TaskTimedOut');
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(12_000);
    expect(bench.clock.sleepers).toBe(0);
  });
});

describe('retries', () => {
  it('wait IntervalSeconds × BackoffRate^n, at most MaxDelaySeconds; MaxAttempts 3 is four calls', async () => {
    const calls = failing('Busy', 'Busy', 'Busy', 'Busy');
    const retry = {
      ErrorEquals: ['Busy'],
      IntervalSeconds: 2,
      BackoffRate: 3,
      MaxDelaySeconds: 10,
      MaxAttempts: 3,
    };
    const { status, error } = await bench.run({ Work: invoke('work', { Retry: [retry] }) });
    expect([status, error]).toEqual(['FAILED', 'Busy']);
    expect(gaps(calls)).toEqual([2, 6, 10]);
  });

  it('have the defaults 1 s, rate 2, three attempts', async () => {
    const calls = failing('Busy', 'Busy', 'Busy', 'Busy');
    await bench.run({ Work: invoke('work', { Retry: [{ ErrorEquals: ['States.ALL'] }] }) });
    expect(gaps(calls)).toEqual([1, 2, 4]);
  });

  it('with FULL jitter wait a random part of that', async () => {
    bench.randomValue = 0.25;
    const calls = failing('Busy', 'Busy');
    const retry = { ErrorEquals: ['Busy'], IntervalSeconds: 8, JitterStrategy: 'FULL' };
    expect(await bench.run({ Work: invoke('work', { Retry: [retry] }) })).toMatchObject({ output: 'done' });
    expect(gaps(calls)).toEqual([2, 4]);
  });

  it('are counted for each retrier, and tell State.RetryCount', async () => {
    const seen: unknown[] = [];
    const errors = ['A', 'B', 'A', 'B', 'A'];
    bench.functions['work'] = ({ count }) => {
      seen.push(count);
      return { error: errors.shift() ?? 'none', cause: '' };
    };
    const work = invoke('work', {
      Arguments: {
        FunctionName: functionArn('work'),
        Payload: { count: '{% $states.context.State.RetryCount %}' },
      },
      Retry: [
        { ErrorEquals: ['A'], MaxAttempts: 2 },
        { ErrorEquals: ['B'], MaxAttempts: 2 },
      ],
    });
    expect(await bench.run({ Work: work })).toMatchObject({ error: 'A' });
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it('end before Catch is asked, whose first match decides', async () => {
    failing('Busy', 'Busy');
    const work = invoke('work', {
      Retry: [{ ErrorEquals: ['Busy'], MaxAttempts: 1 }],
      Catch: [
        { ErrorEquals: ['Other'], Next: 'Wrong' },
        {
          ErrorEquals: ['Busy'],
          Next: 'Right',
          Assign: { why: '{% $states.errorOutput.Cause %}' },
          Output: { error: '{% $states.errorOutput.Error %}' },
        },
        { ErrorEquals: ['States.ALL'], Next: 'Wrong' },
      ],
      Next: 'Wrong',
    });
    const right = { Type: 'Pass', Output: { in: '{% $states.input %}', why: '{% $why %}' }, End: true };
    const { output } = await bench.run({ Work: work, Right: right, Wrong: { Type: 'Fail' } });
    expect(output).toEqual({ in: { error: 'Busy' }, why: 'cause of Busy' });
  });
});

describe('wildcards', () => {
  const caughtBy = async (errorEquals: string, error: string) => {
    failing(error);
    const work = invoke('work', { Catch: [{ ErrorEquals: [errorEquals], Next: 'Caught' }] });
    const { status } = await bench.run({ Work: work, Caught: { Type: 'Succeed' } });
    return status === 'SUCCEEDED';
  };

  it.each([
    ['States.ALL', 'Anything', true],
    ['States.ALL', 'States.Timeout', true],
    ['States.ALL', 'States.DataLimitExceeded', false],
    ['States.ALL', 'States.Runtime', false],
    ['States.DataLimitExceeded', 'States.DataLimitExceeded', true],
    ['States.TaskFailed', 'Anything', true],
    ['States.TaskFailed', 'States.Timeout', false],
    ['States.TaskFailed', 'States.HeartbeatTimeout', false],
    ['States.Timeout', 'States.HeartbeatTimeout', true],
    ['States.HeartbeatTimeout', 'States.Timeout', false],
  ])('%s catches %s: %s', async (errorEquals, error, isCaught) => {
    expect(await caughtBy(errorEquals, error)).toBe(isCaught);
  });
});

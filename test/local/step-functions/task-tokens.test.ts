import { beforeEach, describe, expect, it } from 'vitest';
import { type Bench, makeBench, waitForToken } from './bench.ts';

let bench: Bench;
let tokens: string[];
beforeEach(() => {
  bench = makeBench();
  tokens = [];
  bench.functions['start'] = ({ token }) => {
    tokens.push(String(token));
    return { ok: 'handed over' };
  };
});

const answers = () => bench.executions.tokens;
const token = (index = 0) => tokens[index] ?? '';

describe('a task that waits for its token', () => {
  it('goes on with the output that was sent, as JSON', async () => {
    const execution = bench.start({ Wait: waitForToken('start') });
    await bench.clock.advance(3_600_000);
    expect(execution.status).toBe('RUNNING');
    answers().succeed(token(), '{"files":3}');
    expect(await bench.finish(execution)).toMatchObject({
      status: 'SUCCEEDED',
      output: { files: 3 },
      types: expect.arrayContaining(['TaskSubmitted', 'TaskSucceeded']),
    });
  });

  it('fails with the error and cause that were sent', async () => {
    const execution = bench.start({ Wait: waitForToken('start') });
    await bench.clock.advance(0);
    answers().fail(token(), 'DataRot', 'nb-1-big-Data.db\nhint');
    expect(await bench.finish(execution)).toMatchObject({
      error: 'DataRot',
      cause: 'nb-1-big-Data.db\nhint',
    });
  });

  it('may be answered while its function still runs', async () => {
    bench.functions['start'] = async ({ token: given }) => {
      answers().succeed(String(given), '1');
      await bench.clock.sleep(1_000);
      return { error: 'TooLate', cause: '' };
    };
    expect(await bench.run({ Wait: waitForToken('start') })).toMatchObject({
      status: 'SUCCEEDED',
      output: 1,
    });
  });

  it('fails at once when its function fails before the token is answered', async () => {
    bench.functions['start'] = ({ token: given }) => {
      tokens.push(String(given));
      return { error: 'HostUnreachable', cause: 'i-1' };
    };
    const execution = bench.start({ Wait: waitForToken('start', { TimeoutSeconds: 100 }) });
    expect(await bench.finish(execution)).toMatchObject({ error: 'HostUnreachable' });
    expect(bench.clock.now()).toEqual(execution.startDate);
    expect(() => answers().succeed(token(), '1')).toThrow(expect.objectContaining({ code: 'TaskTimedOut' }));
  });

  it('gets a new token for each retry, and the old one is late', async () => {
    const retry = { ErrorEquals: ['States.Timeout'], MaxAttempts: 1 };
    const execution = bench.start({ Wait: waitForToken('start', { TimeoutSeconds: 10, Retry: [retry] }) });
    await bench.clock.advance(12_000);
    expect(tokens).toHaveLength(2);
    expect(new Set(tokens).size).toBe(2);
    for (const late of [
      () => answers().succeed(token(0), '1'),
      () => answers().fail(token(0), 'E', 'c'),
      () => answers().heartbeat(token(0)),
    ]) {
      expect(late).toThrow(expect.objectContaining({ code: 'TaskTimedOut' }));
    }
    answers().succeed(token(1), '2');
    expect(await bench.finish(execution)).toMatchObject({ output: 2 });
  });
});

describe('heartbeats', () => {
  it('put off HeartbeatSeconds; a missed one is States.HeartbeatTimeout to Catch', async () => {
    const states = {
      Wait: waitForToken('start', {
        HeartbeatSeconds: 10,
        Catch: [{ ErrorEquals: ['States.HeartbeatTimeout'], Next: 'Missed' }],
        Next: 'Answered',
      }),
      Missed: { Type: 'Succeed', Output: '{% $states.input.Error %}' },
      Answered: { Type: 'Succeed' },
    };
    const execution = bench.start(states);
    for (let beat = 0; beat < 5; beat++) {
      await bench.clock.advance(9_000);
      answers().heartbeat(token());
    }
    expect(execution.status).toBe('RUNNING');
    const { output } = await bench.finish(execution);
    expect(output).toBe('States.HeartbeatTimeout');
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(55_000);
  });

  it('do not put off TimeoutSeconds', async () => {
    const execution = bench.start({
      Wait: waitForToken('start', { HeartbeatSeconds: '{% 10 %}', TimeoutSeconds: 25 }),
    });
    for (let beat = 0; beat < 2; beat++) {
      await bench.clock.advance(9_000);
      answers().heartbeat(token());
    }
    await bench.clock.advance(7_000);
    expect(execution.outcome).toMatchObject({ error: 'States.Timeout', cause: 'no answer within 25 s' });
  });

  it('missed and not caught, end the execution with States.Timeout', async () => {
    expect(await bench.run({ Wait: waitForToken('start', { HeartbeatSeconds: 10 }) })).toMatchObject({
      error: 'States.Timeout',
      cause: 'no heartbeat for 10 s',
    });
  });

  it('missed, are retried by States.Timeout too', async () => {
    const retry = { ErrorEquals: ['States.Timeout'], MaxAttempts: 2 };
    await bench.run({ Wait: waitForToken('start', { HeartbeatSeconds: 10, Retry: [retry] }) });
    expect(tokens).toHaveLength(3);
  });
});

describe('tokens', () => {
  it('used a second time are late, whatever is sent', async () => {
    const execution = bench.start({ Wait: waitForToken('start') });
    await bench.clock.advance(0);
    answers().succeed(token(), '1');
    expect(() => answers().succeed(token(), '2')).toThrow(expect.objectContaining({ code: 'TaskTimedOut' }));
    expect(() => answers().fail(token(), 'E', '')).toThrow(expect.objectContaining({ code: 'TaskTimedOut' }));
    expect(await bench.finish(execution)).toMatchObject({ output: 1 });
  });

  it('that never were are told from ones that are no tokens', async () => {
    expect(() => answers().heartbeat('guess')).toThrow(expect.objectContaining({ code: 'InvalidToken' }));
    await bench.clock.advance(0);
    bench.start({ Wait: waitForToken('start') });
    await bench.clock.advance(0);
    const other = `${token().slice(0, -6)}AAAAAA`;
    expect(() => answers().heartbeat(other)).toThrow(expect.objectContaining({ code: 'TaskDoesNotExist' }));
    expect(() => answers().succeed(token(), '{not json')).toThrow(
      expect.objectContaining({ code: 'InvalidOutput' }),
    );
  });

  it('of a stopped execution are late', async () => {
    const execution = bench.start({ Wait: waitForToken('start') });
    await bench.clock.advance(0);
    await bench.executions.stop(execution.plan.arn);
    expect(() => answers().heartbeat(token())).toThrow(expect.objectContaining({ code: 'TaskTimedOut' }));
  });

  it('that were accepted in the moment before the timeout count', async () => {
    // This sleeper is older than the task's: it wakes first in the same millisecond.
    void bench.clock.sleep(10_000).then(() => answers().succeed(token(), '"accepted"'));
    const execution = bench.start({ Wait: waitForToken('start', { TimeoutSeconds: 10 }) });
    expect(await bench.finish(execution)).toMatchObject({ status: 'SUCCEEDED', output: 'accepted' });
  });
});

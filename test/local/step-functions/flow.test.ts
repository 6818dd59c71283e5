import { beforeEach, describe, expect, it } from 'vitest';
import { type Bench, functionArn, invoke, makeBench } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
});
const done = { Type: 'Succeed' };

describe('variables', () => {
  it('are assigned together, from the values before, and Output does not see them yet', async () => {
    const states = {
      One: { Type: 'Pass', Assign: { a: 1, b: 2 }, Next: 'Swap' },
      Swap: { Type: 'Pass', Assign: { a: '{% $b %}', b: '{% $a %}' }, Output: '{% $a %}', Next: 'Tell' },
      Tell: { Type: 'Pass', Output: '{% [$states.input, $a, $b] %}', End: true },
    };
    expect((await bench.run(states)).output).toEqual([1, 2, 1]);
  });

  it('hold quotes, newlines, backslashes and expressions as they are', async () => {
    const cql = 'CREATE TABLE "Ks"."T" (\n  id text -- it\'s\n) WITH comment = \'a\\b {% 1 + 1 %} $x\';';
    const states = {
      Keep: { Type: 'Pass', Assign: { cql: '{% $states.input.cql %}' }, Next: 'Tell' },
      Tell: { Type: 'Pass', Output: { cql: '{% $cql %}' }, End: true },
    };
    expect((await bench.run(states, { cql })).output).toEqual({ cql });
  });

  it('keep arrays of one an array, and null a null', async () => {
    const states = {
      Keep: { Type: 'Pass', Assign: { list: '{% $states.input %}' }, Next: 'Tell' },
      Tell: { Type: 'Pass', Output: { list: '{% $list %}', none: null }, End: true },
    };
    expect((await bench.run(states, [{ a: null }])).output).toEqual({ list: [{ a: null }], none: null });
  });
});

describe('expressions', () => {
  it.each([
    ['{% $states.input.missing %}', 'returned nothing (undefined)'],
    ['{% $missing %}', 'returned nothing (undefined)'],
    ["{% 'a' + 1 %}", 'T2001'],
    ['{% $sum %}', 'returned a function'],
    ["{% $eval('1') %}", '$eval is not available'],
  ])('%s fails with States.QueryEvaluationError', async (expression, why) => {
    const { error, cause, types } = await bench.run({ P: { Type: 'Pass', Output: expression, End: true } });
    expect(error).toBe('States.QueryEvaluationError');
    expect(cause).toContain(why);
    expect(types).toContain('EvaluationFailed');
  });

  it('that fail in a task can be caught', async () => {
    bench.functions['work'] = () => ({ ok: 1 });
    const work = invoke('work', {
      Output: '{% $states.result.Nothing %}',
      Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'Done' }],
    });
    expect((await bench.run({ Work: work, Done: done })).status).toBe('SUCCEEDED');
  });

  it.each([
    ['$partition([1,2,3,4,5], 2)', [[1, 2], [3, 4], [5]]],
    ['$partition([1], 2)', [[1]]],
    ['$range(0, 10, 4)', [0, 4, 8]],
    ['$range(3, 1, -1)', [3, 2, 1]],
    ["$hash('abc', 'SHA-256')", 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ["'abc' ~> $hash('MD5')", '900150983cd24fb0d6963f7d28e17f72'],
    ['$parse(\'{"a":[1,"q"]}\')', { a: [1, 'q'] }],
    ['$random()', 0.5],
    ['$millis()', Date.UTC(2026, 0, 1)],
    ['$now()', '2026-01-01T00:00:00.000Z'],
    ["$now('[Y]')", '2026'],
    ['$match($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/) ~> $exists', true],
    ["$states.context.State.Name & ' ' & $states.context.Execution.Input.a", 'P 7'],
  ])('%s is %j', async (expression, expected) => {
    const { output, cause } = await bench.run(
      { P: { Type: 'Pass', Output: `{% ${expression} %}`, End: true } },
      { a: 7 },
    );
    expect([output, cause]).toEqual([expected, undefined]);
  });

  it('are safe to evaluate at once: parsed once, each with variables of its own', async () => {
    bench.functions['slow'] = async (payload) => {
      await bench.clock.sleep(Number(payload['n']) % 3);
      return { ok: payload };
    };
    const body = {
      Set: { Type: 'Pass', Assign: { n: '{% $states.input.n %}' }, Next: 'Slow' },
      Slow: invoke('slow', { Next: 'Tell' }),
      Tell: {
        Type: 'Pass',
        Output: '{% $map($range(1, 3, 1), function($i) { $n * $i + $states.input.n - $n }) %}',
        End: true,
      },
    };
    const each = { Type: 'Map', ItemProcessor: { StartAt: 'Set', States: body }, End: true };
    const input = Array.from({ length: 60 }, (_, n) => ({ n }));
    expect((await bench.run({ Each: each }, input)).output).toEqual(input.map(({ n }) => [n, 2 * n, 3 * n]));
  });
});

describe('Choice', () => {
  const choose = (more: Record<string, unknown> = {}) => ({
    Choose: {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $states.input.n > 10 %}', Next: 'Done', Output: 'large', Assign: { size: 1 } },
        { Condition: '{% $states.input.n > 5 %}', Next: 'Done', Output: 'middle' },
      ],
      ...more,
    },
    Done: done,
    Other: { Type: 'Succeed', Output: 'other' },
  });

  it.each([
    [20, 'large'],
    [6, 'middle'],
    [1, 'other'],
  ])('takes the first rule that is true: %d is %s', async (n, expected) => {
    expect((await bench.run(choose({ Default: 'Other' }), { n })).output).toBe(expected);
  });

  it('without a match or Default fails with States.NoChoiceMatched', async () => {
    expect((await bench.run(choose(), { n: 1 })).error).toBe('States.NoChoiceMatched');
  });

  it('does not take Default when a condition cannot be evaluated', async () => {
    expect((await bench.run(choose({ Default: 'Other' }), {})).error).toBe('States.QueryEvaluationError');
  });
});

describe('Fail', () => {
  it('ends with the evaluated Error and Cause', async () => {
    const fail = {
      Type: 'Fail',
      Error: '{% $states.input.Error %}',
      Cause: "{% 'because ' & $states.input.why %}",
    };
    expect(await bench.run({ Fail: fail }, { Error: 'RingChanged', why: '"so"' })).toMatchObject({
      status: 'FAILED',
      error: 'RingChanged',
      cause: 'because "so"',
    });
  });

  it('refuses to pass on a name that starts with "States."', async () => {
    const { error, cause } = await bench.run({ Fail: { Type: 'Fail', Error: "{% 'States.Timeout' %}" } });
    expect(error).toBe('States.Runtime');
    expect(cause).toContain('reserved Error "States.Timeout"');
  });
});

describe('Wait', () => {
  it.each([
    [{ Seconds: '{% 60 * 60 * 24 * 60 %}' }, 60 * 60 * 24 * 60],
    [{ Timestamp: '2026-01-01T00:01:00Z' }, 60],
    [{ Timestamp: '2025-01-01T00:00:00Z' }, 0],
  ])('%j takes %d seconds', async (field, seconds) => {
    const execution = bench.start({ Wait: { Type: 'Wait', ...field, Next: 'Done' }, Done: done });
    await bench.finish(execution);
    expect(execution.status).toBe('SUCCEEDED');
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(seconds * 1000);
  });
});

describe('Parallel', () => {
  const branch = (seconds: number) => ({
    StartAt: `Work${seconds}`,
    States: {
      [`Work${seconds}`]: invoke('work', {
        Arguments: { FunctionName: functionArn('work'), Payload: { seconds } },
        Assign: { mine: seconds },
      }),
    },
  });
  beforeEach(() => {
    bench.functions['work'] = async ({ seconds }) => {
      await bench.clock.sleep(Math.abs(Number(seconds)) * 1000);
      return Number(seconds) < 0 ? { error: 'Broken', cause: '' } : { ok: seconds };
    };
  });

  it('has its outputs in the order of branches', async () => {
    const both = { Type: 'Parallel', Branches: [branch(3), branch(1)], End: true };
    expect((await bench.run({ Both: both })).output).toEqual([3, 1]);
  });

  it('with a failed branch stops the others and can be retried as a whole', async () => {
    const both = {
      Type: 'Parallel',
      Branches: [branch(100), branch(-2)],
      Retry: [{ ErrorEquals: ['Broken'], IntervalSeconds: 1, MaxAttempts: 1 }],
      Catch: [{ ErrorEquals: ['Broken'], Next: 'Done' }],
      End: true,
    };
    const execution = bench.start({ Both: both, Done: done });
    const { status, types } = await bench.finish(execution);
    expect(status).toBe('SUCCEEDED');
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(5_000);
    expect(types.filter((type) => type === 'ParallelStateFailed')).toHaveLength(2);
    expect(types.filter((type) => type === 'TaskStateAborted')).toHaveLength(2);
  });
});

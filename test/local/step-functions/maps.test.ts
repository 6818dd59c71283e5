import { beforeEach, describe, expect, it } from 'vitest';
import { type Bench, functionArn, invoke, makeBench, waitForToken } from './bench.ts';

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
});

const inline = (states: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  Type: 'Map',
  ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, StartAt: Object.keys(states)[0], States: states },
  ...(!('Next' in more) && { End: true }),
  ...more,
});
const distributed = (states: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  inline(states, {
    Label: 'Each',
    ...more,
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: Object.keys(states)[0],
      States: states,
    },
  });
const reader = {
  Resource: 'arn:aws:states:::s3:getObject',
  ReaderConfig: { InputType: 'JSON' },
  Arguments: { Bucket: 'vault', Key: "{% $states.input.run & '/hosts.json' %}" },
};
/** Takes as many seconds as the item says, or fails when it is negative. */
const work = async (payload: Record<string, unknown>) => {
  const seconds = Number(payload['seconds']);
  await bench.clock.sleep(Math.abs(seconds) * 1000);
  return seconds < 0 ? { error: 'HostFailed', cause: 'i-1' } : { ok: seconds };
};
const items = (...seconds: number[]) => seconds.map((each) => ({ seconds: each }));
const childrenOf = (mapRunArn: string | undefined) =>
  bench.executions.list().filter((execution) => execution.plan.mapRunArn === mapRunArn);

describe('an inline Map', () => {
  it('runs as many at once as MaxConcurrency says and keeps the order', async () => {
    let running = 0;
    let most = 0;
    bench.functions['work'] = async (payload) => {
      most = Math.max(most, ++running);
      const answer = await work(payload);
      running--;
      return answer;
    };
    const states = { Each: inline({ Work: invoke('work') }, { MaxConcurrency: '{% 2 %}' }) };
    const { output, types } = await bench.run(states, items(3, 1, 2));
    expect(output).toEqual([3, 1, 2]);
    expect(most).toBe(2);
    expect(types.filter((type) => type === 'MapIterationSucceeded')).toHaveLength(3);
  });

  it("fails with a failed item's own error and stops the others", async () => {
    bench.functions['work'] = work;
    const execution = bench.start({ Each: inline({ Work: invoke('work') }) }, items(100, -5, 200));
    const { error, types } = await bench.finish(execution);
    expect(error).toBe('HostFailed');
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(5_000);
    expect(types).toEqual(
      expect.arrayContaining(['MapIterationFailed', 'MapIterationAborted', 'MapStateFailed']),
    );
  });

  it('gives items by ItemSelector, reads outer variables and keeps its own to itself', async () => {
    const states = {
      Set: { Type: 'Pass', Assign: { prefix: 'run "1"\n' }, Output: ['a', 'b'], Next: 'Each' },
      Each: inline(
        {
          Own: {
            Type: 'Pass',
            Assign: { own: '{% $prefix & $states.input.at %}' },
            Next: 'Tell',
          },
          Tell: { Type: 'Pass', Output: '{% [$own, $states.context.Map.Item.Index] %}', End: true },
        },
        {
          ItemSelector: { at: '{% $states.context.Map.Item.Value & $states.context.Map.Item.Index %}' },
          Next: 'After',
        },
      ),
      After: {
        Type: 'Pass',
        Output: { items: '{% $states.input %}', sees: '{% $exists($own) %}' },
        End: true,
      },
    };
    expect((await bench.run(states)).output).toEqual({
      items: [
        ['run "1"\na0', 0],
        ['run "1"\nb1', 1],
      ],
      sees: false,
    });
  });

  it('refuses items that are no array', async () => {
    const { error } = await bench.run({ Each: inline({ Ok: { Type: 'Succeed' } }) }, { no: 'array' });
    expect(error).toBe('States.QueryEvaluationError');
  });
});

describe('a Distributed Map', () => {
  it('runs each item of an S3 object as an execution of its own', async () => {
    bench.objects.set('vault/r1/hosts.json', JSON.stringify(['i-1', 'i-2']));
    bench.functions['tell'] = (payload) => ({ ok: payload });
    const states = {
      Set: { Type: 'Pass', Assign: { outer: 1 }, Next: 'Each' },
      Each: distributed(
        {
          Tell: invoke('tell', {
            Arguments: {
              FunctionName: functionArn('tell'),
              Payload: {
                input: '{% $states.input %}',
                sees: '{% $exists($outer) %}',
                id: '{% $states.context.Execution.Id %}',
                machine: '{% $states.context.StateMachine.Id %}',
              },
            },
          }),
        },
        {
          ItemReader: reader,
          ItemSelector: { host: '{% $states.context.Map.Item.Value %}', run: '{% $states.input.run %}' },
        },
      ),
    };
    const execution = bench.start(states, { run: 'r1' });
    const { output, types } = await bench.finish(execution);
    const { machine } = execution.plan;
    const [mapRun] = bench.executions.mapRuns();
    const children = childrenOf(mapRun?.arn);
    expect(output).toEqual(
      ['i-1', 'i-2'].map((host) => ({
        input: { host, run: 'r1' },
        sees: false,
        id: expect.stringMatching(`^arn:aws:states:eu-west-1:111122223333:execution:${machine.name}/Each:`),
        machine: `${machine.arn}/Each`,
      })),
    );
    expect(types).toEqual(expect.arrayContaining(['MapRunStarted', 'MapRunSucceeded', 'MapStateSucceeded']));
    expect(types).not.toContain('TaskScheduled');
    expect(children).toHaveLength(2);
    expect(children[0]?.history.events.map((event) => event.type)).toContain('TaskScheduled');
    expect(mapRun?.counts).toMatchObject({ total: 2, succeeded: 2, pending: 0, running: 0 });
    expect(bench.asked).toEqual(
      expect.arrayContaining([
        's3:GetObject arn:aws:s3:::vault/r1/hosts.json',
        `states:StartExecution ${machine.arn}`,
      ]),
    );
  });

  it('succeeds with [] for an empty list', async () => {
    bench.objects.set('vault/r1/hosts.json', '[]');
    const states = { Each: distributed({ Work: invoke('work') }, { ItemReader: reader }) };
    expect(await bench.run(states, { run: 'r1' })).toMatchObject({ status: 'SUCCEEDED', output: [] });
  });

  it.each([
    ['missing', undefined, 'there is no such object'],
    ['not JSON', '[', 'it is not JSON'],
    ['no array', '{}', 'it is not a JSON array'],
  ])('fails with States.ItemReaderFailed where the object is %s', async (_, text, why) => {
    if (text !== undefined) bench.objects.set('vault/r1/hosts.json', text);
    const states = { Each: distributed({ Work: invoke('work') }, { ItemReader: reader }) };
    const { error, cause } = await bench.run(states, { run: 'r1' });
    expect(error).toBe('States.ItemReaderFailed');
    expect(cause).toContain(why);
  });

  it.each([
    ['s3:GetObject', 'States.ItemReaderFailed'],
    ['states:StartExecution', 'States.Permissions'],
  ])('fails when its role lacks %s', async (lacking, expected) => {
    bench.objects.set('vault/r1/hosts.json', '[1]');
    bench.denied = (action) => action === lacking;
    const states = { Each: distributed({ Ok: { Type: 'Succeed' } }, { ItemReader: reader }) };
    const { error, cause } = await bench.run(states, { run: 'r1' });
    expect(error).toBe(expected);
    expect(cause).toContain(`${lacking} on`);
  });

  it('tolerates none by default: one failed item fails it and stops the others', async () => {
    bench.functions['work'] = work;
    const states = {
      Each: distributed(
        { Work: invoke('work') },
        { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }] },
      ),
      Caught: { Type: 'Succeed' },
    };
    const execution = bench.start(states, items(100, -5, 2));
    const { output } = await bench.finish(execution);
    expect(output).toMatchObject({ Error: 'States.ExceedToleratedFailureThreshold' });
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(5_000);
    const [mapRun] = bench.executions.mapRuns();
    expect(mapRun?.status).toBe('FAILED');
    expect(mapRun?.counts).toMatchObject({ succeeded: 1, failed: 1, aborted: 1, running: 0 });
    expect(childrenOf(mapRun?.arn).map((child) => child.status)).toEqual(['SUCCEEDED', 'FAILED', 'ABORTED']);
  });

  it.each([
    [{ ToleratedFailurePercentage: 100 }, items(-1, -1, -1), []],
    [{ ToleratedFailurePercentage: '{% 34 %}' }, items(-1, 1, 2), [1, 2]],
    [{ ToleratedFailurePercentage: 33 }, items(-1, 1, 2), 'States.ExceedToleratedFailureThreshold'],
    [{ ToleratedFailureCount: '{% 1 %}' }, items(1, -1), [1]],
    [{ ToleratedFailureCount: 1 }, items(-1, -1), 'States.ExceedToleratedFailureThreshold'],
  ])('with %j over %j ends with %j', async (tolerance, input, expected) => {
    bench.functions['work'] = work;
    const { output, error } = await bench.run(
      { Each: distributed({ Work: invoke('work') }, tolerance) },
      input,
    );
    expect(output ?? error).toEqual(expected);
  });

  it('never has more children running than MaxConcurrency', async () => {
    bench.functions['work'] = work;
    const execution = bench.start(
      { Each: distributed({ Work: invoke('work') }, { MaxConcurrency: 2 }) },
      items(10, 10, 10, 10),
    );
    await bench.clock.advance(5_000);
    const [mapRun] = bench.executions.mapRuns();
    expect(mapRun?.counts).toMatchObject({ running: 2, pending: 2 });
    await bench.finish(execution);
    expect(bench.clock.now().getTime() - execution.startDate.getTime()).toBe(20_000);
  });

  it('stopped in the middle, stops its children; their tokens are late', async () => {
    const tokens: string[] = [];
    bench.functions['start'] = ({ token }) => {
      tokens.push(String(token));
      return { ok: null };
    };
    const states = { Each: distributed({ Wait: waitForToken('start') }, { MaxConcurrency: 2 }) };
    const execution = bench.start(states, items(1, 2, 3));
    await bench.clock.advance(1_000);
    expect(bench.executions.tokens.machineOf(tokens[0] ?? '')).toBe(`${execution.plan.machine.arn}/Each`);
    bench.executions.tokens.succeed(tokens[0] ?? '', '1');
    await bench.clock.advance(1_000);
    await bench.executions.stop(execution.plan.arn, 'Cancelled', 'by the operator');
    expect(execution.outcome).toEqual({ status: 'ABORTED', error: 'Cancelled', cause: 'by the operator' });
    const [mapRun] = bench.executions.mapRuns();
    expect(mapRun?.status).toBe('ABORTED');
    expect(mapRun?.counts).toMatchObject({ succeeded: 1, aborted: 2, running: 0, pending: 0 });
    expect(() => bench.executions.tokens.heartbeat(tokens[1] ?? '')).toThrow(
      expect.objectContaining({ code: 'TaskTimedOut' }),
    );
    expect(execution.history.events.at(-1)?.type).toBe('ExecutionAborted');
    expect(bench.clock.sleepers).toBe(0);
  });

  it('runs inside a Distributed Map inside a Parallel', async () => {
    bench.functions['work'] = work;
    const inner = distributed(
      { Work: invoke('work') },
      { Label: 'Inner', Items: '{% $states.input.inner %}' },
    );
    const outer = distributed({ Inner: inner }, { Label: 'Outer' });
    const branch = { StartAt: 'Outer', States: { Outer: outer } };
    const { output } = await bench.run({ Both: { Type: 'Parallel', Branches: [branch], End: true } }, [
      { inner: items(1, 2) },
      { inner: items(3) },
    ]);
    expect(output).toEqual([[[1, 2], [3]]]);
  });
});

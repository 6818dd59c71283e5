import { describe, expect, it } from 'vitest';
import { makeBench } from './bench.ts';

const end = { Type: 'Succeed' };
const task = {
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: 'f' },
  End: true,
};
const map = (more: object, mode: object = { Mode: 'INLINE' }) => ({
  Type: 'Map',
  ItemProcessor: { ProcessorConfig: mode, StartAt: 'Item', States: { Item: end } },
  End: true,
  ...more,
});

function refusal(states: Record<string, unknown>, more: Record<string, unknown> = {}): string {
  try {
    makeBench().create('m', states, more);
  } catch (error) {
    expect(error).toMatchObject({ code: 'InvalidDefinition' });
    return String(error);
  }
  return 'nothing was refused';
}

describe('a definition is refused by name for', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a state type', { A: { Type: 'Teleport' } }, 'States.A.Type: state type "Teleport" is not implemented'],
    ['a field', { A: { ...task, Parameters: {} } }, 'States.A: field "Parameters" is not implemented'],
    ['an ItemBatcher', { A: map({ ItemBatcher: {} }) }, 'States.A: field "ItemBatcher" is not implemented'],
    [
      'an express child',
      { A: map({}, { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' }) },
      'States.A.ItemProcessor.ProcessorConfig.ExecutionType',
    ],
    [
      'a resource',
      { A: { ...task, Resource: 'arn:aws:states:::aws-sdk:s3:putObject' } },
      'Resource "arn:aws:states:::aws-sdk:s3:putObject" is not implemented',
    ],
    ['an argument', { A: { ...task, Arguments: { FunctionName: 'f', Qualifier: '1' } } }, '"Qualifier"'],
    ['a missing argument', { A: { ...task, Arguments: {} } }, 'field "FunctionName" is missing'],
    ['a JSONPath field', { A: { Type: 'Pass', Output: { 'a.$': '$.b' }, End: true } }, 'a.$: JSONPath'],
    ['an expression', { A: { Type: 'Pass', Output: '{% 1 + %}', End: true } }, 'is not JSONata'],
    ['a next state', { A: { Type: 'Pass', Next: 'Nowhere' } }, 'there is no state "Nowhere"'],
    [
      'a catcher’s next state',
      { A: { ...task, Catch: [{ ErrorEquals: ['E'], Next: 'Nowhere' }] } },
      'Nowhere',
    ],
    ['no end', { A: { Type: 'Pass' } }, 'has neither Next nor End'],
    [
      'States.ALL that is not last',
      { A: { ...task, Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['E'] }] } },
      'Retry[0]: States.ALL must stand alone and last',
    ],
    [
      'heartbeat',
      { A: { ...task, TimeoutSeconds: 5, HeartbeatSeconds: 5 } },
      'HeartbeatSeconds must be less',
    ],
    ['a tolerance', { A: map({ ToleratedFailureCount: 1 }) }, 'needs a Map of mode DISTRIBUTED'],
    ['a long label', { A: map({ Label: 'x'.repeat(41) }) }, 'States.A.Label'],
    ['a reserved error', { A: { Type: 'Fail', Error: 'States.Mine' } }, 'reserved'],
    ['a name used twice', { A: map({ Next: 'Item', End: undefined }), Item: end }, 'its name is used twice'],
    ['states', { A: { Type: 'Pass', Assign: { states: 1 }, End: true } }, '"states" is reserved'],
    [
      'an outer variable',
      {
        A: { Type: 'Pass', Assign: { x: 1 }, Next: 'B' },
        B: {
          Type: 'Parallel',
          Branches: [{ StartAt: 'C', States: { C: { Type: 'Pass', Assign: { x: 2 }, End: true } } }],
          End: true,
        },
      },
      'variable "x" of an outer scope is assigned in an inner one',
    ],
  ])('%s', (_, states, expected) => {
    expect(refusal(states)).toContain(expected);
  });

  it('JSONPath', () => {
    expect(refusal({ A: end }, { QueryLanguage: undefined })).toContain(
      'QueryLanguage JSONPath is not implemented',
    );
    expect(refusal({ A: end }, { QueryLanguage: 'JSONPath' })).toContain('QueryLanguage');
  });

  it('all that is wrong at once', () => {
    expect(refusal({ A: { Type: 'Pass' }, B: { Type: 'Pass' } })).toMatch(/"A".*"B"/);
  });
});

it('a definition as aws-cdk-lib emits it is accepted, in any partition', () => {
  const states = {
    Each: {
      Type: 'Map',
      QueryLanguage: 'JSONata',
      End: true,
      Output: '{% $states.input %}',
      ItemSelector: { v: '{% $states.context.Map.Item.Value %}' },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Inv',
        States: {
          Inv: {
            QueryLanguage: 'JSONata',
            End: true,
            Retry: [
              { ErrorEquals: ['States.Timeout'], MaxAttempts: 2, MaxDelaySeconds: 5, JitterStrategy: 'FULL' },
            ],
            Catch: [{ Assign: { c: '{% $states.errorOutput %}' }, ErrorEquals: ['States.ALL'], Next: 'Fa' }],
            Type: 'Task',
            TimeoutSeconds: 20,
            HeartbeatSeconds: 10,
            Arguments: {
              FunctionName: 'arn:aws-cn:lambda:cn-north-1:111122223333:function:f',
              Payload: { a: '{% $states.context.Task.Token %}' },
            },
            Assign: { x: '{% 1 %}' },
            Resource: 'arn:aws-cn:states:::lambda:invoke.waitForTaskToken',
          },
          Fa: { Type: 'Fail', QueryLanguage: 'JSONata', Error: '{% $states.input.Error %}', Cause: 'c' },
        },
      },
      MaxConcurrency: 10,
      ItemReader: {
        Resource: 'arn:aws-cn:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSON' },
        Arguments: { Bucket: 'bkt', Key: '{% $k %}' },
      },
      ToleratedFailurePercentage: 100,
      Label: 'DM',
    },
  };
  expect(refusal(states, { QueryLanguage: undefined, TimeoutSeconds: 180 })).toBe('nothing was refused');
});

// The lint finds each fault that it is there for.
import { describe, expect, it } from 'vitest';
import { lint, type State, type StateList } from './definition-lint.ts';

const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'End' }] };

function withFault(faulty: Partial<State>): StateList {
  return {
    StartAt: 'First',
    States: {
      First: { Type: 'Pass', Assign: { known: 1 }, Next: 'Faulty' },
      Faulty: { Type: 'Task', Next: 'End', ...caught, ...faulty },
      End: { Type: 'Succeed' },
    },
  };
}

it('has nothing to say of a sound definition', () => {
  expect(lint(withFault({ Output: "{% $merge([$states.input, {'a': $known}]) %}" }))).toEqual([]);
});

describe('finds', () => {
  it.each<[string, Partial<State>, RegExp]>([
    ['an unknown variable', { Output: '{% $unknown.a %}' }, /uses \$unknown/],
    ['an unknown function', { Output: '{% $unknown(1) %}' }, /uses \$unknown/],
    ['a broken expression', { Output: '{% $known + %}' }, /\$known \+/],
    ['a JSONPath', { Output: '$.a' }, /JSONPath/],
    ['a field of JSONPath', { ...({ ResultPath: 'x' } as object) }, /ResultPath is JSONPath/],
    ['errorOutput outside a Catch', { Output: '{% $states.errorOutput %}' }, /errorOutput/],
    [
      'States.ALL before others',
      { Catch: [...caught.Catch, { ErrorEquals: ['NodeDown'], Next: 'End' }] },
      /States.ALL is not alone/,
    ],
    ['a task that catches nothing', { Catch: [] }, /catches not everything/],
    [
      'a token that is not handed out',
      { Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken', TimeoutSeconds: 9, HeartbeatSeconds: 3 },
      /task token/,
    ],
    [
      'a heartbeat above its timeout',
      {
        Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
        Arguments: { t: '{% $states.context.Task.Token %}' },
        TimeoutSeconds: 9,
        HeartbeatSeconds: 9,
      },
      /heartbeat/,
    ],
    ['a long label', { Type: 'Map', Label: 'x'.repeat(41) }, /label/],
    ['a Choice without Default', { Type: 'Choice', Choices: [] }, /Default/],
    ['a reserved name', { Type: 'Fail', Error: 'States.Timeout' }, /reserved/],
    [
      'an outer variable that an item assigns',
      {
        Type: 'Map',
        ItemProcessor: { StartAt: 'A', States: { A: { Type: 'Pass', Assign: { known: 2 }, End: true } } },
      },
      /outer scope/,
    ],
    [
      'an outer variable that an item uses',
      {
        Type: 'Map',
        ItemProcessor: { StartAt: 'A', States: { A: { Type: 'Pass', Output: '{% $known %}', End: true } } },
      },
      /uses \$known/,
    ],
  ])('%s', (_, faulty, problem) => {
    expect(lint(withFault(faulty)).join('\n')).toMatch(problem);
  });

  it('a variable that only one of two ways assigns', () => {
    const list = withFault({ Assign: { late: 1 } });
    list.States['End'] = { Type: 'Succeed', Output: '{% $late %}' };
    expect(lint(list).join('\n')).toMatch(/End: uses \$late/);
  });

  it('a state that nothing leads to', () => {
    const list = withFault({});
    list.States['Lost'] = { Type: 'Succeed' };
    expect(lint(list)).toEqual(['Lost: cannot be reached']);
  });
});

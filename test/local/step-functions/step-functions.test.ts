import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { ExecutionStatusChange } from '../../../local/step-functions/answers.ts';
import { createStepFunctions } from '../../../local/step-functions/step-functions.ts';
import { VirtualClock } from './virtual-clock.ts';

it('a machine that was created runs, tells of it, and ends with close', async () => {
  const clock = new VirtualClock();
  const stepFunctions = createStepFunctions(
    { partition: 'aws', region: 'eu-west-1', account: '111122223333' },
    {
      clock,
      random: { next: () => 0 },
      newId: randomUUID,
      invokeLambda: async () => ({ ok: null }),
      readObject: async () => undefined,
      authorize: () => ({ allowed: true, reason: '' }),
      mayHaveRole: () => ({ allowed: true, reason: '' }),
    },
  );
  const definition = JSON.stringify({
    QueryLanguage: 'JSONata',
    StartAt: 'Wait',
    States: { Wait: { Type: 'Wait', Seconds: 60, End: true } },
  });
  const arn = stepFunctions.create({
    name: 'backup',
    roleArn: 'arn:aws:iam::111122223333:role/r',
    definition,
  });
  expect(arn).toBe(stepFunctions.arnOf('backup'));
  expect(() => stepFunctions.create({ name: 'backup', roleArn: 'r', definition })).toThrow('Already Exists');

  const changes: ExecutionStatusChange[] = [];
  const stopListening = stepFunctions.onExecutionStatusChange((change) => changes.push(change));
  stepFunctions.start(arn, { name: 'one', input: '{}' });
  await clock.advance(60_000);
  stepFunctions.start(arn, { name: 'two', input: '{}' });
  await stepFunctions.close();
  stopListening();

  const told = changes.map(({ name, status }) => `${name} ${status}`);
  expect(told).toEqual(['one RUNNING', 'one SUCCEEDED', 'two RUNNING', 'two ABORTED']);
});

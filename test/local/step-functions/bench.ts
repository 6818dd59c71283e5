// The interpreter on a virtual clock, with functions, objects and policies that a test sets.
import { randomUUID } from 'node:crypto';
import { Evaluator } from '../../../local/step-functions/evaluator.ts';
import type { Execution } from '../../../local/step-functions/execution.ts';
import { Executions } from '../../../local/step-functions/executions.ts';
import { stepFunctionsFunctions } from '../../../local/step-functions/jsonata-functions.ts';
import type { LambdaOutcome, StepFunctionsPorts } from '../../../local/step-functions/ports.ts';
import { StateMachines } from '../../../local/step-functions/state-machines.ts';
import { VirtualClock } from './virtual-clock.ts';

const place = { partition: 'aws', region: 'eu-west-1', account: '111122223333' };
const roleArn = 'arn:aws:iam::111122223333:role/workflow';
export const functionArn = (name: string) => `arn:aws:lambda:eu-west-1:111122223333:function:${name}`;

type TestFunction = (payload: Record<string, unknown>) => LambdaOutcome | Promise<LambdaOutcome>;

export interface Bench {
  clock: VirtualClock;
  ports: StepFunctionsPorts;
  machines: StateMachines;
  executions: Executions;
  functions: Record<string, TestFunction>;
  /** `bucket/key` to text. */
  objects: Map<string, string>;
  /** `action resource`, as asked; `denied` decides. */
  asked: string[];
  denied: (action: string, resource: string) => boolean;
  randomValue: number;
  create(name: string, states: Record<string, unknown>, more?: Record<string, unknown>): string;
  start(states: Record<string, unknown>, input?: unknown, more?: Record<string, unknown>): Execution;
  /** To its end: the outcome, with its output parsed. */
  run(
    states: Record<string, unknown>,
    input?: unknown,
  ): Promise<{ status: string; output: unknown; error?: string; cause?: string; types: string[] }>;
  finish(execution: Execution): ReturnType<Bench['run']>;
}

export function makeBench(): Bench {
  const clock = new VirtualClock();
  const functions: Record<string, TestFunction> = {};
  const objects = new Map<string, string>();
  const asked: string[] = [];
  const ports: StepFunctionsPorts = {
    clock,
    random: { next: () => bench.randomValue },
    newId: randomUUID,
    async invokeLambda({ functionName, payload }) {
      const run = functions[functionName.split(':').at(-1) ?? ''];
      if (!run) return { error: 'Lambda.ResourceNotFoundException', cause: functionName };
      return run(Object(payload));
    },
    async readObject({ bucket, key }) {
      const text = objects.get(`${bucket}/${key}`);
      return text === undefined ? undefined : Buffer.from(text);
    },
    authorize(_, action, resource) {
      asked.push(`${action} ${resource}`);
      return bench.denied(action, resource)
        ? { allowed: false, reason: 'no policy allows it' }
        : { allowed: true, reason: '' };
    },
    mayHaveRole: () => ({ allowed: true, reason: '' }),
  };
  const evaluator = new Evaluator(stepFunctionsFunctions(ports));
  const machines = new StateMachines(place, ports, evaluator);
  const executions = new Executions(ports, evaluator, machines);
  const create: Bench['create'] = (name, states, more = {}) => {
    const StartAt = Object.keys(states)[0];
    const definition = JSON.stringify({ QueryLanguage: 'JSONata', StartAt, States: states, ...more });
    return machines.create({ name, roleArn, definition }).arn;
  };
  const bench: Bench = {
    clock,
    ports,
    machines,
    executions,
    functions,
    objects,
    asked,
    denied: () => false,
    randomValue: 0.5,
    create,
    start: (states, input = {}, more) =>
      executions.start(create(randomUUID(), states, more), { input: JSON.stringify(input) }),
    run: (states, input) => bench.finish(bench.start(states, input)),
    async finish(execution) {
      const { status, output, error, cause } = await clock.until(execution.done);
      return {
        status,
        output: output === undefined ? undefined : JSON.parse(output),
        ...(error !== undefined && { error }),
        ...(cause !== undefined && { cause }),
        types: execution.history.events.map((event) => event.type),
      };
    },
  };
  return bench;
}

/** A Task that invokes a function. */
export function invoke(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: functionArn(name), Payload: '{% $states.input %}' },
    Output: '{% $states.result.Payload %}',
    ...(!('Next' in more) && { End: true }),
    ...more,
  };
}

/** A Task that hands its token to a function and waits. */
export function waitForToken(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
    Arguments: {
      FunctionName: functionArn(name),
      Payload: { token: '{% $states.context.Task.Token %}', input: '{% $states.input %}' },
    },
    ...(!('Next' in more) && { End: true }),
    ...more,
  };
}

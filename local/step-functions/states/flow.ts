// Choice, Wait and Fail: states that do no work of their own.
import type { ChoiceState, FailState, WaitState } from '../definition.ts';
import { StateFailure } from '../failures.ts';
import { evaluate, type Visit } from '../strand.ts';
import { pause } from '../waiting.ts';

export interface Chosen {
  next: string;
  Output?: unknown;
  Assign?: Record<string, unknown> | undefined;
}

/** The first rule whose condition is true, with its own Output and Assign; the state's go with Default. */
export async function performChoice(visit: Visit, state: ChoiceState): Promise<Chosen> {
  for (const [index, rule] of state.Choices.entries()) {
    const answer = await evaluate(visit, rule.Condition, `Choices[${index}]/Condition`);
    if (typeof answer !== 'boolean') {
      throw new StateFailure(
        'States.QueryEvaluationError',
        `The JSONata expression '${rule.Condition}' specified for the field 'Choices[${index}]/Condition' returned an unexpected result type. Expected 'boolean', but was ${JSON.stringify(answer)}.`,
      );
    }
    if (answer) return { next: rule.Next, Output: rule.Output, Assign: rule.Assign };
  }
  if (state.Default === undefined) {
    throw new StateFailure(
      'States.NoChoiceMatched',
      `Failed to transition out of the state '${visit.name}'. The state does not point to a next state.`,
    );
  }
  return { next: state.Default, Output: state.Output, Assign: state.Assign };
}

export async function performWait(visit: Visit, state: WaitState): Promise<void> {
  const { clock } = visit.strand.engine.ports;
  await pause(clock, await waitMs(visit, state, clock.now()), visit.strand.signal);
}

async function waitMs(visit: Visit, state: WaitState, now: Date): Promise<number> {
  if (state.Timestamp === undefined) {
    return (await evaluateWholeNumber(visit, state.Seconds, 'Seconds')) * 1000;
  }
  const timestamp = await evaluate(visit, state.Timestamp, 'Timestamp');
  const until = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
  if (Number.isNaN(until)) {
    throw new StateFailure(
      'States.QueryEvaluationError',
      `Timestamp must be an ISO 8601 time, got ${JSON.stringify(timestamp)}`,
    );
  }
  return Math.max(0, until - now.getTime());
}

/** Fields that take a number or an expression of one. @throws StateFailure States.QueryEvaluationError */
export async function evaluateWholeNumber(visit: Visit, template: unknown, field: string): Promise<number> {
  const value = await evaluate(visit, template, field);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new StateFailure(
    'States.QueryEvaluationError',
    `${field} must be a whole number of at least 0, got ${JSON.stringify(value)}`,
  );
}

/** Names that start with `States.` belong to the service: a machine that passes one on is refused. */
export async function performFail(visit: Visit, state: FailState): Promise<never> {
  const [error, cause] = [await text(visit, state.Error, 'Error'), await text(visit, state.Cause, 'Cause')];
  if (error.startsWith('States.')) {
    throw new StateFailure(
      'States.Runtime',
      `Fail state '${visit.name}' has the reserved Error "${error}"; its cause is: ${cause}`,
    );
  }
  throw new StateFailure(error, cause);
}

async function text(visit: Visit, template: string | undefined, field: string): Promise<string> {
  if (template === undefined) return '';
  const value = await evaluate(visit, template, field);
  if (typeof value === 'string') return value;
  throw new StateFailure(
    'States.QueryEvaluationError',
    `${field} must be a string, got ${JSON.stringify(value)}`,
  );
}

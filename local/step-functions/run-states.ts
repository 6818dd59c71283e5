// Walks through a list of states: entering, retrying, catching, assigning, leaving.
import type { Catcher, State, StateList } from './definition.ts';
import { errorMatches, limitedJson, StateFailure } from './failures.ts';
import { RetryCounts } from './retry.ts';
import { performChoice, performFail, performWait } from './states/flow.ts';
import { performMap } from './states/map.ts';
import { performParallel } from './states/parallel.ts';
import { performTask } from './states/task.ts';
import { type ExpressionExtras, evaluate, evaluateAssign, type Strand, type Visit } from './strand.ts';
import { pause } from './waiting.ts';

/** Where a state leads to. `next` undefined: the list is done. */
interface Step {
  next: string | undefined;
  output: unknown;
  variables: Record<string, unknown>;
}

/** Runs a list of states from its start to its end. @throws StateFailure, or the strand's reason to stop */
export async function runStates(strand: Strand, list: StateList, input: unknown): Promise<unknown> {
  let name: string | undefined = list.StartAt;
  let value = input;
  while (name !== undefined) {
    strand.signal.throwIfAborted();
    const state: State | undefined = list.States[name];
    if (!state) throw new StateFailure('States.Runtime', `there is no state "${name}"`);
    const step: Step = await runState(strand, name, state, value);
    Object.assign(strand.scope.variables, step.variables);
    ({ next: name, output: value } = step);
  }
  return value;
}

async function runState(strand: Strand, name: string, state: State, input: unknown): Promise<Step> {
  const { execution, engine } = strand;
  const visit: Visit = { strand, name, input, enteredAt: engine.ports.clock.now(), retryCount: 0 };
  const text = limitedJson(input, `the input of state '${name}'`);
  execution.history.add(strand, `${state.Type}StateEntered`, {
    name,
    input: text,
    inputDetails: { truncated: false },
  });
  try {
    const step = await perform(visit, state);
    const output = limitedJson(step.output, `the output of state '${name}'`);
    const assigned = Object.entries(step.variables).map(([key, value]) => [key, JSON.stringify(value)]);
    execution.history.add(strand, `${state.Type}StateExited`, {
      name,
      output,
      outputDetails: { truncated: false },
      ...(assigned.length > 0 && { assignedVariables: Object.fromEntries(assigned) }),
    });
    return step;
  } catch (error) {
    const isAbortable = ['Task', 'Wait', 'Parallel', 'Map'].includes(state.Type);
    if (isAbortable && !(error instanceof StateFailure)) {
      execution.history.addIfRoom(strand, `${state.Type}StateAborted`);
    }
    throw error;
  }
}

function perform(visit: Visit, state: State): Promise<Step> {
  switch (state.Type) {
    case 'Task':
      return performWithHandlers(visit, state, () => performTask(visit, state));
    case 'Parallel':
      return performWithHandlers(visit, state, () => performParallel(visit, state, runStates));
    case 'Map':
      return performWithHandlers(visit, state, () => performMap(visit, state, runStates));
    case 'Choice':
      return recordingFailedEvaluation(visit, async () => {
        const chosen = await performChoice(visit, state);
        return finish(visit, chosen.next, chosen, {});
      });
    case 'Wait':
      return recordingFailedEvaluation(visit, async () => {
        await performWait(visit, state);
        return finish(visit, state.Next, state, {});
      });
    case 'Fail':
      return recordingFailedEvaluation(visit, () => performFail(visit, state));
    case 'Pass':
      return recordingFailedEvaluation(visit, () => finish(visit, state.Next, state, {}));
    case 'Succeed':
      return recordingFailedEvaluation(visit, () => finish(visit, undefined, state, {}));
  }
}

/** Output and Assign both see the variables before; without Output, the result (or the input) goes on. */
async function finish(
  visit: Visit,
  next: string | undefined,
  fields: { Output?: unknown; Assign?: Record<string, unknown> | undefined },
  extras: ExpressionExtras,
): Promise<Step> {
  const variables = await evaluateAssign(visit, fields.Assign, extras);
  const fallback = 'result' in extras ? extras.result : (extras.errorOutput ?? visit.input);
  const output =
    fields.Output === undefined ? fallback : await evaluate(visit, fields.Output, 'Output', extras);
  return { next, output, variables };
}

type Handled = Extract<State, { Type: 'Task' | 'Parallel' | 'Map' }>;

async function performWithHandlers(
  visit: Visit,
  state: Handled,
  attempt: () => Promise<unknown>,
): Promise<Step> {
  const { clock, random } = visit.strand.engine.ports;
  const retries = new RetryCounts();
  for (;;) {
    try {
      return await recordingFailedEvaluation(visit, async () => {
        const step = await finish(visit, state.Next, state, { result: await attempt() });
        limitedJson(step.output, `the output of state '${visit.name}'`);
        return step;
      });
    } catch (error) {
      if (!(error instanceof StateFailure)) throw error;
      const delayMs = retries.next(state.Retry ?? [], error.error, random);
      if (delayMs === undefined) return recordingFailedEvaluation(visit, () => caught(visit, state, error));
      visit.retryCount++;
      await pause(clock, delayMs, visit.strand.signal);
    }
  }
}

async function caught(visit: Visit, state: Handled, failure: StateFailure): Promise<Step> {
  const catcher: Catcher | undefined = state.Catch?.find((candidate) =>
    errorMatches(candidate.ErrorEquals, failure.error),
  );
  if (!catcher) throw failure;
  return finish(visit, catcher.Next, catcher, { errorOutput: failure.errorOutput });
}

async function recordingFailedEvaluation<T>(visit: Visit, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StateFailure && error.error === 'States.QueryEvaluationError') {
      visit.strand.execution.history.add(visit.strand, 'EvaluationFailed', {
        error: error.error,
        cause: error.why,
        state: visit.name,
      });
    }
    throw error;
  }
}

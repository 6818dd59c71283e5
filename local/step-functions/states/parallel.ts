// Parallel, and the running of several lines of control of which none may fail.
import pMap from 'p-map';
import type { ParallelState, StateList } from '../definition.ts';
import { limitedJson, StateFailure, Superseded } from '../failures.ts';
import { evaluate, innerStrand, type Strand, type Visit } from '../strand.ts';
import { withChildSignal } from '../waiting.ts';

export type RunStates = (strand: Strand, list: StateList, input: unknown) => Promise<unknown>;

/** Outputs in the order of branches; the first failure stops the others and is the state's own. */
export async function performParallel(
  visit: Visit,
  state: ParallelState,
  runStates: RunStates,
): Promise<unknown[]> {
  const { strand } = visit;
  const { history } = strand.execution;
  const input =
    state.Arguments === undefined ? visit.input : await evaluate(visit, state.Arguments, 'Arguments');
  limitedJson(input, `Arguments of state '${visit.name}'`);
  history.add(strand, 'ParallelStateStarted');
  try {
    const outputs = await runAllOrNone(
      strand.signal,
      state.Branches,
      state.Branches.length,
      (branch, _, signal) => runStates(innerStrand(strand, signal), branch, input),
    );
    limitedJson(outputs, `the result of state '${visit.name}'`);
    history.add(strand, 'ParallelStateSucceeded');
    return outputs;
  } catch (error) {
    if (error instanceof StateFailure) history.addIfRoom(strand, 'ParallelStateFailed');
    throw error;
  }
}

/** Waits until every line has really ended, also after a failure. @throws the first failure */
export async function runAllOrNone<Item>(
  parent: AbortSignal,
  items: readonly Item[],
  concurrency: number,
  run: (item: Item, index: number, signal: AbortSignal) => Promise<unknown>,
): Promise<unknown[]> {
  return withChildSignal(parent, async (controller) => {
    const failures: unknown[] = [];
    const outputs = await pMap(
      items,
      async (item, index) => {
        if (controller.signal.aborted) return undefined;
        try {
          return await run(item, index, controller.signal);
        } catch (error) {
          failures.push(error);
          controller.abort(new Superseded('another branch or iteration failed'));
          return undefined;
        }
      },
      { concurrency },
    );
    parent.throwIfAborted();
    if (failures.length > 0) throw failures[0];
    return outputs;
  });
}

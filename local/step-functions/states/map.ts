// Map: the iterations of an inline one. A Distributed Map's children are in distributed-map.ts.
import type { MapState } from '../definition.ts';
import { limitedJson, StateFailure } from '../failures.ts';
import { innerStrand, type MapItem, type Visit } from '../strand.ts';
import { performDistributedMap } from './distributed-map.ts';
import { evaluateWholeNumber } from './flow.ts';
import { inlineItems, selectItem } from './items.ts';
import { type RunStates, runAllOrNone } from './parallel.ts';

/** What the service runs at once when nothing is said. */
const INLINE_CONCURRENCY = 40;

export async function performMap(visit: Visit, state: MapState, runStates: RunStates): Promise<unknown> {
  if (state.ItemProcessor.ProcessorConfig?.Mode === 'DISTRIBUTED') return performDistributedMap(visit, state);
  const { strand } = visit;
  const { history } = strand.execution;
  const items = await inlineItems(visit, state);
  const concurrency = await evaluateWholeNumber(visit, state.MaxConcurrency ?? 0, 'MaxConcurrency');
  history.add(strand, 'MapStateStarted', { length: items.length });
  try {
    const outputs = await runAllOrNone(
      strand.signal,
      items,
      concurrency || INLINE_CONCURRENCY,
      (value, index, signal) => iterate(visit, state, { Index: index, Value: value }, signal, runStates),
    );
    limitedJson(outputs, `the result of state '${visit.name}'`);
    history.add(strand, 'MapStateSucceeded');
    return outputs;
  } catch (error) {
    if (error instanceof StateFailure) history.addIfRoom(strand, 'MapStateFailed');
    throw error;
  }
}

async function iterate(
  visit: Visit,
  state: MapState,
  item: MapItem,
  signal: AbortSignal,
  runStates: RunStates,
): Promise<unknown> {
  const { history } = visit.strand.execution;
  const strand = innerStrand(visit.strand, signal, item);
  const about = { name: visit.name, index: item.Index };
  history.add(strand, 'MapIterationStarted', about);
  try {
    const output = await runStates(strand, state.ItemProcessor, await selectItem(visit, state, item));
    history.add(strand, 'MapIterationSucceeded', about);
    return output;
  } catch (error) {
    const ending = error instanceof StateFailure ? 'MapIterationFailed' : 'MapIterationAborted';
    history.addIfRoom(strand, ending, about);
    throw error;
  }
}

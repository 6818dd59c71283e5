// A Distributed Map: each item is an execution of its own; failures are counted against the tolerance.
import pMap from 'p-map';
import type { MapState } from '../definition.ts';
import { limitedJson, StateFailure, Superseded } from '../failures.ts';
import type { MapRun } from '../map-run.ts';
import { evaluate, type Visit } from '../strand.ts';
import { withChildSignal } from '../waiting.ts';
import { evaluateWholeNumber } from './flow.ts';
import { inlineItems, readItems, selectItem } from './items.ts';

/** What the service runs at once when nothing is said. */
const DISTRIBUTED_CONCURRENCY = 10_000;

/** The outputs of the children that succeeded, in the order of items. @throws StateFailure */
export async function performDistributedMap(visit: Visit, state: MapState): Promise<unknown> {
  const { strand } = visit;
  const { execution, engine } = strand;
  authorizeChildren(visit);
  const items = state.ItemReader ? await readItems(visit, state.ItemReader) : await inlineItems(visit, state);
  const inputs = await childInputs(visit, state, items);
  const mapRun = engine.openMapRun(execution, state, {
    total: items.length,
    maxConcurrency: await evaluateWholeNumber(visit, state.MaxConcurrency ?? 0, 'MaxConcurrency'),
    toleratedFailureCount: await evaluateWholeNumber(
      visit,
      state.ToleratedFailureCount ?? 0,
      'ToleratedFailureCount',
    ),
    toleratedFailurePercentage: await percentage(visit, state),
  });
  execution.history.add(strand, 'MapStateStarted', { length: items.length });
  execution.history.add(strand, 'MapRunStarted', { mapRunArn: mapRun.arn });
  try {
    const outputs = await runChildren(visit, state, mapRun, inputs);
    execution.history.add(strand, 'MapRunSucceeded');
    limitedJson(outputs, `the result of state '${visit.name}'`);
    execution.history.add(strand, 'MapStateSucceeded');
    return outputs;
  } catch (error) {
    tellMapFailure(visit, error);
    throw error;
  }
}

async function runChildren(
  visit: Visit,
  state: MapState,
  mapRun: MapRun,
  inputs: readonly string[],
): Promise<unknown[]> {
  const { engine, execution, signal } = visit.strand;
  try {
    const outputs = await withChildSignal(signal, (controller) =>
      pMap(
        inputs,
        async (input): Promise<{ output: unknown } | undefined> => {
          if (controller.signal.aborted) return undefined;
          const child = engine.startChild(mapRun, execution, state, input, controller.signal);
          mapRun.childStarted();
          const { status, output } = await child.done;
          mapRun.childEnded(status);
          if (mapRun.isToleranceExceeded) controller.abort(new Superseded('tolerance exceeded'));
          return output === undefined ? undefined : { output: JSON.parse(output) };
        },
        { concurrency: mapRun.settings.maxConcurrency || DISTRIBUTED_CONCURRENCY },
      ),
    );
    signal.throwIfAborted();
    if (mapRun.isToleranceExceeded) {
      throw new StateFailure(
        'States.ExceedToleratedFailureThreshold',
        'The specified tolerated failure threshold was exceeded',
      );
    }
    mapRun.end('SUCCEEDED');
    return outputs.flatMap((result) => (result ? [result.output] : []));
  } catch (error) {
    mapRun.end(error instanceof StateFailure ? 'FAILED' : 'ABORTED');
    throw error;
  }
}

function tellMapFailure(visit: Visit, error: unknown): void {
  const { history } = visit.strand.execution;
  if (error instanceof StateFailure) {
    if (error.error !== 'States.DataLimitExceeded') {
      history.addIfRoom(visit.strand, 'MapRunFailed', { error: error.error, cause: error.why });
    }
    history.addIfRoom(visit.strand, 'MapStateFailed');
  } else {
    history.addIfRoom(visit.strand, 'MapRunAborted');
  }
}

async function childInputs(visit: Visit, state: MapState, items: readonly unknown[]): Promise<string[]> {
  const inputs: string[] = [];
  for (const [index, value] of items.entries()) {
    const selected = await selectItem(visit, state, { Index: index, Value: value });
    inputs.push(limitedJson(selected, `item ${index} of state '${visit.name}'`));
  }
  return inputs;
}

async function percentage(visit: Visit, state: MapState): Promise<number> {
  const field = 'ToleratedFailurePercentage';
  const value = await evaluate(visit, state.ToleratedFailurePercentage ?? 0, field);
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  throw new StateFailure(
    'States.QueryEvaluationError',
    `${field} must be a number from 0 to 100, got ${JSON.stringify(value)}`,
  );
}

/** The machine's role starts, watches and stops the children. @see Developer Guide, "IAM policies for Distributed Map" */
function authorizeChildren(visit: Visit): void {
  const { execution, engine } = visit.strand;
  const { machine, arn } = execution.plan;
  const needed = [
    ['states:StartExecution', machine.arn],
    ['states:DescribeExecution', arn],
    ['states:StopExecution', arn],
  ] as const;
  for (const [action, resource] of needed) {
    const decision = engine.ports.authorize(machine.roleArn, action, resource);
    if (!decision.allowed) {
      throw new StateFailure(
        'States.Permissions',
        `${machine.roleArn} is not authorized to perform: ${action} on resource: ${resource}: ${decision.reason}`,
      );
    }
  }
}

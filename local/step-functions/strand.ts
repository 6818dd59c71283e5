// One line of control through states: an execution's main line, a branch, an iteration. And the visit of one state.
import type { MapState } from './definition.ts';
import type { Evaluator } from './evaluator.ts';
import type { Execution } from './execution.ts';
import { limitedJson } from './failures.ts';
import type { MapRun } from './map-run.ts';
import type { StepFunctionsPorts } from './ports.ts';
import type { TaskTokens } from './task-tokens.ts';

/** What states need of the executions around theirs. */
export interface Engine {
  readonly ports: StepFunctionsPorts;
  readonly evaluator: Evaluator;
  readonly tokens: TaskTokens;
  /** @throws ServiceError as StartExecution does */
  start(machineArn: string, request: { name?: string; input: string }): Execution;
  openMapRun(parent: Execution, state: MapState, settings: Omit<MapRunSettings, 'label'>): MapRun;
  /** A child that ends ABORTED when the signal is aborted. */
  startChild(
    mapRun: MapRun,
    parent: Execution,
    state: MapState,
    input: string,
    signal: AbortSignal,
  ): Execution;
}

export interface MapRunSettings {
  label: string;
  total: number;
  maxConcurrency: number;
  toleratedFailureCount: number;
  toleratedFailurePercentage: number;
}

/** Variables of one scope; inner ones read the outer and assign their own. */
interface Scope {
  outer?: Scope;
  variables: Record<string, unknown>;
}

export interface Strand {
  readonly engine: Engine;
  readonly execution: Execution;
  readonly scope: Scope;
  readonly signal: AbortSignal;
  /** `$states.context.Map.Item`, in an inline Map. */
  readonly item?: MapItem;
  lastEventId: number;
}
export interface MapItem {
  Index: number;
  Value: unknown;
}

/** A state, entered. */
export interface Visit {
  readonly strand: Strand;
  readonly name: string;
  readonly input: unknown;
  readonly enteredAt: Date;
  retryCount: number;
  taskToken?: string;
}

/** An inner line of control: a branch or an iteration. */
export function innerStrand(outer: Strand, signal: AbortSignal, item?: MapItem): Strand {
  const ownItem = item ?? outer.item;
  return {
    engine: outer.engine,
    execution: outer.execution,
    scope: { outer: outer.scope, variables: {} },
    signal,
    lastEventId: outer.lastEventId,
    ...(ownItem && { item: ownItem }),
  };
}

/** What else an expression sees under `$states`, and an item that goes before the strand's own. */
export interface ExpressionExtras {
  result?: unknown;
  errorOutput?: unknown;
  item?: MapItem;
}

/** Evaluates a field of the state visited, with its variables and `$states`. @throws StateFailure */
export async function evaluate(
  visit: Visit,
  template: unknown,
  field: string,
  extras: ExpressionExtras = {},
): Promise<unknown> {
  const { engine, scope } = visit.strand;
  const { item, ...fields } = extras;
  const states = { input: visit.input, context: contextOf(visit, item), ...fields };
  return engine.evaluator.evaluate(template, { ...visibleVariables(scope), states }, field);
}

/** Evaluated together, from the variables before. @throws StateFailure */
export async function evaluateAssign(
  visit: Visit,
  assign: Record<string, unknown> | undefined,
  extras: ExpressionExtras,
): Promise<Record<string, unknown>> {
  if (!assign) return {};
  const values = (await evaluate(visit, assign, 'Assign', extras)) as Record<string, unknown>;
  limitedJson(values, `Assign of state '${visit.name}'`);
  return values;
}

function visibleVariables(scope: Scope): Record<string, unknown> {
  return scope.outer ? { ...visibleVariables(scope.outer), ...scope.variables } : scope.variables;
}

function contextOf(visit: Visit, item: MapItem | undefined): Record<string, unknown> {
  const { plan, startDate } = visit.strand.execution;
  const mapItem = item ?? visit.strand.item;
  return {
    Execution: {
      Id: plan.arn,
      Input: JSON.parse(plan.input),
      Name: plan.name,
      RoleArn: plan.machine.roleArn,
      StartTime: startDate.toISOString(),
      RedriveCount: 0,
    },
    State: {
      EnteredTime: visit.enteredAt.toISOString(),
      Name: visit.name,
      RetryCount: visit.retryCount,
    },
    StateMachine: { Id: plan.stateMachineArn, Name: plan.machine.name },
    ...(visit.taskToken !== undefined && { Task: { Token: visit.taskToken } }),
    ...(mapItem && { Map: { Item: mapItem } }),
  };
}

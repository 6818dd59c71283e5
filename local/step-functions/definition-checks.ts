// What a definition says beyond its shape: transitions, handlers, resources, expressions, variables. Like
// CreateStateMachine, and stricter where the local interpreter implements less.
import type { Definition, State, StateList } from './definition.ts';
import { InvalidDefinition } from './definition.ts';
import { type Evaluator, expressionIn } from './evaluator.ts';
import { argumentNames, isJsonReader, parseResource, resourceNames } from './resources.ts';

interface Check {
  evaluator: Evaluator;
  problems: string[];
  /** State names are unique in the whole machine, branches included. */
  seen: Set<string>;
}

/** @throws InvalidDefinition with every problem found */
export function checkDefinition(definition: Definition, evaluator: Evaluator): void {
  const check: Check = { evaluator, problems: [], seen: new Set() };
  checkList(check, definition, definition.QueryLanguage === 'JSONata', new Set());
  if (check.problems.length > 0) throw new InvalidDefinition(check.problems);
}

function checkList(check: Check, list: StateList, isJsonata: boolean, outerVariables: Set<string>): void {
  const names = new Set(Object.keys(list.States));
  if (!names.has(list.StartAt)) check.problems.push(`StartAt: there is no state "${list.StartAt}"`);
  const variables = new Set(Object.values(list.States).flatMap(assignedVariables));
  for (const variable of variables) {
    if (variable === 'states') check.problems.push('Assign: "states" is reserved');
    if (outerVariables.has(variable)) {
      check.problems.push(`Assign: variable "${variable}" of an outer scope is assigned in an inner one`);
    }
  }
  const visible = new Set([...outerVariables, ...variables]);
  for (const [name, state] of Object.entries(list.States)) {
    const problem = (text: string) => check.problems.push(`state "${name}": ${text}`);
    if (name.length > 80) problem('its name has more than 80 characters');
    if (check.seen.has(name)) problem('its name is used twice');
    check.seen.add(name);
    if (!isJsonata && state.QueryLanguage !== 'JSONata') problem('QueryLanguage JSONPath is not implemented');
    for (const target of transitions(state)) {
      if (!names.has(target)) problem(`there is no state "${target}" to go to`);
    }
    checkState(state, problem);
    checkExpressions(check.evaluator, ownFields(state), '', problem);
    checkInner(check, state, isJsonata, visible);
  }
}

function checkInner(check: Check, state: State, isJsonata: boolean, visible: Set<string>): void {
  const jsonata = isJsonata || state.QueryLanguage === 'JSONata';
  if (state.Type === 'Parallel') {
    for (const branch of state.Branches) checkList(check, branch, jsonata, visible);
  } else if (state.Type === 'Map') {
    const isDistributed = state.ItemProcessor.ProcessorConfig?.Mode === 'DISTRIBUTED';
    checkList(check, state.ItemProcessor, jsonata, isDistributed ? new Set() : visible);
  }
}

function checkState(state: State, problem: (text: string) => void): void {
  if ('End' in state || 'Next' in state) {
    if (state.End && state.Next) problem('has both Next and End');
  }
  if (
    (state.Type === 'Task' ||
      state.Type === 'Pass' ||
      state.Type === 'Wait' ||
      state.Type === 'Parallel' ||
      state.Type === 'Map') &&
    !state.End &&
    state.Next === undefined
  ) {
    problem('has neither Next nor End');
  }
  if ('Retry' in state || 'Catch' in state) {
    checkErrorEquals([...(state.Retry ?? [])], 'Retry', problem);
    checkErrorEquals([...(state.Catch ?? [])], 'Catch', problem);
  }
  if (state.Type === 'Task') checkTask(state, problem);
  if (state.Type === 'Map') checkMap(state, problem);
  if (state.Type === 'Wait' && (state.Seconds === undefined) === (state.Timestamp === undefined)) {
    problem('must have one of Seconds and Timestamp');
  }
  if (state.Type === 'Fail' && state.Error?.startsWith('States.')) {
    problem(`Error "${state.Error}" starts with "States.", which is reserved`);
  }
}

function checkErrorEquals(
  handlers: ReadonlyArray<{ ErrorEquals: string[] }>,
  field: string,
  problem: (text: string) => void,
): void {
  for (const [index, handler] of handlers.entries()) {
    const isAll = handler.ErrorEquals.includes('States.ALL');
    if (isAll && (handler.ErrorEquals.length > 1 || index < handlers.length - 1)) {
      problem(`${field}[${index}]: States.ALL must stand alone and last`);
    }
  }
}

function checkTask(state: Extract<State, { Type: 'Task' }>, problem: (text: string) => void): void {
  const resource = parseResource(state.Resource);
  if (!resource) {
    problem(`Resource "${state.Resource}" is not implemented; implemented are ${resourceNames.join(', ')}`);
    return;
  }
  const { TimeoutSeconds: timeout, HeartbeatSeconds: heartbeat } = state;
  if (typeof timeout === 'number' && typeof heartbeat === 'number' && heartbeat >= timeout) {
    problem('HeartbeatSeconds must be less than TimeoutSeconds');
  }
  if (expressionIn(state.Arguments) !== undefined) return;
  for (const complaint of argumentProblems(resource.kind, state.Arguments)) problem(complaint);
}

/** Of Arguments as written, and again as evaluated. */
export function argumentProblems(kind: 'lambda' | 'states', given: unknown): string[] {
  const [required, ...optional] = argumentNames[kind];
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return ['Arguments must be an object'];
  const unknown = Object.keys(given).filter((key) => key !== required && !optional.includes(key));
  const problems = unknown.map((key) => `Arguments: field "${key}" is not implemented`);
  if (!(required in given)) problems.push(`Arguments: field "${required}" is missing`);
  return problems;
}

function checkMap(state: Extract<State, { Type: 'Map' }>, problem: (text: string) => void): void {
  if (state.ItemReader && !isJsonReader(state.ItemReader.Resource)) {
    problem(`ItemReader.Resource "${state.ItemReader.Resource}" is not implemented`);
  }
  if (state.ItemReader && state.Items !== undefined) problem('has both Items and ItemReader');
  if (state.Label && !/^[\w.+=@-]+$/.test(state.Label))
    problem(`Label "${state.Label}" has special characters`);
  if (state.ItemProcessor.ProcessorConfig?.Mode === 'DISTRIBUTED') return;
  const distributedOnly = [
    'ItemReader',
    'ToleratedFailureCount',
    'ToleratedFailurePercentage',
    'Label',
  ] as const;
  for (const field of distributedOnly) {
    if (state[field] !== undefined) problem(`${field} needs a Map of mode DISTRIBUTED`);
  }
}

function checkExpressions(
  evaluator: Evaluator,
  value: unknown,
  path: string,
  problem: (text: string) => void,
): void {
  const source = expressionIn(value);
  if (source !== undefined) {
    try {
      evaluator.compile(source);
    } catch (error) {
      const why = error instanceof Error || hasMessage(error) ? error.message : String(error);
      problem(`${path}: ${JSON.stringify(source)} is not JSONata: ${why}`);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      if (key.endsWith('.$')) problem(`${path}/${key}: JSONPath fields are not implemented`);
      checkExpressions(evaluator, inner, `${path}/${key}`, problem);
    }
  }
}

function hasMessage(error: unknown): error is { message: string } {
  return typeof error === 'object' && error !== null && 'message' in error;
}

/** The state without the lists inside it, which are checked as lists. */
function ownFields(state: State): unknown {
  if (state.Type === 'Parallel') return { ...state, Branches: undefined };
  if (state.Type === 'Map') return { ...state, ItemProcessor: undefined };
  return state;
}

function assignedVariables(state: State): string[] {
  const assigns: unknown[] = [];
  if ('Assign' in state) assigns.push(state.Assign);
  if ('Catch' in state) assigns.push(...(state.Catch ?? []).map((catcher) => catcher.Assign));
  if (state.Type === 'Choice') assigns.push(...state.Choices.map((rule) => rule.Assign));
  return assigns.flatMap((values) => (values ? Object.keys(values) : []));
}

function transitions(state: State): string[] {
  const targets: Array<string | undefined> = [];
  if ('Next' in state) targets.push(state.Next);
  if ('Catch' in state) targets.push(...(state.Catch ?? []).map((catcher) => catcher.Next));
  if (state.Type === 'Choice') targets.push(state.Default, ...state.Choices.map((rule) => rule.Next));
  return targets.filter((target) => target !== undefined);
}

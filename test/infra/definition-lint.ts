// What no linter finds in a state machine's definition. Each rule is one that a synth of ours could break unseen.
import jsonata from 'jsonata';

export interface State {
  Type: string;
  Resource?: string;
  Next?: string;
  End?: boolean;
  Default?: string;
  Choices?: Array<{ Condition?: string; Next: string; Assign?: Record<string, unknown> }>;
  Catch?: Array<{ ErrorEquals: string[]; Next: string; Assign?: Record<string, unknown>; Output?: unknown }>;
  Retry?: Array<{ ErrorEquals: string[] }>;
  Assign?: Record<string, unknown>;
  Arguments?: unknown;
  TimeoutSeconds?: unknown;
  HeartbeatSeconds?: unknown;
  Label?: string;
  Error?: string;
  ItemProcessor?: StateList & { ProcessorConfig?: { Mode?: string } };
  Output?: unknown;
}
export interface StateList {
  StartAt: string;
  States: Record<string, State>;
}

type Report = (problem: string) => void;
interface Node {
  type?: string;
  value?: unknown;
  [key: string]: unknown;
}

/** Everything wrong with a definition, as text. */
export function lint(definition: StateList): string[] {
  const problems: string[] = [];
  lintList(definition, new Set(), problems);
  return problems;
}

function lintList(list: StateList, outer: ReadonlySet<string>, problems: string[]): void {
  const assigned = assignedBefore(list);
  for (const [name, state] of Object.entries(list.States)) {
    const report: Report = (problem) => problems.push(`${name}: ${problem}`);
    const known = assigned.get(name);
    if (!known) report('cannot be reached');
    checkHandlers(state, report);
    checkTask(state, report);
    checkText(state, report);
    if (state.Type === 'Choice' && !state.Default) report('has no Default');
    if (state.Label && state.Label.length > 40) report(`has a label of ${state.Label.length} characters`);
    for (const variable of variablesAssigned(state)) {
      if (outer.has(variable)) report(`assigns $${variable}, which an outer scope assigns`);
    }
    for (const variable of variablesUsed(state, report)) {
      if (!known?.has(variable)) report(`uses $${variable}, which is not assigned on every way to it`);
    }
    if (state.ItemProcessor) {
      const all = Object.values(list.States).flatMap((each) => [...variablesAssigned(each)]);
      lintList(state.ItemProcessor, new Set([...outer, ...all]), problems);
    }
  }
}

/** For each state that can be reached, the variables that every way to it assigns. */
function assignedBefore(list: StateList): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>([[list.StartAt, new Set()]]);
  const todo = [list.StartAt];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const state = list.States[name];
    if (!state) continue;
    for (const { to, assign } of waysFrom(state)) {
      const arriving = new Set([...(known.get(name) ?? []), ...Object.keys(assign ?? {})]);
      const before = known.get(to);
      const both = before ? new Set([...before].filter((each) => arriving.has(each))) : arriving;
      if (before && both.size === before.size) continue;
      known.set(to, both);
      todo.push(to);
    }
  }
  return known;
}

function waysFrom(state: State): Array<{ to: string; assign: Record<string, unknown> | undefined }> {
  return [
    ...[state.Next, state.Default].flatMap((to) => (to ? [{ to, assign: state.Assign }] : [])),
    ...[...(state.Choices ?? []), ...(state.Catch ?? [])].map(({ Next, Assign }) => ({
      to: Next,
      assign: Assign,
    })),
  ];
}

function variablesAssigned(state: State): Set<string> {
  const assigns = [state, ...(state.Choices ?? []), ...(state.Catch ?? [])].map(({ Assign }) => Assign ?? {});
  return new Set(assigns.flatMap(Object.keys));
}

function checkHandlers(state: State, report: Report): void {
  for (const handlers of [state.Retry ?? [], state.Catch ?? []]) {
    for (const [index, { ErrorEquals }] of handlers.entries()) {
      const isAll = ErrorEquals.includes('States.ALL');
      if (isAll && (ErrorEquals.length > 1 || index < handlers.length - 1))
        report('States.ALL is not alone and last');
    }
  }
  if (
    ['Task', 'Map'].includes(state.Type) &&
    !state.Catch?.some(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'))
  ) {
    report('catches not everything');
  }
  if (state.Type === 'Fail' && state.Error?.startsWith('States.')) report('fails by a reserved name');
}

function checkTask(state: State, report: Report): void {
  if (!state.Resource?.endsWith('.waitForTaskToken')) return;
  if (!JSON.stringify(state.Arguments ?? {}).includes('$states.context.Task.Token')) {
    report('waits for a task token that it does not hand out');
  }
  const { TimeoutSeconds: timeout, HeartbeatSeconds: heartbeat } = state;
  if (timeout === undefined || heartbeat === undefined) report('waits without timeout and heartbeat');
  if (typeof timeout === 'number' && typeof heartbeat === 'number' && heartbeat >= timeout) {
    report('has a heartbeat that is not below its timeout');
  }
}

/** JSONPath is rendered by the CDK without complaint, and means nothing in JSONata. */
function checkText(state: State, report: Report): void {
  const { Catch, ItemProcessor: _, ...own } = state;
  for (const [key, value] of leaves(own)) {
    if (/(?:Path|\.\$)$/.test(key)) report(`${key} is JSONPath`);
    if (typeof value === 'string' && /^\$/.test(value)) report(`"${value}" is JSONPath`);
    if (typeof value === 'string' && value.includes('$states.errorOutput'))
      report('errorOutput outside a Catch');
  }
}

function* leaves(value: unknown, key = ''): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null) yield [key, value];
  else for (const [inner, each] of Object.entries(value)) yield* leaves(each, inner);
}

function variablesUsed(state: State, report: Report): Set<string> {
  const used = new Set<string>();
  const { ItemProcessor: _, ...own } = state;
  for (const [, value] of leaves(own)) {
    const [, expression] = /^\{%([\s\S]*)%\}$/.exec(String(value)) ?? [];
    if (expression === undefined) continue;
    try {
      collect(jsonata(expression).ast() as unknown as Node, used);
    } catch (error) {
      report(`${expression.trim()}: ${(error as Error).message ?? JSON.stringify(error)}`);
    }
  }
  used.delete('states');
  used.delete('');
  return used;
}

/** A called function is a variable to JSONata: those of its own library exist. */
function collect(node: unknown, used: Set<string>): void {
  if (Array.isArray(node)) for (const each of node) collect(each, used);
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
  const { type, value, procedure, ...rest } = node as Node & { procedure?: Node };
  if (type === 'variable') used.add(String(value));
  const isBuiltIn = procedure?.type === 'variable' && BUILT_IN.has(String(procedure.value));
  if (!isBuiltIn) collect(procedure, used);
  if (typeof value === 'object') collect(value, used);
  for (const each of Object.values(rest)) collect(each, used);
}

const BUILT_IN = new Set(
  'merge substring exists not append string count join min max ceil millis toMillis'.split(' '),
);

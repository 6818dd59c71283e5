// CloudFormation's intrinsic functions. What is not known here is refused by name, never passed on as data.
import { DeploymentRefused } from './errors.ts';

/** What a template's references mean while it is deployed. */
export interface Scope {
  /** A parameter, a pseudo-parameter, or the physical ID of a resource that exists. */
  ref(name: string): unknown;
  attribute(logicalId: string, attribute: string): unknown;
  condition(name: string): boolean;
  mapping(map: string, top: string, second: string): unknown;
}

/** `AWS::NoValue`: the property is left out. */
const NO_VALUE = Symbol('AWS::NoValue');
type Arguments = (scope: Scope, argument: unknown, path: string) => unknown;

const functions: Record<string, Arguments> = {
  Ref: (scope, name, path) => (name === 'AWS::NoValue' ? NO_VALUE : scope.ref(text(name, path))),
  'Fn::GetAtt': (scope, argument, path) => {
    const [logicalId, attribute] =
      typeof argument === 'string'
        ? splitOnce(argument)
        : list(argument, path, 2).map((each) => text(each, path));
    return scope.attribute(logicalId ?? '', attribute ?? '');
  },
  'Fn::Join': (scope, argument, path) => {
    const [separator, parts] = list(argument, path, 2);
    return list(evaluate(scope, parts, path), path)
      .map((part) => text(part, path))
      .join(text(separator, path));
  },
  'Fn::Sub': substitute,
  'Fn::Select': (scope, argument, path) => {
    const [index, values] = list(argument, path, 2);
    const chosen = list(evaluate(scope, values, path), path)[Number(evaluate(scope, index, path))];
    if (chosen === undefined)
      throw new DeploymentRefused(`${path}: Fn::Select has no element ${String(index)}`);
    return chosen;
  },
  'Fn::Split': (scope, argument, path) => {
    const [separator, value] = list(argument, path, 2);
    return text(evaluate(scope, value, path), path).split(text(separator, path));
  },
  'Fn::If': (scope, argument, path) => {
    const [name, then, otherwise] = list(argument, path, 3);
    return evaluate(scope, scope.condition(text(name, path)) ? then : otherwise, path);
  },
  'Fn::FindInMap': (scope, argument, path) => {
    const [map, top, second] = list(argument, path, 3).map((each) => text(evaluate(scope, each, path), path));
    return scope.mapping(map ?? '', top ?? '', second ?? '');
  },
};

const conditionFunctions: Record<string, (scope: Scope, argument: unknown, path: string) => boolean> = {
  Condition: (scope, name, path) => scope.condition(text(name, path)),
  'Fn::Equals': (scope, argument, path) => {
    const [left, right] = list(argument, path, 2).map((each) => resolveValue(scope, each, path));
    return JSON.stringify(left) === JSON.stringify(right);
  },
  'Fn::Not': (scope, argument, path) => !resolveCondition(scope, list(argument, path, 1)[0], path),
  'Fn::And': (scope, argument, path) =>
    list(argument, path).every((each) => resolveCondition(scope, each, path)),
  'Fn::Or': (scope, argument, path) =>
    list(argument, path).some((each) => resolveCondition(scope, each, path)),
};

/**
 * The value with all functions evaluated; properties that are `AWS::NoValue` are left out.
 * @param path names the place in errors
 * @throws DeploymentRefused
 */
export function resolveValue(scope: Scope, value: unknown, path: string): unknown {
  const resolved = evaluate(scope, value, path);
  return resolved === NO_VALUE ? undefined : resolved;
}

/** @throws DeploymentRefused where it is not a condition function */
export function resolveCondition(scope: Scope, value: unknown, path: string): boolean {
  const [name, argument] = functionOf(value) ?? [];
  const evaluateCondition = name === undefined ? undefined : conditionFunctions[name];
  if (!evaluateCondition) {
    throw new DeploymentRefused(
      `${path}: got ${name ?? JSON.stringify(value)}, expected a condition function`,
    );
  }
  return evaluateCondition(scope, argument, path);
}

function evaluate(scope: Scope, value: unknown, path: string): unknown {
  if (Array.isArray(value)) {
    return value
      .map((each, index) => evaluate(scope, each, `${path}[${index}]`))
      .filter((each) => each !== NO_VALUE);
  }
  if (typeof value !== 'object' || value === null) return value;
  const call = functionOf(value);
  if (call) {
    const known = functions[call[0]];
    if (!known) throw new DeploymentRefused(`${path}: ${call[0]} is not implemented by the local deployer`);
    return known(scope, call[1], path);
  }
  const entries = Object.entries(value)
    .map(([key, each]) => [key, evaluate(scope, each, `${path}.${key}`)] as const)
    .filter(([, each]) => each !== NO_VALUE);
  return Object.fromEntries(entries);
}

/** The name and argument, where the value is a function's only key. */
export function functionOf(value: unknown): [string, unknown] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length !== 1 || !first) return undefined;
  if (first[0] === 'Condition') return typeof first[1] === 'string' ? first : undefined;
  return first[0] === 'Ref' || first[0].startsWith('Fn::') ? first : undefined;
}

/** `${Name}`, `${Name.Attribute}`; `${!Literal}` is not one of them. */
export const SUBSTITUTION = /\$\{(!?)([^}]+)\}/g;

function substitute(scope: Scope, argument: unknown, path: string): string {
  const [pattern, given] = typeof argument === 'string' ? [argument, {}] : list(argument, path, 2);
  const own = new Map(Object.entries(given ?? {}));
  return text(pattern, path).replaceAll(SUBSTITUTION, (_whole, literal: string, name: string) => {
    if (literal) return `\${${name}}`;
    if (own.has(name)) return text(evaluate(scope, own.get(name), path), path);
    return text(name.includes('.') ? scope.attribute(...splitOnce(name)) : scope.ref(name), path);
  });
}

function splitOnce(name: string): [string, string] {
  const dot = name.indexOf('.');
  return [name.slice(0, dot), name.slice(dot + 1)];
}

function text(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new DeploymentRefused(`${path}: got ${JSON.stringify(value)}, expected text`);
}

function list(value: unknown, path: string, length?: number): unknown[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
    throw new DeploymentRefused(
      `${path}: got ${JSON.stringify(value)}, expected a list of ${length ?? 'values'}`,
    );
  }
  return value;
}

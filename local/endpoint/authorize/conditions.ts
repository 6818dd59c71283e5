// Condition blocks of IAM policies: the operators that we use, with IAM's rules for missing keys and for sets.
// Source: "IAM JSON policy elements: Condition operators", IAM User Guide.
import type { ConditionContext } from '../service.ts';
import { compilePattern, substitute } from './patterns.ts';

/** One value of the request against one value of the policy. */
type Comparison = (actual: string, expected: string, context: ConditionContext) => boolean;

interface Operator {
  compare: Comparison;
  /** True if none of the policy's values may match; such an operator holds for a missing key. */
  negated: boolean;
}

const equals: Comparison = (actual, expected, context) => actual === substitute(expected, context);
const equalsIgnoreCase: Comparison = (actual, expected, context) =>
  actual.toLowerCase() === substitute(expected, context)?.toLowerCase();
const like: Comparison = (actual, expected, context) =>
  compilePattern(expected, context)?.test(actual) ?? false;
const number =
  (test: (actual: number, expected: number) => boolean): Comparison =>
  (actual, expected) =>
    test(Number(actual), Number(expected));
const date =
  (test: (actual: number, expected: number) => boolean): Comparison =>
  (actual, expected) =>
    test(Date.parse(actual), Date.parse(expected));
const bool: Comparison = (actual, expected) => actual.toLowerCase() === expected.toLowerCase();

const plain = (compare: Comparison): Operator => ({ compare, negated: false });
const not = (compare: Comparison): Operator => ({ compare, negated: true });

const operators = new Map<string, Operator>(
  Object.entries({
    StringEquals: plain(equals),
    StringNotEquals: not(equals),
    StringEqualsIgnoreCase: plain(equalsIgnoreCase),
    StringNotEqualsIgnoreCase: not(equalsIgnoreCase),
    StringLike: plain(like),
    StringNotLike: not(like),
    ArnEquals: plain(like),
    ArnNotEquals: not(like),
    ArnLike: plain(like),
    ArnNotLike: not(like),
    Bool: plain(bool),
    NumericEquals: plain(number((actual, expected) => actual === expected)),
    NumericNotEquals: not(number((actual, expected) => actual === expected)),
    NumericLessThan: plain(number((actual, expected) => actual < expected)),
    NumericLessThanEquals: plain(number((actual, expected) => actual <= expected)),
    NumericGreaterThan: plain(number((actual, expected) => actual > expected)),
    NumericGreaterThanEquals: plain(number((actual, expected) => actual >= expected)),
    DateLessThan: plain(date((actual, expected) => actual < expected)),
    DateGreaterThan: plain(date((actual, expected) => actual > expected)),
  }),
);

/** Keys that the endpoint knows the value of, present or absent; any other must come with the call. */
const knownKeys = new Set([
  'aws:securetransport',
  'aws:principalarn',
  'aws:principalaccount',
  'aws:principaltype',
  'aws:principalisawsservice',
  'aws:requestedregion',
  'aws:resourceaccount',
  'aws:sourceaccount',
  'aws:sourcearn',
  'aws:viaawsservice',
  'ec2:sourceinstancearn',
  's3:tlsversion',
  's3:prefix',
  's3:delimiter',
  's3:max-keys',
  's3:if-none-match',
  's3:if-match',
  's3:objectcreationoperation',
  's3:signatureversion',
  's3:authtype',
]);

interface ParsedOperator {
  operator: Operator | 'Null';
  ifExists: boolean;
  set?: 'ForAllValues' | 'ForAnyValue';
}

function parseOperator(name: string): ParsedOperator | undefined {
  const match = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(name);
  if (match === null) return undefined;
  const [, set, base = '', ifExists] = match;
  const operator = base === 'Null' ? 'Null' : operators.get(base);
  if (operator === undefined) return undefined;
  return {
    operator,
    ifExists: ifExists !== undefined,
    ...(set === 'ForAllValues' || set === 'ForAnyValue' ? { set } : {}),
  };
}

export function isKnownOperator(name: string): boolean {
  return parseOperator(name) !== undefined;
}

/** `notUnderstood` names a key of which the endpoint does not know whether the request has it. */
export type ConditionOutcome = 'holds' | 'fails' | { notUnderstood: string };

export function evaluateConditions(
  block: Record<string, Record<string, string[]>>,
  context: ConditionContext,
): ConditionOutcome {
  for (const [name, keys] of Object.entries(block)) {
    const parsed = parseOperator(name);
    if (parsed === undefined) return { notUnderstood: `condition operator ${name}` };
    for (const [key, expected] of Object.entries(keys)) {
      const lowerKey = key.toLowerCase();
      if (!isKnownKey(lowerKey) && !(lowerKey in context)) return { notUnderstood: `condition key ${key}` };
      if (!holds(parsed, context[lowerKey], expected, context)) return 'fails';
    }
  }
  return 'holds';
}

function isKnownKey(key: string): boolean {
  return (
    knownKeys.has(key) ||
    /^(s3:x-amz-|kms:viaservice$|kms:encryptioncontext:|aws:resourcetag\/|ssm:resourcetag\/)/.test(key)
  );
}

function holds(
  { operator, ifExists, set }: ParsedOperator,
  actual: string | string[] | undefined,
  expected: string[],
  context: ConditionContext,
): boolean {
  if (operator === 'Null')
    return expected.some((value) => bool(String(actual === undefined), value, context));
  if (actual === undefined)
    return ifExists || set === 'ForAllValues' || (set === undefined && operator.negated);
  const values = [actual].flat();
  const matches = (value: string) =>
    operator.negated !== expected.some((each) => operator.compare(value, each, context));
  return set === 'ForAllValues' || (set === undefined && operator.negated)
    ? values.every(matches)
    : values.some(matches);
}

// The Amazon States Language that the interpreter implements. What is not here is refused by name when a state machine
// is created, never accepted and ignored.
import { z } from 'zod';
import { ServiceError } from '../endpoint/service.ts';

const expression = z.string().regex(/^\{%[\s\S]*%\}$/);
const numberOrExpression = z.union([z.number().int().min(0), expression], {
  error: 'expected a whole number or a JSONata expression {% … %}',
});
const assign = z.record(z.string(), z.unknown()).optional();

const described = { Comment: z.string().optional(), QueryLanguage: z.literal('JSONata').optional() };
const transition = { Next: z.string().optional(), End: z.literal(true).optional() };
const results = { Output: z.unknown().optional(), Assign: assign };

const retrier = z.strictObject({
  Comment: z.string().optional(),
  ErrorEquals: z.array(z.string()).min(1),
  IntervalSeconds: z.number().int().min(1).optional(),
  MaxAttempts: z.number().int().min(0).max(99_999_999).optional(),
  BackoffRate: z.number().min(1).optional(),
  MaxDelaySeconds: z.number().int().min(1).max(31_622_400).optional(),
  JitterStrategy: z.enum(['FULL', 'NONE']).optional(),
});
const catcher = z.strictObject({
  Comment: z.string().optional(),
  ErrorEquals: z.array(z.string()).min(1),
  Next: z.string(),
  ...results,
});
const handlers = { Retry: z.array(retrier).optional(), Catch: z.array(catcher).optional() };

const task = z.strictObject({
  Type: z.literal('Task'),
  ...described,
  ...transition,
  ...results,
  ...handlers,
  Resource: z.string(),
  Arguments: z.unknown().optional(),
  TimeoutSeconds: numberOrExpression.optional(),
  HeartbeatSeconds: numberOrExpression.optional(),
});
const pass = z.strictObject({ Type: z.literal('Pass'), ...described, ...transition, ...results });
const wait = z.strictObject({
  Type: z.literal('Wait'),
  ...described,
  ...transition,
  ...results,
  Seconds: numberOrExpression.optional(),
  Timestamp: z.string().optional(),
});
const choiceRule = z.strictObject({
  Comment: z.string().optional(),
  Condition: expression,
  Next: z.string(),
  ...results,
});
const choice = z.strictObject({
  Type: z.literal('Choice'),
  ...described,
  ...results,
  Choices: z.array(choiceRule).min(1),
  Default: z.string().optional(),
});
const succeed = z.strictObject({
  Type: z.literal('Succeed'),
  ...described,
  Output: z.unknown().optional(),
});
const fail = z.strictObject({
  Type: z.literal('Fail'),
  ...described,
  Error: z.string().optional(),
  Cause: z.string().optional(),
});
const parallel = z.strictObject({
  Type: z.literal('Parallel'),
  ...described,
  ...transition,
  ...results,
  ...handlers,
  Arguments: z.unknown().optional(),
  Branches: z.array(z.lazy((): z.ZodType<StateList> => stateList)).min(1),
});
const itemProcessor = z.lazy((): z.ZodType<ItemProcessor> => itemProcessorShape);
const map = z.strictObject({
  Type: z.literal('Map'),
  ...described,
  ...transition,
  ...results,
  ...handlers,
  Items: z.unknown().optional(),
  ItemReader: z
    .strictObject({
      Resource: z.string(),
      ReaderConfig: z.strictObject({ InputType: z.literal('JSON') }),
      Arguments: z.strictObject({ Bucket: z.string(), Key: z.string() }),
    })
    .optional(),
  ItemSelector: z.unknown().optional(),
  ItemProcessor: itemProcessor,
  MaxConcurrency: numberOrExpression.optional(),
  ToleratedFailureCount: numberOrExpression.optional(),
  ToleratedFailurePercentage: numberOrExpression.optional(),
  Label: z.string().min(1).max(40).optional(),
});

const state = z.discriminatedUnion('Type', [task, pass, wait, choice, succeed, fail, parallel, map]);
const listShape = {
  ...described,
  StartAt: z.string(),
  States: z.record(z.string(), state),
};
const stateList: z.ZodType<StateList> = z.strictObject(listShape);
const itemProcessorShape: z.ZodType<ItemProcessor> = z.strictObject({
  ...listShape,
  ProcessorConfig: z
    .discriminatedUnion('Mode', [
      z.strictObject({ Mode: z.literal('INLINE') }),
      z.strictObject({ Mode: z.literal('DISTRIBUTED'), ExecutionType: z.literal('STANDARD') }),
    ])
    .optional(),
});
const machine = z.strictObject({
  ...listShape,
  Version: z.literal('1.0').optional(),
  TimeoutSeconds: z.number().int().min(1).max(99_999_999).optional(),
});

export interface StateList {
  StartAt: string;
  States: Record<string, State>;
  Comment?: string | undefined;
  QueryLanguage?: 'JSONata' | undefined;
}
interface ItemProcessor extends StateList {
  ProcessorConfig?: { Mode: 'INLINE' } | { Mode: 'DISTRIBUTED'; ExecutionType: 'STANDARD' } | undefined;
}
export type State = z.infer<typeof state>;
export type TaskState = z.infer<typeof task>;
export type WaitState = z.infer<typeof wait>;
export type ChoiceState = z.infer<typeof choice>;
export type FailState = z.infer<typeof fail>;
export type ParallelState = z.infer<typeof parallel>;
export type MapState = z.infer<typeof map>;
export type Retrier = z.infer<typeof retrier>;
export type Catcher = z.infer<typeof catcher>;
export type Definition = z.infer<typeof machine>;

/** Its shape alone; definition-checks.ts looks at what it says. @throws InvalidDefinition */
export function readDefinition(text: string): Definition {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InvalidDefinition([`not JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const parsed = machine.safeParse(json);
  if (!parsed.success)
    throw new InvalidDefinition(parsed.error.issues.map((issue) => tellIssue(issue, json)));
  return parsed.data;
}

export class InvalidDefinition extends ServiceError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super('InvalidDefinition', `Invalid State Machine Definition: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

function tellIssue(issue: z.core.$ZodIssue, definition: unknown): string {
  const at = issue.path.length === 0 ? 'the state machine' : issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${at}: field "${key}" is not implemented`).join('; ');
  }
  const got = JSON.stringify(valueAt(definition, issue.path)) ?? 'nothing';
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'Type') {
    return `${at}: state type ${got} is not implemented`;
  }
  return `${at}: ${issue.message}, got ${got.slice(0, 100)}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

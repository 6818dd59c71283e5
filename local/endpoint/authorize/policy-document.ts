// IAM policy documents as they are read: everything that is not understood is refused here, so that nothing is skipped.
import { z } from 'zod';
import { isKnownOperator } from './conditions.ts';

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const conditionValues = z.union([scalar, z.array(scalar)]).transform((value) => [value].flat());

const condition = z
  .record(z.string(), z.record(z.string(), conditionValues))
  .superRefine((block, context) => {
    for (const operator of Object.keys(block)) {
      if (isKnownOperator(operator)) continue;
      context.addIssue({ code: 'custom', message: `condition operator ${operator} is not implemented` });
    }
  });
export interface Principal {
  AWS?: string[] | undefined;
  Service?: string[] | undefined;
  Federated?: string[] | undefined;
}
const principal: z.ZodType<Principal> = z.union([
  z.literal('*').transform(() => ({ AWS: ['*'] })),
  z.strictObject({
    AWS: oneOrMore.optional(),
    Service: oneOrMore.optional(),
    Federated: oneOrMore.optional(),
  }),
]);

const statement = z
  .strictObject({
    Sid: z.string().optional(),
    Effect: z.enum(['Allow', 'Deny']),
    Principal: principal.optional(),
    Action: oneOrMore.optional(),
    NotAction: oneOrMore.optional(),
    Resource: oneOrMore.optional(),
    NotResource: oneOrMore.optional(),
    Condition: condition.default({}),
  })
  .refine((each) => (each.Action === undefined) !== (each.NotAction === undefined), {
    error: 'expected one of Action and NotAction',
  })
  .refine((each) => each.Resource === undefined || each.NotResource === undefined, {
    error: 'expected at most one of Resource and NotResource',
  });
export type Statement = z.infer<typeof statement>;

const document = z.strictObject({
  // Before 2012-10-17, policy variables were plain text: such a document means something else.
  Version: z.literal('2012-10-17'),
  Id: z.string().optional(),
  Statement: z.preprocess((given) => [given].flat(), z.array(statement)),
});

/** A document, or why it cannot be evaluated: which is a deny for everything that it applies to. */
export type ReadPolicy = { name: string; statements: Statement[] } | { name: string; notUnderstood: string };

export function readPolicy(name: string, given: unknown): ReadPolicy {
  const parsed = document.safeParse(given);
  if (parsed.success) return { name, statements: parsed.data.Statement };
  const [issue] = parsed.error.issues;
  return { name, notUnderstood: `${issue?.path.join('.')}: ${issue?.message}` };
}

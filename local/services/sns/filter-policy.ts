// Filter policies on message attributes: exact strings, numbers, and whether an attribute exists.
// Source: "Amazon SNS subscription filter policies", Amazon SNS Developer Guide.
import { z } from 'zod';
import { ServiceError } from '../../endpoint/service.ts';

const matcher = z.union([z.string(), z.number(), z.boolean(), z.strictObject({ exists: z.boolean() })]);
const filterPolicy = z.record(z.string(), z.array(matcher).min(1));
export type FilterPolicy = z.infer<typeof filterPolicy>;

/** @throws ServiceError InvalidParameter for a matcher that is not implemented */
export function readFilterPolicy(text: string): FilterPolicy {
  try {
    return filterPolicy.parse(JSON.parse(text));
  } catch (error) {
    throw new ServiceError(
      'InvalidParameter',
      `FilterPolicy: the local cloud knows strings, numbers, booleans and {"exists": …}: ${error}`,
    );
  }
}

/** Every attribute that the policy names must match one of its values. */
export function passes(policy: FilterPolicy, attributes: Record<string, string>): boolean {
  return Object.entries(policy).every(([name, matchers]) => {
    const value = attributes[name];
    return matchers.some((each) => {
      if (typeof each === 'object') return each.exists === (value !== undefined);
      return value !== undefined && value === String(each);
    });
  });
}

// EventBridge's event patterns: exact values and prefixes, nested as the event is. Other filters are refused by name.
import { z } from 'zod';

const leaf = z.array(
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.strictObject({ prefix: z.string() })]),
);
export type EventPattern = { [field: string]: z.infer<typeof leaf> | EventPattern };
export const eventPattern: z.ZodType<EventPattern> = z.lazy(() =>
  z.record(z.string(), z.union([leaf, eventPattern])),
);

/** Every field of the pattern must match; a list in the event matches by any of its elements. */
export function matchesPattern(pattern: EventPattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, expected]) => {
    const value = isObject(event) ? event[field] : undefined;
    if (!Array.isArray(expected)) return matchesPattern(expected, value);
    const values = Array.isArray(value) ? value : [value];
    return values.some((actual) =>
      expected.some((each) =>
        isObject(each)
          ? typeof actual === 'string' && actual.startsWith(String(each['prefix']))
          : each === actual,
      ),
    );
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

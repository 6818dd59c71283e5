// What a rule's target gets of an event: all of it, a part, a constant, or a template filled in.
import { z } from 'zod';

const path = z
  .string()
  .regex(/^\$(\.[\w-]+)*$/, 'a path like $.detail.executionArn; others are not implemented');

export const targetInput = z.object({
  Input: z.string().optional(),
  InputPath: path.optional(),
  InputTransformer: z
    .strictObject({ InputPathsMap: z.record(z.string(), path).default({}), InputTemplate: z.string() })
    .optional(),
});
export type TargetInput = z.infer<typeof targetInput>;

export interface RuleEvent {
  [field: string]: unknown;
}

/** JSON text. */
export function inputOf(target: TargetInput, event: RuleEvent, ruleArn: string): string {
  if (target.Input !== undefined) return target.Input;
  if (target.InputPath !== undefined) return JSON.stringify(valueAt(event, target.InputPath) ?? null);
  if (!target.InputTransformer) return JSON.stringify(event);
  const { InputPathsMap, InputTemplate } = target.InputTransformer;
  const values = new Map<string, unknown>(
    Object.entries(InputPathsMap).map(([name, where]) => [name, valueAt(event, where)]),
  );
  values.set('aws.events.rule-arn', ruleArn);
  values.set('aws.events.event', event);
  values.set('aws.events.event.json', JSON.stringify(event));
  values.set('aws.events.event.ingestion-time', event['time']);
  return fill(InputTemplate, values);
}

/** Within quotes a value is pasted as text, outside as JSON. */
function fill(template: string, values: ReadonlyMap<string, unknown>): string {
  return template.replaceAll(/<([\w.-]+)>/g, (whole, name: string, offset: number) => {
    if (!values.has(name)) return whole;
    const value = values.get(name);
    const quoted = (template.slice(0, offset).match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1;
    if (!quoted) return JSON.stringify(value ?? '');
    const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
    return JSON.stringify(text).slice(1, -1);
  });
}

function valueAt(event: unknown, where: string): unknown {
  return where
    .split('.')
    .slice(1)
    .reduce<unknown>((value, field) => (value as Record<string, unknown> | undefined)?.[field], event);
}

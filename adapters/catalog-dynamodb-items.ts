// Items of the catalog's table, parsed, and the update expressions that write them.
import { z } from 'zod';
import { describeIssues } from '../contracts/documents.ts';
import { InvalidDocument } from '../contracts/errors.ts';
import { clusterId, executionArn, isoTime, runId } from '../contracts/identifiers.ts';
import { registrationSummary } from '../contracts/registrations.ts';
import { nodeOutcome, type RunRecord, runRecord, workflowName } from '../contracts/runs.ts';
import type { Lock, NodeItem, ScheduleWatch } from './ports.ts';

export type Item = Record<string, unknown>;

const node = nodeOutcome.extend({
  commandId: z.string().optional(),
  attempt: z.int().positive().optional(),
  updatedAt: isoTime,
});
const lock = z.strictObject({
  clusterId,
  runId,
  workflow: workflowName,
  executionArn,
  subjectRunId: runId,
  fence: z.int().positive(),
  leaseUntil: isoTime,
});

export const runItem = (item: Item): RunRecord => parseItem(runRecord, item);
export const nodeItem = (item: Item): NodeItem => parseItem(node, item);
/** @param item of a lock that is held */
export const lockItem = (item: Item): Lock => parseItem(lock, item);

const watch = z.strictObject({ definition: z.string(), checkedUntil: isoTime });

export const watchItem = (item: Item): ScheduleWatch => parseItem(watch, item);
export const registrationItem = (item: Item) => parseItem(registrationSummary, item);

function parseItem<Schema extends z.ZodType>(schema: Schema, item: Item): z.infer<Schema> {
  const { pk, sk, ...fields } = item;
  const parsed = schema.safeParse(fields);
  if (parsed.success) return parsed.data;
  throw new InvalidDocument(`catalog item ${String(pk)} / ${String(sk)}: ${describeIssues(parsed.error)}`);
}

interface Setting {
  /** Fields that are removed where they are not defined. */
  optional?: readonly string[];
  /** Fields whose first value stays. */
  first?: readonly string[];
}

/** An update that sets what is defined. */
export function setting(fields: Item, { optional = [], first = [] }: Setting = {}) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const gone = optional.filter((name) => fields[name] === undefined);
  const names = [...given.map(([name]) => name), ...gone];
  const remove = gone.length > 0 ? ` REMOVE ${gone.map((name) => `#${name}`).join(', ')}` : '';
  const set = given.map(([name]) =>
    first.includes(name) ? `#${name} = if_not_exists(#${name}, :${name})` : `#${name} = :${name}`,
  );
  return {
    UpdateExpression: `SET ${set.join(', ')}${remove}`,
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])),
  };
}

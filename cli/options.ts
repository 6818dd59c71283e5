// Arguments and options that several commands have, and how what is typed for one is checked.
import { Argument, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { clusterId, runId } from '../contracts/identifiers.ts';
import { otherNames } from '../contracts/requests.ts';
import {
  type Selection,
  selectionFields,
  type TablePatterns,
  tablePatterns,
} from '../contracts/selection.ts';

export const clusterArgument = () =>
  new Argument('<cluster>', 'cluster ID of ringvault.yaml').argParser(checkedBy(clusterId));
export const runArgument = (description: string) =>
  new Argument('[run]', description).argParser(checkedBy(runId));
export const backupOption = () =>
  new Option('--backup <id>', 'backup ID, or latest')
    .default('latest')
    .argParser(checkedBy(z.union([z.literal('latest'), runId])));
export const nodeOption = () =>
  new Option('--node <id>', 'only this node, by instance ID or host ID; may be given again').argParser(
    collectedBy(selectionFields.nodes),
  );
export const includeOption = () =>
  new Option(
    '--include <pattern>',
    'only such keyspaces or keyspace.tables, * and ? for any characters; may be given again',
  ).argParser(collectedBy(tablePatterns.shape.include));
export const excludeOption = () =>
  new Option('--exclude <pattern>', 'without such; may be given again').argParser(
    collectedBy(tablePatterns.shape.exclude),
  );
export const asOption = () =>
  new Option(
    '--as <name=other>',
    'a keyspace or keyspace.table under another name beside the live one, online; may be given again',
  ).argParser((value: string, before: Record<string, string> = {}) => {
    const [, name = '', other = ''] = /^([^=]*)=(.*)$/s.exec(value) ?? ['', value];
    if (name in before) throw new InvalidArgumentError(`got ${name} twice`);
    return checkedBy(otherNames)({ ...before, [name]: other });
  });
export const datacenterOption = () =>
  new Option('--datacenter <name>', 'only its nodes').argParser(checkedBy(selectionFields.datacenter));
export const ignoreGcGraceOption = () =>
  new Option(
    '--ignore-gc-grace',
    'of some nodes alone, though deleted rows may come back: the others may have forgotten the deletions',
  );
export const ignoreCountersOption = () =>
  new Option(
    '--ignore-counters',
    'of some nodes alone, though what they counted since then may be lost on all replicas',
  );
export const snapshotOnlyOption = () =>
  new Option('--snapshot-only', 'of an incremental backup its base alone');
export const wait = () => new Option('--wait', 'watch until the run has ended').default(true);
export const noWait = () => new Option('--no-wait', 'return at once');
export const dryRun = () => new Option('--dry-run', 'check everything, change nothing, show the plan');
export const yes = () => new Option('--yes', 'do not ask');

interface Choice {
  node?: Selection['nodes'];
  include?: TablePatterns['include'];
  exclude?: TablePatterns['exclude'];
}

/** What was chosen, as requests have it. */
export function chosenBy({ node, include, exclude }: Choice): Selection {
  const keyspaces = { ...(include && { include }), ...(exclude && { exclude }) };
  return { ...(node && { nodes: node }), ...((include || exclude) && { keyspaces }) };
}

/** Of an option that may be given several times, or several values. */
function collectedBy<Schema extends z.ZodType>(
  schema: Schema,
): (value: string, before?: string[]) => z.infer<Schema> {
  const check = checkedBy(schema);
  return (value, before = []) => check([...before, value]);
}

export function checkedBy<Schema extends z.ZodType>(schema: Schema): (value: unknown) => z.infer<Schema> {
  return (value) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(parsed.error.issues.map((issue) => issue.message).join('; '));
  };
}

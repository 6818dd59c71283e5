// clear-snapshot: removes this run's own snapshots, and never another.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { InvalidDocument } from '../../contracts/errors.ts';
import { nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';

export async function clearSnapshot(
  context: ActionContext,
  input: ActionInput<'clear-snapshot'>,
): Promise<ActionOutput<'clear-snapshot'>> {
  for (const tag of input.tags) mustBeTagOf(context.document.runId, tag);
  for (const tag of input.tags) {
    await context.beforeDestroying(`clear snapshot ${tag}`);
    await clearTag(context, tag);
  }
  return { cleared: input.tags };
}

/** Nothing happens where there is no such snapshot. */
export async function clearTag(context: ActionContext, tag: string): Promise<void> {
  await nodetool(context, 'clearsnapshot', '-t', tag);
}

/** @throws InvalidDocument */
export function mustBeTagOf(runId: string, tag: string): void {
  if (!new RegExp(`^ringvault-${runId}-[0-9]+$`).test(tag)) {
    throw new InvalidDocument(`snapshot tag: got ${tag}, expected one of run ${runId}`);
  }
}

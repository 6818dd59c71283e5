// start: Cassandra serves again. Never in the middle of a swap, where it would make new tables beside the old.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { optionsToReplace, startCassandra, untilOneSchema } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { mustBeWhole } from '../swap/state.ts';

export async function start(
  context: ActionContext,
  { awaitsSchema, replaces }: ActionInput<'start'>,
): Promise<ActionOutput<'start'>> {
  const startedAt = context.clock.now().getTime();
  await mustBeWhole(context.paths.journals);
  const { hostId } = await startCassandra(context, replaces === undefined ? [] : optionsToReplace(replaces));
  if (awaitsSchema) await untilOneSchema(context);
  return { hostId, durationMs: Math.max(0, context.clock.now().getTime() - startedAt) };
}

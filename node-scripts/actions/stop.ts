// stop: drains, then stops Cassandra, and answers only when nothing uses its data any more.
import { join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { NodetoolFailed } from '../../contracts/errors.ts';
import { mustHaveNoHints } from '../cassandra/hints.ts';
import { drain, isRunning, stopCassandra } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { isThere, writeDurably } from '../durable-files.ts';
import { mustBeAllowed } from '../guard.ts';

export async function stop(
  context: ActionContext,
  input: ActionInput<'stop'>,
): Promise<ActionOutput<'stop'>> {
  await mustBeAllowed(context);
  await context.beforeDestroying('stop Cassandra');
  // An attempt that was killed between may have drained.
  const marker = join(context.directory, 'drained');
  if ((await isRunning(context)) && !(await isThere(marker))) {
    const failure = await drain(context);
    if (failure && !input.mayFailToDrain) throw new NodetoolFailed(failure);
    if (failure) context.log.warn({ failure }, 'Cassandra was not drained');
    else await writeDurably(marker, '');
    await context.failPoint('stop.drained');
    await context.beforeDestroying('stop Cassandra');
  }
  await stopCassandra(context);
  if (!input.mayLeaveHints) await mustHaveNoHints(context);
  return { drained: await isThere(marker) };
}

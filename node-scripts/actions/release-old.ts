// release-old: deletes what a restore kept aside. Cassandra may run.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { NothingToUndo } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { readPlanOf } from '../swap/plan.ts';
import { releaseAside } from '../swap/release-aside.ts';
import { swapState } from '../swap/state.ts';

export async function releaseOld(
  context: ActionContext,
  input: ActionInput<'release-old'>,
): Promise<ActionOutput<'release-old'>> {
  await mustBeAllowed(context);
  const { journals } = context.paths;
  const plan = await readPlanOf(journals, input.restoreRunId);
  const state = await swapState(journals, input.restoreRunId);
  if (state !== 'placed' && state !== 'released') {
    throw new NothingToUndo(`restore ${input.restoreRunId} is ${state} on this host, expected placed`);
  }
  await context.beforeDestroying('delete the data from before the restore');
  return releaseAside(journals, plan);
}

// release-old: deletes what a restore, or its undo, kept aside. Cassandra may run.
import type { ActionInput, ActionOutput, SwapState } from '../../contracts/actions.ts';
import { NothingToUndo } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { readPlanOf } from '../swap/plan.ts';
import { releaseAside } from '../swap/release-aside.ts';
import { swapState } from '../swap/state.ts';

const RELEASABLE: readonly SwapState[] = ['placed', 'put-back', 'released'];

export async function releaseOld(
  context: ActionContext,
  input: ActionInput<'release-old'>,
): Promise<ActionOutput<'release-old'>> {
  await mustBeAllowed(context);
  const { journals } = context.paths;
  const plan = await readPlanOf(journals, input.restoreRunId);
  const state = await swapState(journals, input.restoreRunId);
  if (!RELEASABLE.includes(state)) {
    throw new NothingToUndo(
      `restore ${input.restoreRunId} is ${state} on this host, expected one of ${RELEASABLE.join(', ')}`,
    );
  }
  await context.beforeDestroying('delete what the restore or its undo kept aside');
  return releaseAside(journals, plan);
}

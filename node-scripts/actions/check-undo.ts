// check-undo: whatever refuses an undo on this host, found before anything is stopped.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { NothingToUndo } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { readPlanOf } from '../swap/plan.ts';
import { missingAside } from '../swap/put-back-tables.ts';
import { swapState } from '../swap/state.ts';

export async function checkUndo(
  context: ActionContext,
  { restoreRunId }: ActionInput<'check-undo'>,
): Promise<ActionOutput<'check-undo'>> {
  await mustBeAllowed(context);
  const { journals } = context.paths;
  const plan = await readPlanOf(journals, restoreRunId);
  const state = await swapState(journals, restoreRunId);
  if (state !== 'placed')
    throw new NothingToUndo(`restore ${restoreRunId} is ${state} on this host, expected placed`);
  const gone = await missingAside(plan);
  if (gone.length > 0) throw new NothingToUndo(`restore ${restoreRunId}: ${gone.join('; ')}`);
  return {};
}

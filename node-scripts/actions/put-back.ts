// put-back: the inverse of place; the data from before a restore are live again, and what was live until now is kept aside.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { NothingToUndo } from '../../contracts/errors.ts';
import { mustBeStopped } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { forget } from '../increments/memory.ts';
import { readPlanOf } from '../swap/plan.ts';
import { putBackTables } from '../swap/put-back-tables.ts';
import { swapState } from '../swap/state.ts';

export async function putBack(
  context: ActionContext,
  input: ActionInput<'put-back'>,
): Promise<ActionOutput<'put-back'>> {
  await mustBeAllowed(context);
  const { journals } = context.paths;
  const plan = await readPlanOf(journals, input.restoreRunId);
  if ((await swapState(journals, input.restoreRunId)) === 'released') {
    throw new NothingToUndo(`restore ${input.restoreRunId}: the data from before were released`);
  }
  await context.beforeDestroying('put the data from before back');
  await mustBeStopped(context);
  await forget(context);
  const before = async (step: string) => {
    await context.beforeDestroying(step);
    await context.failPoint('put-back.table');
  };
  await putBackTables(journals, plan, { keeps: true, before });
  return { tables: plan.tables.length };
}

// settle: brings a half-done swap to the end that the whole cluster is brought to. The guard file was asked before the swap
// began; not asking it again is what keeps a node from being left in halves.
import type { ActionInput, ActionOutput, SwapState } from '../../contracts/actions.ts';
import { SwapConflict } from '../../contracts/errors.ts';
import { stopCassandra } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { forget } from '../increments/memory.ts';
import { placeTables } from '../swap/place-tables.ts';
import { readPlanOf } from '../swap/plan.ts';
import { putBackTables } from '../swap/put-back-tables.ts';
import { swapState } from '../swap/state.ts';

export async function settle(
  context: ActionContext,
  { restoreRunId, direction, keeps }: ActionInput<'settle'>,
): Promise<ActionOutput<'settle'>> {
  const { journals } = context.paths;
  const state = await swapState(journals, restoreRunId);
  const isThereAlready = direction === 'back' ? ['none', 'put-back'] : ['placed', 'released'];
  // Renamed it is; what is to be deleted then may be there still.
  if (state === 'put-back' && direction === 'back')
    await putBackTables(journals, await readPlanOf(journals, restoreRunId), {
      keeps,
      before: context.beforeDestroying,
    });
  if (isThereAlready.includes(state)) return { swap: state };
  const possible: SwapState[] =
    direction === 'back' ? ['partly-placed', 'placed', 'partly-put-back'] : ['partly-placed'];
  if (!possible.includes(state)) {
    throw new SwapConflict(
      `restore ${restoreRunId} is ${state} on this host: it cannot be settled ${direction}`,
    );
  }
  await context.beforeDestroying(`settle ${direction}`);
  await stopCassandra(context);
  // Not asked again at each table, as place and put-back do: a Recover that takes over from this one carries the same
  // journal on in the same direction, so that to stop here would only leave the node in halves for longer.
  const plan = await readPlanOf(journals, restoreRunId);
  await forget(context);
  if (direction === 'back') await putBackTables(journals, plan, { keeps });
  else await placeTables(journals, plan);
  return { swap: await swapState(journals, restoreRunId) };
}

// stop-clients: no client writes by this node any more, while it still takes what other nodes send.
import type { ActionOutput } from '../../contracts/actions.ts';
import { nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';

export async function stopClients(context: ActionContext): Promise<ActionOutput<'stop-clients'>> {
  await mustBeAllowed(context);
  await context.beforeDestroying('stop clients');
  await nodetool(context, 'disablebinary');
  return { stoppedAt: context.clock.now().toISOString() };
}

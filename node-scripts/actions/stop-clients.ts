// stop-clients: no client writes by this node any more, while it still takes what other nodes send.
import type { ActionOutput } from '../../contracts/actions.ts';
import { untilNoHints } from '../cassandra/hints.ts';
import { nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';

const BACKLOG_LIMIT_MS = 60_000;

export async function stopClients(context: ActionContext): Promise<ActionOutput<'stop-clients'>> {
  await mustBeAllowed(context);
  // A backlog, after a node was away for long, is delivered while clients are served.
  await untilNoHints(context, BACKLOG_LIMIT_MS);
  await context.beforeDestroying('stop clients');
  await nodetool(context, 'disablebinary');
  return { stoppedAt: context.clock.now().toISOString() };
}

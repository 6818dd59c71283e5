// settle-writes: with no clients anywhere, until this node owes no other one a write: requests are over, batches replayed,
// hints delivered.
import type { ActionOutput } from '../../contracts/actions.ts';
import { HintsPending } from '../../contracts/errors.ts';
import { hintsWrittenAfterMs, mustHaveNoHints } from '../cassandra/hints.ts';
import { clientRequests, nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';

const LIMIT_MS = 300_000;
const POLL_MS = 500;

export async function settleWrites(context: ActionContext): Promise<ActionOutput<'settle-writes'>> {
  const { clock, signal } = context;
  const startedAt = clock.now().getTime();
  while ((await clientRequests(context)) > 0) await clock.sleep(POLL_MS, signal);
  await clock.sleep(await hintsWrittenAfterMs(context), signal);
  await nodetool(context, 'replaybatchlog');
  for (;;) {
    signal.throwIfAborted();
    const durationMs = clock.now().getTime() - startedAt;
    try {
      await mustHaveNoHints(context);
      return { durationMs };
    } catch (error) {
      if (!(error instanceof HintsPending) || durationMs > LIMIT_MS) throw error;
    }
    await clock.sleep(POLL_MS, signal);
  }
}

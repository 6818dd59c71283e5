// settle-writes: with no clients anywhere, until this node owes no other one a write: requests are over, batches replayed,
// hints delivered.
import type { ActionOutput } from '../../contracts/actions.ts';
import { HintsPending } from '../../contracts/errors.ts';
import { hintsFlushedAfterMs, untilNoHints, writesOverAfterMs } from '../cassandra/hints.ts';
import { clientRequests, nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';

/** Nobody is served meanwhile. */
const LIMIT_MS = 300_000;
const POLL_MS = 500;

export async function settleWrites(context: ActionContext): Promise<ActionOutput<'settle-writes'>> {
  const { clock, signal } = context;
  const startedAt = clock.now().getTime();
  const tookMs = () => clock.now().getTime() - startedAt;
  for (let requests = await clientRequests(context); requests > 0; requests = await clientRequests(context)) {
    if (tookMs() > LIMIT_MS) {
      throw new HintsPending(
        `got ${requests} requests of clients under way ${LIMIT_MS / 1_000} s after the CQL port was closed, expected none`,
      );
    }
    await clock.sleep(POLL_MS, signal);
    signal.throwIfAborted();
  }
  await clock.sleep(await writesOverAfterMs(context), signal);
  // It waits for the replicas itself; what these did not take became hints.
  await nodetool(context, 'replaybatchlog');
  await clock.sleep(await hintsFlushedAfterMs(context), signal);
  await untilNoHints(context, LIMIT_MS);
  return { durationMs: tookMs() };
}

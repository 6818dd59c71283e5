// Hints: writes that this node keeps for others until these take them.
import { HintsPending } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { namesIn } from '../durable-files.ts';
import { readConfigurationFile } from './configuration-file.ts';
import { nodeDirectories } from './directories.ts';
import { writeTimeoutMs } from './nodetool.ts';

/** For a hint to come from where it is made into the buffer, or from there into its file. */
const MARGIN_MS = 1_000;

const NAMED = 5;
const POLL_MS = 500;

/** @throws HintsPending after the limit */
export async function untilNoHints(context: ActionContext, limitMs: number): Promise<void> {
  const { clock, signal } = context;
  const deadline = clock.now().getTime() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await mustHaveNoHints(context);
    } catch (error) {
      if (!(error instanceof HintsPending) || clock.now().getTime() > deadline) throw error;
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** How long after the last request of a client each replica has taken its writes, or they are hinted: Cassandra looks every half
 *  of its smallest time-out for who has not answered within that of writes. Batches are replayed after twice as long. */
export async function writesOverAfterMs(context: ActionContext): Promise<number> {
  return MARGIN_MS + 2 * (await writeTimeoutMs(context));
}

/** How long after a hint was made it is in a file. */
export async function hintsFlushedAfterMs({ paths, document }: ActionContext): Promise<number> {
  const file = await readConfigurationFile(paths.fixed(document.cassandra.configFile));
  return MARGIN_MS + file.hintsFlushPeriodMs;
}

/** Cassandra deletes a file when all in it is delivered. @throws HintsPending */
export async function mustHaveNoHints(context: ActionContext): Promise<void> {
  const { hints } = await nodeDirectories(context);
  const files = await namesIn(hints);
  const pending = files.filter((name) => name.endsWith('.hints')).sort();
  if (pending.length === 0) return;
  const named = `${pending.slice(0, NAMED).join(', ')}${pending.length > NAMED ? ', …' : ''}`;
  throw new HintsPending(
    `${hints}: got ${pending.length} files of undelivered hints (${named}), expected none`,
  );
}

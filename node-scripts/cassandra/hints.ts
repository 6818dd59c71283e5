// Hints: writes that this node keeps for others until these take them.
import { HintsPending } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { namesIn } from '../durable-files.ts';
import { readConfigurationFile } from './configuration-file.ts';
import { nodeDirectories } from './directories.ts';

/** Cassandra's time-out of writes, 2 s, and something over: a replica that has not answered by then is hinted. */
const WRITES_OVER_MS = 3_000;

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

/** How long after the last request of a client its hints are in files. */
export async function hintsWrittenAfterMs({ paths, document }: ActionContext): Promise<number> {
  const file = await readConfigurationFile(paths.fixed(document.cassandra.configFile));
  return WRITES_OVER_MS + file.hintsFlushPeriodMs;
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

// Rates that the host's owner sets, while transfers run, in a file that is fixed here: they go before those of the run.
import { z } from 'zod';
import { bytesPerSecond } from '../contracts/configuration.ts';
import { describeIssues } from '../contracts/documents.ts';
import type { ActionContext } from './context.ts';
import { readIfThere } from './durable-files.ts';

const LOOK_MS = 2_000;

/** `null`: no limit. What is left out is as the run has it. */
const hostLimits = z.strictObject({
  uploadBytesPerSecond: bytesPerSecond.nullable().optional(),
  downloadBytesPerSecond: bytesPerSecond.nullable().optional(),
});
type RateName = keyof z.infer<typeof hostLimits>;

export interface RateLimit {
  /** Undefined: none. */
  bytesPerSecond(): number | undefined;
  close(): void;
}

/** @param onChange told of each change after the first look, until it is closed */
export async function openRateLimit(
  { paths, document, log }: Pick<ActionContext, 'paths' | 'document' | 'log'>,
  name: RateName,
  onChange: (bytesPerSecond: number | undefined) => void = () => undefined,
): Promise<RateLimit> {
  const ofRun = document.limits[name];
  let read: string | undefined;
  let rate = ofRun;
  let isClosed = false;
  async function look(tell: typeof onChange): Promise<void> {
    const text = await readIfThere(paths.limits);
    if (text === read || isClosed) return;
    read = text;
    const limits = text === undefined ? {} : parse(text);
    if ('problem' in limits) {
      log.warn({ path: paths.limits }, `${limits.problem}; the limits are what they were`);
      return;
    }
    const own = limits[name];
    const now = own === undefined ? ofRun : (own ?? undefined);
    if (now === rate) return;
    rate = now;
    log.info({ path: paths.limits, [name]: rate ?? 'none' }, 'the rate was changed');
    tell(rate);
  }
  let isTold = false;
  const fail = (error: unknown) => {
    if (!isTold) log.warn({ err: error }, 'the host’s limits were not read');
    isTold = true;
  };
  await look(() => undefined).catch(fail);
  const timer = setInterval(() => void look(onChange).catch(fail), LOOK_MS).unref();
  return {
    bytesPerSecond: () => rate,
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

function parse(text: string): z.infer<typeof hostLimits> | { problem: string } {
  try {
    const parsed = hostLimits.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : { problem: describeIssues(parsed.error) };
  } catch (error) {
    return { problem: `got no JSON: ${error}` };
  }
}

// Rates that the host's owner sets, while transfers run, in a file that is fixed here: they go before those of the run.
import { z } from 'zod';
import { bytesPerSecond } from '../contracts/configuration.ts';
import { parseDocument } from '../contracts/documents.ts';
import { InvalidDocument, NewerFormat } from '../contracts/errors.ts';
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
  /** @param listener told of each change from now on, until it is closed */
  onChange(listener: (bytesPerSecond: number | undefined) => void): void;
  close(): void;
}

export const UNLIMITED: RateLimit = {
  bytesPerSecond: () => undefined,
  onChange: () => undefined,
  close: () => undefined,
};

export async function openRateLimit(
  { paths, document, log }: Pick<ActionContext, 'paths' | 'document' | 'log'>,
  name: RateName,
): Promise<RateLimit> {
  const listeners: Array<Parameters<RateLimit['onChange']>[0]> = [];
  const ofRun = document.limits[name];
  let read: string | undefined;
  let rate = ofRun;
  let isClosed = false;
  async function look(): Promise<void> {
    const text = await readIfThere(paths.limits);
    if (text === read || isClosed) return;
    read = text;
    const { [name]: own } = text === undefined ? {} : parseDocument(hostLimits, text, paths.limits);
    const now = own === undefined ? ofRun : (own ?? undefined);
    if (now === rate) return;
    rate = now;
    log.info({ path: paths.limits, [name]: rate ?? 'none' }, 'the rate was changed');
    for (const listener of listeners) listener(rate);
  }
  let isTold = false;
  const fail = (error: unknown) => {
    if (error instanceof InvalidDocument || error instanceof NewerFormat) {
      log.warn({ err: error }, `${error.message}; the limits are what they were`);
      return;
    }
    if (!isTold) log.warn({ err: error }, 'the host’s limits were not read');
    isTold = true;
  };
  await look().catch(fail);
  const timer = setInterval(() => void look().catch(fail), LOOK_MS).unref();
  return {
    bytesPerSecond: () => rate,
    onChange: (listener) => void listeners.push(listener),
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

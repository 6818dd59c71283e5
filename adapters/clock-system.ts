// The real clock.
import { setTimeout } from 'node:timers/promises';
import type { Clock } from './ports.ts';

/** `sleep` ends early, without an error, when its signal is aborted. */
export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(milliseconds, signal) {
    await setTimeout(milliseconds, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      if (!signal?.aborted) throw error;
    });
  },
};

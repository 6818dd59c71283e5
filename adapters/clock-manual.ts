// A clock that tests turn: a sleep is over at once, and the time has moved on by it.
import type { Clock } from './ports.ts';

export interface ManualClock extends Clock {
  advance(milliseconds: number): void;
}

export function manualClock(start: Date): ManualClock {
  let time = start.getTime();
  return {
    now: () => new Date(time),
    advance(milliseconds) {
      time += milliseconds;
    },
    async sleep(milliseconds, signal) {
      await new Promise(setImmediate);
      if (!signal?.aborted) time += Math.max(0, milliseconds);
    },
  };
}

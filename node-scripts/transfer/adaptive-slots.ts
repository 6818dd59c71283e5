// How many requests are under way at once: as many as may, fewer where the vault asks to slow down (AIMD).
import pLimit from 'p-limit';
import type { Clock, FailedAttempt } from '../../adapters/ports.ts';

/** Answers to what was sent before the slowing down come for a while: they do not halve it again. */
const SETTLE_MS = 1_000;
/** So many requests that went through earn one more at once. */
const EARN_ONE = 16;

export interface AdaptiveSlots {
  run<Value>(work: () => Promise<Value>): Promise<Value>;
  /** An attempt at a request failed: where the vault asked to slow down, fewer are under way. */
  failed(why: FailedAttempt): void;
}

export function adaptiveSlots(most: number, clock: Clock): AdaptiveSlots {
  const slots = pLimit(most);
  let slowedMs = Number.NEGATIVE_INFINITY;
  let earned = 0;
  return {
    run: (work) =>
      slots(async () => {
        const result = await work();
        earned += 1;
        if (earned >= EARN_ONE && slots.concurrency < most) {
          earned = 0;
          slots.concurrency += 1;
        }
        return result;
      }),
    failed(why) {
      if (why !== 'throttled') return;
      const nowMs = clock.now().getTime();
      if (nowMs - slowedMs < SETTLE_MS) return;
      slowedMs = nowMs;
      earned = 0;
      slots.concurrency = Math.max(1, Math.floor(slots.concurrency / 2));
    },
  };
}

// Holds a transfer to so many bytes a second.
import type { Clock } from '../../adapters/ports.ts';

/** What may go at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.25;

export interface Pace {
  /** Resolves when so many bytes more may go. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** @param bytesPerSecond undefined: as fast as it goes */
export function paceOf(bytesPerSecond: number | undefined, clock: Clock): Pace | undefined {
  return bytesPerSecond === undefined ? undefined : pace(bytesPerSecond, clock);
}

function pace(bytesPerSecond: number, clock: Clock): Pace {
  const burstMs = BURST_SECONDS * 1_000;
  /** When everything that was taken is paid for. */
  let paidAtMs = clock.now().getTime() - burstMs;
  return {
    async take(bytes, signal) {
      const nowMs = clock.now().getTime();
      paidAtMs = Math.max(paidAtMs, nowMs - burstMs) + (bytes / bytesPerSecond) * 1_000;
      if (paidAtMs > nowMs) await clock.sleep(paidAtMs - nowMs, signal);
      signal?.throwIfAborted();
    },
  };
}

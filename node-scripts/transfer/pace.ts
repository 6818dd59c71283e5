// Holds a transfer to so many bytes a second.
import type { Clock } from '../../adapters/ports.ts';

/** What may go at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.25;
/** Over what would just do, for what goes wrong on the way. */
const HASTE = 1.1;
/** Who waits looks so often whether the limit was lifted. */
const LOOK_MS = 1_000;
/** With less a connection would fall silent for longer than S3 waits. */
const LEAST_PER_SECOND = 256 * 1024;

export interface Pace {
  /** Whether bytes have to wait now. */
  isLimited(): boolean;
  /** Resolves when so many bytes more may go. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** @param bytesPerSecond asked each time; undefined: as fast as it goes */
export function paceOf(bytesPerSecond: () => number | undefined, clock: Clock): Pace {
  const burstMs = BURST_SECONDS * 1_000;
  /** When everything that was taken is paid for. */
  let paidAtMs = clock.now().getTime() - burstMs;
  return {
    isLimited: () => bytesPerSecond() !== undefined,
    async take(bytes, signal) {
      const perSecond = bytesPerSecond();
      if (perSecond === undefined) {
        paidAtMs = Number.NEGATIVE_INFINITY;
        return;
      }
      const nowMs = clock.now().getTime();
      paidAtMs = Math.max(paidAtMs, nowMs - burstMs) + (bytes / perSecond) * 1_000;
      const dueMs = paidAtMs;
      for (let atMs = nowMs; atMs < dueMs; atMs = clock.now().getTime()) {
        await clock.sleep(Math.min(dueMs - atMs, LOOK_MS), signal);
        signal?.throwIfAborted();
        if (bytesPerSecond() === undefined) break;
      }
      signal?.throwIfAborted();
    },
  };
}

/**
 * As slowly as will do to be done in time; as fast as it may where that is over, or what is left is not known.
 * @param mostPerSecond bytes
 */
export function paceUntil(
  until: Date,
  bytesLeft: () => number | undefined,
  mostPerSecond: () => number | undefined,
  clock: Clock,
): Pace {
  return paceOf(() => {
    const seconds = (until.getTime() - clock.now().getTime()) / 1_000;
    const bytes = bytesLeft();
    const most = mostPerSecond();
    if (bytes === undefined || seconds <= 0) return most;
    const needed = Math.max((bytes / seconds) * HASTE, LEAST_PER_SECOND);
    return Math.min(needed, most ?? needed);
  }, clock);
}

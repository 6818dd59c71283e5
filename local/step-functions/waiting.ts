// Waiting that can be stopped. All time passes through the Clock, so that tests need none.
import type { Clock } from '../../adapters/ports.ts';
import { Superseded } from './failures.ts';

/** Runs with a signal that follows the parent's and is aborted once the run is over, so that no timer outlives it. */
export async function withChildSignal<T>(
  parent: AbortSignal,
  run: (child: AbortController) => Promise<T>,
): Promise<T> {
  parent.throwIfAborted();
  const child = new AbortController();
  const follow = () => child.abort(parent.reason);
  parent.addEventListener('abort', follow, { once: true });
  try {
    return await run(child);
  } finally {
    parent.removeEventListener('abort', follow);
    child.abort(new Superseded('the work this belonged to is over'));
  }
}

/** The first to settle decides; the rest are stopped. Rejects with the parent's reason when that is aborted. */
export function race<T>(
  parent: AbortSignal,
  contenders: ReadonlyArray<(signal: AbortSignal) => Promise<T>>,
): Promise<T> {
  return withChildSignal(parent, (child) =>
    Promise.race([...contenders.map((contend) => contend(child.signal)), rejectWhenAborted(child.signal)]),
  );
}

/** Node's timers end at 2^31 − 1 ms; a Wait state may be a year. */
const LONGEST_SLEEP_MS = 2_147_483_647;

/** @throws the signal's reason, whatever the clock rejects with when it is aborted */
export async function pause(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  let remaining = durationMs;
  while (remaining > 0) {
    signal.throwIfAborted();
    const slice = Math.min(remaining, LONGEST_SLEEP_MS);
    try {
      await clock.sleep(slice, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
    remaining -= slice;
  }
  signal.throwIfAborted();
}

/** Never fulfilled: for a contender that must not win. */
export function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

// A clock that moves on only when nothing else can: tests wait for hours in no time, with several sleepers at once.
import type { Clock } from '../../../adapters/ports.ts';

interface Sleeper {
  at: number;
  wake: () => void;
}

export class VirtualClock implements Clock {
  #time = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<Sleeper>();

  now(): Date {
    return new Date(this.#time);
  }

  /** Like the real one: ends early, without an error, when the signal is aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { at: this.#time + milliseconds, wake: done };
      const sleepers = this.#sleepers;
      function done() {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', done);
        resolve();
      }
      if (signal?.aborted) resolve();
      else {
        sleepers.add(sleeper);
        signal?.addEventListener('abort', done, { once: true });
      }
    });
  }

  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Moves on, moment by moment, until the promise is settled. @throws when nothing is left that could settle it */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    for (;;) {
      await idle();
      if (isSettled) return promise;
      if (!this.#wakeNext(Number.POSITIVE_INFINITY))
        throw new Error('the promise waits for something that is no time');
    }
  }

  /** Lets all happen that is due within this time. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#time + milliseconds;
    await idle();
    while (this.#wakeNext(until)) await idle();
    this.#time = until;
  }

  /** All that is due at the next moment wakes in it, the older sleepers first. */
  #wakeNext(until: number): boolean {
    const next = Math.min(...[...this.#sleepers].map((sleeper) => sleeper.at));
    if (next > until || this.#sleepers.size === 0) return false;
    this.#time = Math.max(this.#time, next);
    for (const sleeper of [...this.#sleepers]) if (sleeper.at === next) sleeper.wake();
    return true;
  }
}

/** Until all that can go on at this moment has gone on: the interpreter itself only waits for promises. */
async function idle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}

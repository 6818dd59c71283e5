// Which retrier takes a failure, and how long it waits.
import type { Random } from '../../adapters/ports.ts';
import type { Retrier } from './definition.ts';
import { errorMatches } from './failures.ts';

/** Attempts are counted for each retrier of a state on its own. */
export class RetryCounts {
  readonly #used = new Map<Retrier, number>();

  /**
   * Milliseconds until the next attempt, or undefined when the failure is final: the first retrier that matches decides,
   * also when it is used up. Wait: IntervalSeconds × BackoffRate^n, at most MaxDelaySeconds, FULL jitter from 0 to that.
   */
  next(retriers: readonly Retrier[], error: string, random: Random): number | undefined {
    const retrier = retriers.find((candidate) => errorMatches(candidate.ErrorEquals, error));
    if (!retrier) return undefined;
    const used = this.#used.get(retrier) ?? 0;
    if (used >= (retrier.MaxAttempts ?? 3)) return undefined;
    this.#used.set(retrier, used + 1);
    const grown = (retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** used;
    const seconds = Math.min(grown, retrier.MaxDelaySeconds ?? Number.POSITIVE_INFINITY);
    return Math.round(seconds * 1000 * (retrier.JitterStrategy === 'FULL' ? random.next() : 1));
  }
}

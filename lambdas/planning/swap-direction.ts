// The one end that a cluster with a half-done swap is brought to. Pure.
import type { SwapState } from '../../contracts/actions.ts';

/** Released by a restore itself, where it replaced nothing. */
const NEW: readonly SwapState[] = ['placed', 'released'];
const OLD: readonly SwapState[] = ['none', 'put-back'];

/**
 * All on the new data: forward. All on the old data: none, it is whole already. Anything else: back, which every node
 * can do, since the old data of each is still there.
 */
export function directionOf(swaps: readonly SwapState[]): 'none' | 'back' | 'forward' {
  if (swaps.every((swap) => NEW.includes(swap))) return 'forward';
  return swaps.every((swap) => OLD.includes(swap)) ? 'none' : 'back';
}

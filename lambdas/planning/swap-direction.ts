// The one end that a cluster with a half-done swap is brought to. Pure.
import type { SwapState } from '../../contracts/actions.ts';

/** Released by a restore itself, where it replaced nothing. */
const NEW: readonly SwapState[] = ['placed', 'released'];
/**
 * All on the new data: forward. None touched: none. Anything else: back, which every node can do, since the old data of each is still
 * there; also where all are back, perhaps not tidied up yet.
 */
export function directionOf(swaps: readonly SwapState[]): 'none' | 'back' | 'forward' {
  if (swaps.every((swap) => NEW.includes(swap))) return 'forward';
  return swaps.every((swap) => swap === 'none') ? 'none' : 'back';
}

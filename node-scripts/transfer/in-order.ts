// Works on many items at once and answers in their order, holding a bounded number. After a failure nothing is left running
// in the background: what had begun is told to stop and waited for, what had not is not begun.
import pLimit from 'p-limit';

/** Results that may wait for a slow one before them, as a multiple of the items worked on. */
const WINDOW = 8;

/**
 * Ends with the first failure in time.
 * @param stop aborted with that failure, or where nobody asks for more
 * @param window how many may be begun, or done and not taken
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
  stop: AbortController,
  window = atOnce * WINDOW,
): AsyncGenerator<Result> {
  const slots = pLimit(atOnce);
  const begun: Array<Promise<Result>> = [];
  let isDone = false;
  let failed: { reason: unknown } | undefined;
  let waiting: ((reason: unknown) => void) | undefined;
  const fail = () => {
    failed ??= { reason: stop.signal.reason };
    waiting?.(failed.reason);
  };
  const begin = async (item: Item): Promise<Result> => {
    stop.signal.throwIfAborted();
    try {
      return await work(item);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  // Not a race against one promise for all: that would keep every result as long as it lives.
  const next = (): Promise<Result> =>
    new Promise((resolve, reject) => {
      if (failed) reject(failed.reason);
      waiting = reject;
      begun[0]?.then((result) => {
        begun.shift();
        resolve(result);
      }, reject);
    });
  try {
    for await (const item of items) {
      const result = slots(() => begin(item));
      result.catch(fail);
      begun.push(result);
      if (begun.length >= window) yield await next();
    }
    while (begun.length > 0) yield await next();
    isDone = true;
  } finally {
    if (!isDone) stop.abort(new Error('nobody waits for it any more'));
    await Promise.allSettled(begun);
  }
}

// Works on many items at once and answers in their order, holding a bounded number. After a failure nothing is left running
// in the background: what had begun is told to stop and waited for, what had not is not begun.
import pLimit from 'p-limit';

/** Results that may wait for a slow one before them, as a multiple of the items worked on. */
const WINDOW = 8;

/**
 * Ends with the first failure in time.
 * @param stop aborted with that failure, or where nobody asks for more
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
  stop: AbortController,
): AsyncGenerator<Result> {
  const slots = pLimit(atOnce);
  const begun: Array<Promise<Result>> = [];
  let isDone = false;
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const begin = async (item: Item): Promise<Result> => {
    stop.signal.throwIfAborted();
    try {
      return await work(item);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const next = async (): Promise<Result> => {
    const result = await Promise.race([begun[0] ?? failure.promise, failure.promise]);
    begun.shift();
    return result;
  };
  try {
    for await (const item of items) {
      const result = slots(() => begin(item));
      result.catch(() => failure.reject(stop.signal.reason));
      begun.push(result);
      if (begun.length >= atOnce * WINDOW) yield await next();
    }
    while (begun.length > 0) yield await next();
    isDone = true;
  } finally {
    if (!isDone) stop.abort(new Error('nobody waits for it any more'));
    await Promise.allSettled(begun);
  }
}

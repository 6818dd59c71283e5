// Works on many items at once and answers in their order, holding a bounded number. After a failure nothing is left running
// in the background: what had begun is waited for, what had not is not begun.
import pLimit from 'p-limit';

/** Results that may wait for a slow one before them, as a multiple of the items worked on. */
const WINDOW = 8;

/** Ends with the first failure in time. */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const slots = pLimit(atOnce);
  const begun: Array<Promise<Result>> = [];
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  let stopped: { reason: unknown } | undefined;
  const begin = async (item: Item): Promise<Result> => {
    if (stopped) throw stopped.reason;
    return work(item);
  };
  const next = async (): Promise<Result> => {
    const result = await Promise.race([begun[0] ?? failure.promise, failure.promise]);
    begun.shift();
    return result;
  };
  try {
    for await (const item of items) {
      const result = slots(() => begin(item));
      result.catch((reason: unknown) => {
        stopped ??= { reason };
        failure.reject(stopped.reason);
      });
      begun.push(result);
      if (begun.length >= atOnce * WINDOW) yield await next();
    }
    while (begun.length > 0) yield await next();
  } finally {
    stopped ??= { reason: new Error('nobody waits for it any more') };
    await Promise.allSettled(begun);
  }
}

import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { inOrder } from '../../node-scripts/transfer/in-order.ts';

it('tells what is under way to stop at the first failure, waits for it, and begins nothing more', async () => {
  const stop = new AbortController();
  const begun: number[] = [];
  const ended: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    if (item === 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new Error('item 1');
    }
    await once(stop.signal, 'abort');
    ended.push(item);
    stop.signal.throwIfAborted();
  };
  const results = inOrder([0, 1, 2, 3, 4], 3, work, stop);
  await expect(results.next()).rejects.toThrow('item 1');
  expect(begun).toEqual([0, 1, 2]);
  expect(ended).toEqual([0, 2]);
});

it('answers in order whatever ends first, and stops when nobody asks any more', async () => {
  const stop = new AbortController();
  const work = async (item: number) => {
    await new Promise((resolve) => setTimeout(resolve, item === 0 ? 20 : 0));
    return item;
  };
  const answered: number[] = [];
  for await (const item of inOrder([0, 1, 2, 3], 2, work, stop)) {
    answered.push(item);
    expect(stop.signal.aborted).toBe(false);
    if (item === 2) break;
  }
  expect(answered).toEqual([0, 1, 2]);
  expect(stop.signal.aborted).toBe(true);
});

it('keeps no result that was handed out', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const handedOut: Array<WeakRef<object>> = [];
  async function* numbers() {
    for (let number = 0; number < 200; number += 1) yield number;
  }
  const work = async (number: number) => ({ number });
  for await (const result of inOrder(numbers(), 2, work, new AbortController())) {
    handedOut.push(new WeakRef(result));
    if (handedOut.length < 100) continue;
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
    break;
  }
  // One or another may still lie on a stack.
  const kept = handedOut.slice(0, 90).filter((each) => each.deref() !== undefined);
  expect(kept.length).toBeLessThan(10);
});

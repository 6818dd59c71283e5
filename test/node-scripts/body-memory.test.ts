// However much is sent at once, bodies take no more memory than there is for them, and none lies in another's.
import { describe, expect, it } from 'vitest';
import { BodyMemory } from '../../node-scripts/transfer/body-memory.ts';

const MOST = 1_000;
const turn = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 3));

it('is never more than there is, however many bodies there are, and each keeps its bytes', async () => {
  const memory = new BodyMemory(MOST);
  let held = 0;
  let most = 0;
  const count = (bytes: number) => {
    held += bytes;
    most = Math.max(most, held);
  };
  await Promise.all(
    Array.from({ length: 300 }, (_, number) => {
      const length = (number * 37) % MOST;
      return memory.lend(length, async ({ bytes, keepOnly }) => {
        count(length);
        bytes.fill(number);
        await turn();
        const kept = bytes.subarray(Math.floor(length / 4), Math.floor(length / 2));
        keepOnly(kept);
        count(kept.length - length);
        await turn();
        expect(kept.every((byte) => byte === number % 256)).toBe(true);
        count(-kept.length);
      });
    }),
  );
  expect(held).toBe(0);
  expect(most).toBeLessThanOrEqual(MOST);
  expect(most).toBeGreaterThan(MOST / 2);
  // All of it is one piece again.
  expect(await memory.lend(MOST, async ({ bytes }) => bytes.length)).toBe(MOST);
});

describe('who asks for much', () => {
  it('gets it before those who ask later for little', async () => {
    const memory = new BodyMemory(MOST);
    const order: string[] = [];
    const lend = (name: string, length: number) =>
      memory.lend(length, async () => {
        order.push(name);
        await turn();
      });
    await Promise.all([lend('first', 600), lend('much', 900), lend('little', 100)]);
    expect(order).toEqual(['first', 'much', 'little']);
  });

  it('is told where there will never be so much', async () => {
    const lent = new BodyMemory(MOST).lend(MOST + 1, async () => undefined);
    await expect(lent).rejects.toMatchObject({ name: 'UnexpectedError' });
  });
});

it('is free again after a failure', async () => {
  const memory = new BodyMemory(MOST);
  const failed = memory.lend(MOST, () => Promise.reject(new Error('refused')));
  await expect(failed).rejects.toThrow('refused');
  expect(await memory.lend(MOST, async () => 'lent')).toBe('lent');
});

// What keeps a transfer from taking more than it may: of the vault, of the network.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { manualClock } from '../../adapters/clock-manual.ts';
import { openRateLimit } from '../../node-scripts/host-limits.ts';
import { adaptiveSlots } from '../../node-scripts/transfer/adaptive-slots.ts';
import { paceOf, paceUntil } from '../../node-scripts/transfer/pace.ts';

import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

/** Work that tells how many of it ran at once. */
function crowd() {
  let running = 0;
  const seen: number[] = [];
  const work = async () => {
    running += 1;
    seen.push(running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  return { seen, work };
}

it('halves the requests at once when the vault asks to slow down, once a second, and earns them back', async () => {
  const clock = manualClock(new Date('2026-11-21T02:00:00Z'));
  const slots = adaptiveSlots(8, clock);
  const most = async (requests: number) => {
    const { seen, work } = crowd();
    await Promise.all(Array.from({ length: requests }, () => slots.run(work)));
    return Math.max(...seen);
  };
  expect(await most(10)).toBe(8);
  slots.failed('throttled');
  slots.failed('throttled');
  expect(await most(10)).toBe(4);
  await clock.sleep(2_000);
  slots.failed('throttled');
  expect(await most(10)).toBe(2);
  for (let second = 0; second < 10; second += 1) {
    await clock.sleep(2_000);
    slots.failed('throttled');
  }
  expect(await most(3)).toBe(1);
  await most(200);
  expect(await most(20)).toBe(8);
});

it('counts no request that failed as one that went through', async () => {
  const slots = adaptiveSlots(2, manualClock(new Date('2026-11-21T02:00:00Z')));
  slots.failed('throttled');
  const fail = () => Promise.reject(new Error('503'));
  await Promise.allSettled(Array.from({ length: 100 }, () => slots.run(fail)));
  const { seen, work } = crowd();
  await Promise.all([1, 2, 3].map(() => slots.run(work)));
  expect(Math.max(...seen)).toBe(1);
});

it('lets no more bytes go than its rate, after a pause no more than a quarter of a second of it at once', async () => {
  const clock = manualClock(new Date('2026-11-21T02:00:00Z'));
  const pace = paceOf(() => 1_000_000, clock);
  const start = clock.now().getTime();
  for (let sent = 0; sent < 100; sent += 1) await pace.take(100_000);
  expect(clock.now().getTime() - start).toBe(10_000 - 250);
  await clock.sleep(60_000);
  const later = clock.now().getTime();
  for (let sent = 0; sent < 10; sent += 1) await pace.take(100_000);
  expect(clock.now().getTime() - later).toBe(1_000 - 250);
});

it('takes the time that there is, not more than it may, and hurries where the time is over', async () => {
  const clock = manualClock(new Date('2026-11-21T02:00:00Z'));
  const start = clock.now().getTime();
  const until = new Date(start + 100_000);
  const secondsFor = async (bytes: number, most?: number) => {
    let left = bytes;
    const pace = paceUntil(
      until,
      () => left,
      () => most,
      clock,
    );
    const from = clock.now().getTime();
    for (; left > 0; left -= 100_000) await pace.take(100_000);
    return (clock.now().getTime() - from) / 1_000;
  };
  const taken = await secondsFor(100_000_000);
  expect(taken).toBeGreaterThan(85);
  expect(taken).toBeLessThan(100);
  // What is left of the time would want more than it may take.
  expect(await secondsFor(100_000_000, 1_000_000)).toBeCloseTo(100, 0);
  expect(clock.now().getTime()).toBeGreaterThan(until.getTime());
  expect(await secondsFor(100_000_000)).toBe(0);
});

it('stops waiting when the action is stopped', async () => {
  const stop = new AbortController();
  const pace = paceOf(() => 1, manualClock(new Date('2026-11-21T02:00:00Z')));
  stop.abort(new Error('stopped'));
  await expect(pace.take(1_000, stop.signal)).rejects.toThrow('stopped');
});

it('lets go who waits once there is no limit any more', async () => {
  const clock = manualClock(new Date('2026-11-21T02:00:00Z'));
  let rate: number | undefined = 1_000;
  const pace = paceOf(() => rate, clock);
  const start = clock.now().getTime();
  await pace.take(0);
  const waiting = pace.take(1_000_000);
  rate = undefined;
  await waiting;
  await pace.take(1_000_000);
  expect(clock.now().getTime() - start).toBeLessThanOrEqual(1_000);
});

describe('the host’s own limits', () => {
  let host: HostUnderTest;
  beforeEach(async () => {
    host = await hostUnderTest({ limits: { uploadBytesPerSecond: 1_000_000 } });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await host.remove();
  });
  const warnings: string[] = [];
  const open = async (changes: unknown[] = []) => {
    const log = { info: () => undefined, warn: (_: object, text: string) => void warnings.push(text) };
    const document = { limits: { uploadBytesPerSecond: 1_000_000 } };
    const context = { paths: host.paths, log, document } as unknown as Parameters<typeof openRateLimit>[0];
    const rate = await openRateLimit(context, 'uploadBytesPerSecond');
    rate.onChange((perSecond) => changes.push(perSecond));
    return rate;
  };
  const write = async (text: string) => {
    await mkdir(dirname(host.paths.limits), { recursive: true });
    await writeFile(host.paths.limits, text);
  };
  /** Until a look at the file has come to its end. */
  const looked = async (condition: () => boolean) => {
    for (let look = 0; look < 200 && !condition(); look += 1) {
      vi.advanceTimersByTime(2_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  it('go before those of the run, also while it runs, and end with their file', async () => {
    await write('{ "uploadBytesPerSecond": 300000 }');
    const changes: unknown[] = [];
    const rate = await open(changes);
    expect(rate.bytesPerSecond()).toBe(300_000);
    await write('{ "uploadBytesPerSecond": null }');
    await looked(() => changes.length === 1);
    expect(rate.bytesPerSecond()).toBeUndefined();
    await write('{ "downloadBytesPerSecond": 300000 }');
    await looked(() => changes.length === 2);
    await rm(host.paths.limits);
    rate.close();
    expect(changes).toEqual([undefined, 1_000_000]);
  });

  it.each(['no JSON', '{ "uploadBytesPerSecond": 1 }', '{ "upload": 300000 }'])(
    'stay what they were where the file says %s, which is told',
    async (text) => {
      warnings.length = 0;
      await write('{ "uploadBytesPerSecond": 300000 }');
      const rate = await open();
      await write(text);
      await looked(() => warnings.length > 0);
      expect(warnings).toEqual([expect.stringContaining('the limits are what they were')]);
      expect(rate.bytesPerSecond()).toBe(300_000);
      rate.close();
    },
  );
});

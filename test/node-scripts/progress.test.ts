import { expect, it } from 'vitest';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import { type Progress, progress } from '../../contracts/runs.ts';
import { progressReporter } from '../../node-scripts/progress.ts';

const KEY = 'progress/one.json';

it('tells the rate of the last quarter of a minute, and the time that is left at it', async () => {
  const store = memoryObjectStore();
  let nowMs = Date.parse('2026-11-21T02:00:00Z');
  // The reporter's second is a millisecond here; its clock is moved by the test.
  const clock = {
    now: () => new Date(nowMs),
    sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)),
  };
  const tell = async (current: Progress) => {
    await store.put(KEY, JSON.stringify(current), 'overwrite');
  };
  const reporter = progressReporter({ tell, clock, runId: RUN, phase: 'upload' });
  const written = async () => {
    await expect
      .poll(() => JSON.parse(store.objects.get(KEY)?.toString() ?? '{}').updatedAt)
      .toBe(new Date(nowMs).toISOString());
    return progress.parse(JSON.parse(store.objects.get(KEY)?.toString() ?? ''));
  };
  reporter.set({ bytesTotal: 100_000 });
  expect(reporter.bytesLeft()).toBe(100_000);
  expect(await written()).not.toHaveProperty('secondsLeft');
  // Fast at first, slow later: the first does not count for ever.
  for (let second = 1; second <= 40; second += 1) {
    nowMs += 1_000;
    reporter.add({
      bytes: second <= 10 ? 5_000 : 1_000,
      skipped: 10,
      hashed: 20,
      transferred: 30,
      retried: 1,
    });
    await written();
  }
  expect(await written()).toMatchObject({
    ...{ bytesDone: 80_000, bytesPerSecond: 1_000, secondsLeft: 20 },
    ...{ bytesSkipped: 400, bytesHashed: 800, bytesTransferred: 1_200, requestsRetried: 40 },
  });
  // A stall: the rate goes down, and nobody knows how long it will take.
  for (let second = 1; second <= 20; second += 1) {
    nowMs += 1_000;
    reporter.set({ bytesTotal: 100_000 });
    await written();
  }
  expect(await written()).toMatchObject({ bytesPerSecond: 0 });
  expect(await written()).not.toHaveProperty('secondsLeft');
  await reporter.end('succeeded');
  expect(JSON.parse(store.objects.get(KEY)?.toString() ?? '').state).toBe('succeeded');
});

it('writes once a second at most, however much is done', async () => {
  const seconds: Array<() => void> = [];
  const clock = {
    now: () => new Date('2026-11-21T02:00:00Z'),
    sleep: (milliseconds: number, ended?: AbortSignal) =>
      new Promise<void>((resolve) => {
        expect(milliseconds).toBe(1_000);
        seconds.push(resolve);
        ended?.addEventListener('abort', () => resolve());
      }),
  };
  const written: number[] = [];
  const tell = async ({ filesDone }: Progress) => void written.push(filesDone);
  const reporter = progressReporter({ tell, clock, runId: RUN, phase: 'upload' });
  const pass = () => new Promise(setImmediate);
  for (let second = 1; second <= 3; second += 1) {
    await pass();
    expect(written).toHaveLength(second);
    for (let file = 0; file < 1_000; file += 1) reporter.add({ files: 1 });
    await pass();
    expect(written).toHaveLength(second);
    seconds.pop()?.();
  }
  await pass();
  await reporter.end('succeeded');
  expect(written).toEqual([0, 1_000, 2_000, 3_000, 3_000]);
});

const RUN = '20261121t020000z-0a1b2c3d';

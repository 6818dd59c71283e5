// The reserve holds against all that is under way together, and what is there already is not asked for again.
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock-system.ts';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import { vaultLayout } from '../../contracts/layout.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { UNLIMITED } from '../../node-scripts/host-limits.ts';
import { fetchFiles } from '../../node-scripts/transfer/fetch-files.ts';
import type { FetchFile } from '../../node-scripts/transfer/fetch-object.ts';
import { openReserve } from '../../node-scripts/transfer/reserve.ts';

const KIB = 1024;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reserve-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** Of a disk that has room for so many bytes, and nothing on it but the files of the test. */
const diskOf = (bytes: number) => () => {
  const blocks = readdirSync(directory).map((name) => statSync(join(directory, name)).blocks);
  return bytes - blocks.reduce((sum, each) => sum + each * 512, 0);
};
const file = (name: string, sizeBytes: number): FetchFile => ({
  ...{ path: name, target: join(directory, name), sha256: '', sizeBytes, offset: 0 },
});

describe('a promise of room', () => {
  it('leaves out what an attempt before has taken', async () => {
    await writeFile(join(directory, 'killed.part'), Buffer.alloc(300 * KIB));
    const reserve = openReserve(50 * KIB, diskOf(400 * KIB));
    reserve.promise([file('killed', 300 * KIB)]);
    expect(() => reserve.promise([file('next', 60 * KIB)])).toThrow(/got 102400 bytes free by now/);
  });

  it('is asked for by nothing that is whole', async () => {
    await writeFile(join(directory, 'whole'), Buffer.alloc(300 * KIB));
    openReserve(Number.MAX_SAFE_INTEGER, diskOf(400 * KIB)).promise([file('whole', 300 * KIB)]);
  });

  it('counts against all others until it is given back', () => {
    const reserve = openReserve(50 * KIB, diskOf(400 * KIB));
    const giveBack = reserve.promise([file('one', 100 * KIB), file('two', 100 * KIB)]);
    const other = [file('other', 200 * KIB)] as const;
    expect(() => reserve.promise(other)).toThrow(/204800 for what is under way/);
    giveBack();
    reserve.promise(other);
  });
});

describe('files that are fetched at the same time', () => {
  const EACH = 300 * KIB;
  const COUNT = 8;
  const fetchAll = async (freeBytes: () => number, reserveBytes: number, atOnce: number) => {
    const store = memoryObjectStore();
    const layout = vaultLayout('');
    const listed = Array.from({ length: COUNT }, (_, index): ListedFile => {
      const body = randomBytes(EACH);
      const sha256 = createHash('sha256').update(body).digest('hex');
      store.objects.set(layout.object('demo', sha256), body);
      return { path: `shop/orders/nb-${index}-big-Data.db`, dataDirectory: 0, sizeBytes: EACH, sha256 };
    });
    const { receive } = store;
    store.receive = async (key, receiver) => {
      // All that may be under way are.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return receive(key, receiver);
    };
    const context = {
      ...{ store, layout, dataKeys: memoryDataKeys('demo'), clock: systemClock },
      ...{ signal: new AbortController().signal, progress: { add: () => undefined } },
    };
    return fetchFiles(context, ReadableStream.from(listed), {
      ...{ clusterId: 'demo', atOnce, threads: 1 },
      rate: UNLIMITED,
      reserve: openReserve(reserveBytes, freeBytes),
      placeOf: async ({ path, sha256, sizeBytes }) => ({ ...file(basename(path), sizeBytes), sha256 }),
    });
  };

  it('do not overrun the reserve together', async () => {
    const reserveBytes = 4_000 * KIB;
    const freeBytes = diskOf(reserveBytes + 2 * EACH);
    await expect(fetchAll(freeBytes, reserveBytes, COUNT)).rejects.toMatchObject({
      name: 'InsufficientSpace',
    });
    expect(freeBytes()).toBeGreaterThanOrEqual(reserveBytes);
  });

  it.each([1, 3, COUNT])('fill, %i at once, what is free above it', async (atOnce) => {
    const reserveBytes = 4_000 * KIB;
    const freeBytes = diskOf(reserveBytes + COUNT * EACH);
    expect(await fetchAll(freeBytes, reserveBytes, atOnce)).toMatchObject({ files: COUNT });
    expect(freeBytes()).toBe(reserveBytes);
  });
});

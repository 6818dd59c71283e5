// A large file comes over several connections at once, and is whole and right, or has no name.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, lstat, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock-system.ts';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import { type MemoryObjectStore, memoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { ByteRange } from '../../adapters/ports.ts';
import { VaultUnavailable } from '../../contracts/errors.ts';
import { encrypted } from '../../node-scripts/transfer/encryption.ts';
import { type FetchJob, type FetchPorts, fetchObject } from '../../node-scripts/transfer/fetch-object.ts';
import { paceOf } from '../../node-scripts/transfer/pace.ts';

const SIZE = 1_000_003;
const RANGE = 100_000;
const body = randomBytes(SIZE);
const sha256 = createHash('sha256').update(body).digest('hex');

let directory: string;
let store: MemoryObjectStore;
let target: string;
let received: number;
let asked: Array<ByteRange | undefined>;
let most: number;
let space: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fetch-in-ranges-'));
  target = join(directory, 'nb-1-big-Data.db');
  store = memoryObjectStore();
  store.objects.set('object', body);
  [received, asked, most, space] = [0, [], 0, 0];
  const { receive } = store;
  let open = 0;
  store.receive = async (key, receiver) => {
    // Its space is taken before anything comes.
    if (receiver.range && asked.length === 0) space = (await stat(`${target}.part`)).blocks * 512;
    asked.push(receiver.range);
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return receive(key, receiver).finally(() => {
      open -= 1;
    });
  };
});
afterEach(() => rm(directory, { recursive: true }));

const ports = (): FetchPorts => ({
  ...{ store, dataKeys: memoryDataKeys('demo'), signal: new AbortController().signal },
  pace: paceOf(() => undefined, systemClock),
  onBytes: (bytes) => {
    received += bytes;
  },
  ranges: { from: RANGE, bytes: RANGE, atOnce: 4 },
});
const job = (sizeBytes = SIZE): FetchJob => ({
  ...{ key: 'object', isPack: false, sha256, variant: 'plain' },
  files: [
    {
      ...{ path: 'shop/orders/nb-1-big-Data.db', target, sha256, sizeBytes, offset: 0 },
      ownership: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, fileMode: 0o640 },
    },
  ],
});

it('is the file that was stored, each byte asked for once, no more connections than may be', async () => {
  expect(await fetchObject(ports(), job())).toBe(SIZE);
  expect((await readFile(target)).equals(body)).toBe(true);
  expect(received).toBe(SIZE);
  expect(asked).toHaveLength(11);
  expect(asked.at(-1)).toEqual({ start: 1_000_000, end: SIZE });
  expect(most).toBe(4);
  expect(space).toBeGreaterThanOrEqual(SIZE);
  expect(existsSync(`${target}.part`)).toBe(false);
  expect(await fetchObject(ports(), job())).toBe(0);
});

it('is one request below the size from which it is worth it', async () => {
  const large = { from: SIZE + 1, bytes: RANGE, atOnce: 4 };
  await fetchObject({ ...ports(), ranges: large }, job());
  expect(asked).toEqual([undefined]);
});

it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
  ['other bytes in its midst', (bytes) => Buffer.from(bytes).fill(0, 500_000, 500_010), /expected SHA-256/],
  ['its end cut', (bytes) => bytes.subarray(0, -1), /got 2 bytes, expected 3/],
  ['half of it cut', (bytes) => bytes.subarray(0, SIZE / 2), /expected 100000/],
])('is damaged with %s, named, and has no name on the disk', async (_, damage, message) => {
  store.objects.set('object', damage(body));
  await expect(fetchObject(ports(), job())).rejects.toMatchObject({
    name: 'BackupDamaged',
    message: expect.stringMatching(message),
  });
  expect(existsSync(target)).toBe(false);
});

it('is asked for again where bytes were changed on their way', async () => {
  const { receive } = store;
  let first = true;
  store.receive = async (key, receiver) => {
    const isChanged = first && receiver.range?.start === 300_000;
    if (isChanged) first = false;
    const take = (bytes: Buffer) => receiver.take(isChanged ? bytes.fill(0, 0, 10) : bytes);
    return receive(key, { ...receiver, take });
  };
  await fetchObject(ports(), job());
  expect((await readFile(target)).equals(body)).toBe(true);
});

it('ends all connections with the first that fails', async () => {
  const { receive } = store;
  store.receive = async (key, receiver) => {
    if (receiver.range?.start === 200_000) throw new VaultUnavailable('GetObject object: got 503');
    return receive(key, receiver);
  };
  await expect(fetchObject(ports(), job())).rejects.toMatchObject({ name: 'VaultUnavailable' });
  expect(asked.length).toBeLessThan(8);
  expect(existsSync(target)).toBe(false);
});

describe('after a kill', () => {
  /** As a kill leaves it: some ranges are written, and the last one half. */
  async function killedAt(start: number) {
    const { receive } = store;
    store.receive = async (key, receiver) => {
      if ((receiver.range?.start ?? 0) < start) return receive(key, receiver);
      receiver.take(Buffer.alloc(10));
      // Those before have come by then.
      await new Promise((resolve) => setTimeout(resolve, 100));
      throw new VaultUnavailable('killed');
    };
    await expect(fetchObject(ports(), job())).rejects.toMatchObject({ name: 'VaultUnavailable' });
    store.receive = receive;
    [asked, received] = [[], 0];
  }
  const left = () => [`${target}.part`, `${target}.part.ranges`].filter((path) => existsSync(path));

  it('asks for the ranges that are not there', async () => {
    await killedAt(600_000);
    expect(left()).toHaveLength(2);
    await fetchObject(ports(), job());
    expect((await readFile(target)).equals(body)).toBe(true);
    expect(asked.map((range) => range?.start).sort()).toEqual([
      1_000_000, 600_000, 700_000, 800_000, 900_000,
    ]);
    expect(left()).toEqual([]);
  });

  it.each<[string, () => Promise<void>]>([
    ['what is noted never reached the disk', () => truncate(`${target}.part`, 250_000)],
    ['other bytes are on the disk', () => writeFile(`${target}.part`, randomBytes(SIZE))],
  ])('begins anew where %s', async (_, damage) => {
    await killedAt(600_000);
    await damage();
    await fetchObject(ports(), job());
    expect((await readFile(target)).equals(body)).toBe(true);
    expect(left()).toEqual([]);
  });

  describe.each([
    ['a link', link],
    ['a symbolic link', symlink],
  ] as const)('does not write through %s', (_, makeLink) => {
    const victim = Buffer.alloc(SIZE, 'v');
    const isLeftAlone = async (place: string, ranges = ports().ranges) => {
      const path = join(directory, 'victim');
      await writeFile(path, victim);
      await rm(place, { force: true });
      await makeLink(path, place);
      await fetchObject({ ...ports(), ranges }, job());
      expect((await readFile(path)).equals(victim)).toBe(true);
      expect((await lstat(target)).isFile()).toBe(true);
      expect((await readFile(target)).equals(body)).toBe(true);
      expect(left()).toEqual([]);
    };

    it.each(['part', 'part.ranges'])('in the place of its .%s', async (name) => {
      await killedAt(600_000);
      await isLeftAlone(`${target}.${name}`);
    });

    it('in the place of the .part of a file that is one request', async () => {
      await isLeftAlone(`${target}.part`, { from: SIZE + 1, bytes: RANGE, atOnce: 4 });
    });
  });

  it('takes no symbolic link for the file, even to one that is right', async () => {
    await writeFile(join(directory, 'elsewhere'), body);
    await symlink(join(directory, 'elsewhere'), target);
    expect(await fetchObject(ports(), job())).toBe(SIZE);
    expect((await lstat(target)).isFile()).toBe(true);
  });

  it('believes no note of another file, of other ranges, or torn', async () => {
    for (const note of [
      `${'0'.repeat(64)} ${RANGE}\n0\n`,
      `${sha256} 5\n0\n`,
      `${sha256} ${RANGE}\n100000`,
    ]) {
      await rm(target, { force: true });
      await writeFile(`${target}.part`, 'of another');
      await writeFile(`${target}.part.ranges`, note);
      asked = [];
      await fetchObject(ports(), job());
      expect((await readFile(target)).equals(body)).toBe(true);
      expect(asked).toHaveLength(11);
    }
  });

  it('leaves nothing of an object that is damaged', async () => {
    store.objects.set('object', Buffer.from(body).fill(0, 500_000, 500_010));
    await expect(fetchObject(ports(), job())).rejects.toMatchObject({ name: 'BackupDamaged' });
    expect(left()).toEqual([]);
  });
});

it('is not begun where the disk has no room for it', async () => {
  await expect(fetchObject(ports(), job(2 ** 43))).rejects.toMatchObject({ name: 'InsufficientSpace' });
  expect(asked).toEqual([]);
  expect((await stat(`${target}.part`)).blocks).toBe(0);
});

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

describe('an encrypted one', () => {
  const keys = memoryDataKeys('demo');
  const RANGE_OF_CHUNKS = 2 * 65_536;
  let sealed: Buffer;
  const fetch = (plain: Buffer) => {
    const name = createHash('sha256').update(plain).digest('hex');
    const { files, ...rest } = job(plain.length);
    const ranges = { from: 1, bytes: RANGE_OF_CHUNKS, atOnce: 4 };
    const of: FetchJob = { ...rest, variant: 'enc', sha256: name, files: [{ ...files[0], sha256: name }] };
    return fetchObject({ ...ports(), dataKeys: keys, ranges }, of);
  };
  const put = async (plain: Buffer) => {
    const name = createHash('sha256').update(plain).digest('hex');
    sealed = await buffer(encrypted(Readable.from([plain]), await keys.generate('any'), name));
    store.objects.set('object', sealed);
  };

  it.each([1, 65_535, 65_536, 65_537, 131_072, 131_073, SIZE])(
    'of %i bytes comes in ranges, too',
    async (size) => {
      const plain = body.subarray(0, size);
      await put(plain);
      expect(await fetch(plain)).toBe(size);
      expect((await readFile(target)).equals(plain)).toBe(true);
      expect(received).toBe(sealed.length);
      expect(asked).toHaveLength(1 + Math.ceil(size / RANGE_OF_CHUNKS));
    },
  );

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a changed chunk', (bytes) => flipped(bytes, 400_000)],
    ['a changed header', (bytes) => flipped(bytes, 500)],
    ['no end', (bytes) => bytes.subarray(0, -1)],
    ['chunks after its end', (bytes) => Buffer.concat([bytes, bytes.subarray(512)])],
  ])('with %s is damaged, or what it was', async (what, damage) => {
    await put(body);
    store.objects.set('object', damage(sealed));
    if (what === 'chunks after its end') expect(await fetch(body)).toBe(SIZE);
    else await expect(fetch(body)).rejects.toMatchObject({ name: 'BackupDamaged' });
    expect(existsSync(target)).toBe(what === 'chunks after its end');
  });
});

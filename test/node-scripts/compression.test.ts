// Objects that are compressed on their way: only where it is worth it, found again, and never other bytes than were hashed.
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ITEMS, ORDERS, tablePath, writeSnapshot } from './fake-node.ts';
import { CLUSTER } from './host-under-test.ts';
import { type HostWithSnapshot, hostWithSnapshot, RUN } from './host-with-snapshot.ts';

const SECOND = '20261121t030000z-0a1b2c3d';
/** More than a pack may hold: read from the disk again while it is compressed. */
const text = Buffer.from(randomBytes(3_000_000).toString('hex'));
const TEXT = `${tablePath(ITEMS)}/nb-1-big-Data.db`;

let host: HostWithSnapshot;
let items: string;
beforeEach(async () => {
  host = await hostWithSnapshot({ compression: 'zstd' });
  items = await writeSnapshot(host.data[1] ?? '', ITEMS, { 'nb-1-big': text }, ['nb-1-big-Data.db']);
  await host.allowRestore();
});
afterEach(() => host.remove());

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

it('compresses what shrinks, and nothing else; the address is that of the plain bytes', async () => {
  await host.upload();
  const line = host.lineOf(TEXT);
  expect(line).toMatchObject({ sha256: hashOf(text), sizeBytes: text.length, variant: 'zst' });
  const stored = host.memory.objects.get(host.keyOf(line)) ?? Buffer.alloc(0);
  expect(stored.length).toBeLessThan(text.length * 0.7);
  expect(zstdDecompressSync(stored).equals(text)).toBe(true);
  expect(host.lineOf(`${tablePath(ORDERS)}/nb-1-big-Data.db`)?.variant).toBeUndefined();
});

it('restores it, a part of a pack too, and sends nothing that the backup before holds', async () => {
  const many = Object.fromEntries(
    [2, 3, 4].map((each) => [`nb-${each}-big`, Buffer.alloc(100_000, `${each}`)]),
  );
  const names = [1, 2, 3, 4].map((each) => `nb-${each}-big-Data.db`);
  await writeSnapshot(host.data[1] ?? '', ITEMS, many, names);
  const first = await host.upload();
  expect(host.lineOf(`${tablePath(ITEMS)}/nb-2-big-Data.db`)).toMatchObject({ variant: 'zst', offset: 0 });
  const second = await host.upload(SECOND, host.sourceOf(RUN, first));
  expect(second).toMatchObject({ uploadedFiles: 0, listingSha256: first.listingSha256 });
  const out = await host.restore(SECOND, second);
  expect(out.bytes).toBe(
    host.listing().reduce((sum, { path, sizeBytes }) => sum + (path.startsWith('shop/') ? sizeBytes : 0), 0),
  );
});

it.each([
  [
    'changed',
    (bytes: Buffer) => Buffer.from(bytes.map((byte, index) => (index === 5_000 ? byte ^ 1 : byte))),
  ],
  ['cut', (bytes: Buffer) => bytes.subarray(0, -1)],
  ['no zstd', () => Buffer.from('not a frame')],
  ['of another file', () => Buffer.from('28b52ffd2001090000ff', 'hex')],
])('names the object and the file where it is %s', async (_, damage) => {
  const out = await host.upload();
  const key = host.keyOf(host.lineOf(TEXT));
  host.memory.objects.set(key, damage(host.memory.objects.get(key) ?? Buffer.alloc(0)));
  const failed = await host.restore(RUN, out).catch((error: Error) => error);
  expect(failed).toMatchObject({ name: 'BackupDamaged' });
  expect(String(failed)).toContain(key);
  expect(String(failed)).toContain(TEXT);
});

it('stores the right bytes beside an object that holds others', async () => {
  await host.upload();
  const key = host.keyOf(host.lineOf(TEXT));
  const right = host.memory.objects.get(key);
  host.memory.objects.set(key, Buffer.from('other bytes'));
  const second = await host.upload(SECOND);
  expect(second.tampered).toEqual([key]);
  expect(host.lineOf(TEXT, SECOND)?.variant).toBe('zst.2');
  expect(right && host.memory.objects.get(`${key}.2`)?.equals(right)).toBe(true);
  await host.restore(SECOND, second);
});

it('reads a file again that changed after it was hashed, and stores nothing of what it read in between', async () => {
  const path = join(items, 'nb-1-big-Index.db');
  await writeFile(path, text.subarray(1));
  const changed = text.subarray(2);
  const putStream = host.memory.putStream.bind(host.memory);
  const put = vi.spyOn(host.memory, 'putStream').mockImplementation(async (object) => {
    if (object.key.includes(hashOf(text.subarray(1)))) await writeFile(path, changed);
    return putStream(object);
  });
  await host.upload();
  expect(put.mock.calls.map(([object]) => object.key)).toContain(
    host.layout.object(CLUSTER, hashOf(text.subarray(1)), 'zst'),
  );
  expect(host.lineOf(`${tablePath(ITEMS)}/nb-1-big-Index.db`)?.sha256).toBe(hashOf(changed));
  expect(host.objectKeys().filter((key) => key.includes(hashOf(text.subarray(1))))).toEqual([]);
});

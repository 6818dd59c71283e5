// Files that do not stay as they are while they are read: what is told of them is true of some one moment, or nothing is.
import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Hasher, openHasher } from '../../node-scripts/hashing/hasher.ts';

/** Long to read, and no space on the disk. */
const BYTES = 128 * 1024 ** 2;
const EVERY_MS = 2;

let directory: string;
let path: string;
let hasher: Hasher;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hasher-'));
  path = join(directory, 'nb-1-big-Data.db');
  hasher = openHasher(1, new AbortController().signal);
  // Its thread is there once it has hashed something.
  await writeFile(path, 'x');
  await hasher.hash({ paths: [path] });
  await writeFile(path, '');
  await truncate(path, BYTES);
});
afterEach(async () => {
  await hasher.close();
  await rm(directory, { recursive: true });
});

const hash = () => hasher.hash({ paths: [path] });
const soon = () => new Promise((resolve) => setTimeout(resolve, 5 * EVERY_MS));

async function hashOfNow(): Promise<{ sha256: string; sizeBytes: number }> {
  const content = await readFile(path);
  return { sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
}

describe('a file that changes once while it is read', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['grows', () => appendFile(path, 'more')],
    ['shrinks', () => truncate(path, BYTES / 2)],
    ['changes in place', () => open(path, 'r+').then((file) => file.write('other').then(() => file.close()))],
    [
      'is replaced by another of its size',
      async () => {
        const other = join(directory, 'other');
        await writeFile(other, 'other');
        await truncate(other, BYTES);
        await rename(other, path);
      },
    ],
  ])('%s: is read again', async (_, change) => {
    const hashing = hash();
    await soon();
    await change();
    expect(await hashing).toMatchObject(await hashOfNow());
  });
});

it('a file that never stays the same is refused by name', async () => {
  const changing = setInterval(() => void appendFile(path, 'more'), EVERY_MS);
  try {
    await expect(hash()).rejects.toMatchObject({
      name: 'FileUnstable',
      message: expect.stringContaining(path),
    });
  } finally {
    clearInterval(changing);
  }
});

it('a file that vanishes is told by name', async () => {
  const hashing = hash();
  const refused = expect(hashing).rejects.toMatchObject({ name: 'FileVanished' });
  await soon();
  await rm(path);
  await refused;
});

it('a file without a byte is what it is', async () => {
  await truncate(path, 0);
  expect(await hash()).toMatchObject({ ...(await hashOfNow()), crc32: 0, partCrc32: [0] });
});

// Where the parts of encoded files lie: in memory while they fit, never in so much of it that small objects would wait; else in files.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BodyMemory, bodyBytes } from '../../node-scripts/transfer/body-memory.ts';
import { partsIn } from '../../node-scripts/transfer/stream-parts.ts';

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stream-parts-'));
});
afterEach(() => rm(directory, { recursive: true }));

it.each([1, 2, 3, 4])(
  'with %i threads, streams in memory leave some of it to small objects',
  async (threads) => {
    const memory = new BodyMemory(bodyBytes(threads));
    const withParts = partsIn(memory, { directory, threads, signal: new AbortController().signal });
    const { promise: enough, resolve: release } = Promise.withResolvers<void>();
    const streams = Array.from({ length: 5 }, () => withParts(300 * MIB, () => enough));
    expect(await memory.lend(7 * MIB, async ({ bytes }) => bytes.length)).toBe(7 * MIB);
    release();
    await Promise.all(streams);
  },
);

it.each([0.2, 5])('of %d TiB are in files, of one at a time, which are gone afterwards', async (tib) => {
  const options = { directory, threads: 2, signal: new AbortController().signal };
  const withParts = partsIn(new BodyMemory(1), options);
  let open = 0;
  const put = async (parts: readonly [Buffer | string, Buffer | string]) => {
    open += 1;
    expect(open).toBe(1);
    for (const part of parts) await writeFile(String(part), 'x');
    open -= 1;
    return parts;
  };
  const [parts] = await Promise.all([withParts(tib * TIB, put), withParts(tib * TIB, put)]);
  for (const part of parts) expect([typeof part, existsSync(String(part))]).toEqual(['string', false]);
});

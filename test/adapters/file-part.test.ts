// What a file is read into is used again, and must be nobody else's while it is on its way.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FilePart } from '../../adapters/file-part.ts';

const SIZE = 5_000;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'file-part-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function readAll(part: FilePart): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of part) pieces.push(piece as Buffer);
  return pieces;
}

it('keeps the last piece as it is until it is destroyed, whatever else is read meanwhile', async () => {
  const paths = Array.from({ length: 20 }, (_, index) => join(directory, String(index)));
  const contents = paths.map(() => randomBytes(SIZE));
  for (const [index, path] of paths.entries()) await writeFile(path, contents[index] ?? '');
  const open = paths.map((path) => new FilePart(path, { at: 0, length: SIZE }));
  const read: Buffer[][] = [];
  for (const part of open) read.push(await readAll(part));
  // More of them than there are large buffers, and some whose turn comes again.
  const others = paths.map((path) => new FilePart(path, { at: 0, length: SIZE }));
  for (const other of others) await readAll(other);
  expect(
    read.map((pieces) => Buffer.concat(pieces).equals(contents[read.indexOf(pieces)] ?? Buffer.of())),
  ).toEqual(paths.map(() => true));
  for (const part of [...open, ...others]) part.destroy();
});

it.each([
  ['is shorter than what was hashed', 'FileUnstable', (path: string) => writeFile(path, 'short')],
  ['is gone', 'FileVanished', async () => undefined],
  [
    'is gone with its directory',
    'FileVanished',
    () => rm(directory, { recursive: true }).then(() => writeFile(directory, '')),
  ],
  ['cannot be read', 'UnexpectedError', (path: string) => mkdir(path)],
])('fails by name where the file %s', async (_what, name, make) => {
  const path = join(directory, 'file');
  await make(path);
  const part = new FilePart(path, { at: 0, length: SIZE });
  await expect(readAll(part)).rejects.toMatchObject({ name, message: expect.stringContaining(path) });
  part.destroy();
});

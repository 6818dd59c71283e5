import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeOwnedDirectory } from '../../node-scripts/transfer/owned-directories.ts';

it('gives what it makes its owner and mode, and leaves what is there as it is', async () => {
  const root = await mkdtemp(join(tmpdir(), 'owned-directories-'));
  try {
    const { uid, gid, mode } = await stat(root);
    const ownership = { uid, gid, directoryMode: 0o750, fileMode: 0o640 };
    await makeOwnedDirectory(join(root, 'shop', 'orders'), ownership);
    for (const made of ['shop', 'shop/orders'])
      expect(await stat(join(root, made))).toMatchObject({ uid, gid, mode: 0o40_750 });
    expect((await stat(root)).mode).toBe(mode);
    expect(await readdir(root)).toEqual(['shop']);
  } finally {
    await rm(root, { recursive: true });
  }
});

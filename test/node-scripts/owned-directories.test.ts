import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeOwnedDirectory, ownershipOf } from '../../node-scripts/transfer/owned-directories.ts';

it('makes a parent once for all that are made below it at the same time', async () => {
  const root = await mkdtemp(join(tmpdir(), 'owned-directories-'));
  try {
    const ownership = await ownershipOf(root);
    for (let round = 0; round < 40; round += 1) {
      const parent = join(root, `${round}`, 'shop');
      const names = Array.from({ length: 8 }, (_, index) => `table-${index}`);
      const made = new Map();
      await Promise.all(names.map((name) => makeOwnedDirectory(join(parent, name), ownership, made)));
      expect(await readdir(parent)).toEqual(names);
      expect(await readdir(join(root, `${round}`))).toEqual(['shop']);
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

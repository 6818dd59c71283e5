// What root deletes below a directory of Cassandra's user is what has the name, and nothing that a link leads to.
import { mkdir, mkdtemp, open, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeTree } from '../../node-scripts/transfer/remove-tree.ts';

let root: string;
let data: string;
let victim: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'remove-tree-'));
  [data, victim] = [join(root, 'data'), join(root, 'victim')];
  await mkdir(data);
  await mkdir(join(victim, 'run'), { recursive: true });
  await writeFile(join(victim, 'run', 'file'), '');
});
afterEach(() => rm(root, { recursive: true }));
const victimsFiles = () => readdir(victim, { recursive: true });
const ALL = ['run', 'run/file'];

it('deletes a tree, whatever its name begins with, and follows no link in it', async () => {
  const tree = join(data, '-run');
  await mkdir(join(tree, 'below', '.deep'), { recursive: true });
  await writeFile(join(tree, 'below', 'file'), '');
  await symlink(victim, join(tree, 'below', 'link'));
  await removeTree(tree);
  expect(await readdir(data)).toEqual([]);
  expect(await victimsFiles()).toEqual(ALL);
});

it('deletes of a link the link alone', async () => {
  await symlink(join(victim, 'run'), join(data, 'run'));
  await removeTree(join(data, 'run'));
  expect(await readdir(data)).toEqual([]);
  expect(await victimsFiles()).toEqual(ALL);
});

it('refuses to go through a link', async () => {
  await symlink(victim, join(data, 'linked'));
  const refused = { name: 'FileInTheWay', message: expect.stringContaining(join(data, 'linked')) };
  await expect(removeTree(join(data, 'linked', 'run'))).rejects.toMatchObject(refused);
  expect(await victimsFiles()).toEqual(ALL);
});

it('goes through what is open already, and through a data directory that is a link', async () => {
  await symlink(data, join(root, 'linked'));
  const ringvault = join(root, 'linked', '.ringvault');
  await mkdir(join(ringvault, 'run', 'load', '1'), { recursive: true });
  const held = await open(join(ringvault, 'run'));
  try {
    await removeTree(`/proc/self/fd/${held.fd}/load/1`);
    expect(await readdir(ringvault, { recursive: true })).toEqual(['run', 'run/load']);
  } finally {
    await held.close();
  }
  await removeTree(join(ringvault, 'run'));
  expect(await readdir(ringvault)).toEqual([]);
});

it.each(['nothing', 'nothing/at/all'])('is content with %s', async (path) => {
  await removeTree(join(data, path));
  expect(await readdir(data)).toEqual([]);
});

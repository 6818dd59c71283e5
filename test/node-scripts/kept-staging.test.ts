// A download for later: the next restore of the same goes on with it, any other deletes it, and its space counts as free.
import { existsSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupSource } from '../../contracts/actions.ts';
import { keptBytes } from '../../node-scripts/transfer/kept-staging.ts';
import { ITEMS, ORDERS, tablePath } from './fake-node.ts';
import { type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

const LATER = '20261122t040000z-0a1b2c3d';
let host: HostWithSnapshot;
let source: BackupSource;
beforeEach(async () => {
  host = await hostWithSnapshot();
  source = host.sourceOf(RUN, await host.upload());
  await host.allowRestore();
  // The node does not know the files that it has: all is downloaded.
  await rm(host.paths.cache, { recursive: true });
});
afterEach(() => host.remove());

const input = (tables = [ORDERS, ITEMS]) => ({ sources: [source], tables });
const ahead = () => host.run(RESTORE, 'download', { ...input(), forLater: true });
const staged = (run: string, root = 0) => join(host.data[root] ?? '', '.ringvault', `${run}.new`);
const objectsGone = () => {
  for (const key of host.objectKeys()) host.memory.objects.delete(key);
};

it('is gone on with by the next restore of the same, which asks the vault for no object', async () => {
  const { files, bytes } = await ahead();
  objectsGone();
  expect(await host.run(LATER, 'download', input())).toEqual({ files, bytes, downloadedBytes: 0 });
  expect(existsSync(staged(RESTORE))).toBe(false);
  expect(existsSync(host.paths.keptStaging)).toBe(false);
  expect(await host.run(LATER, 'place', { ...input(), emptied: [] })).toMatchObject({ files, bytes });
});

it('is looked at again, file by file', async () => {
  const { files, bytes } = await ahead();
  const [name = ''] = (await readdir(join(staged(RESTORE), tablePath(ORDERS)))).filter((each) =>
    each.endsWith('Filter.db'),
  );
  await writeFile(join(staged(RESTORE), tablePath(ORDERS), name), 'rotten since');
  const { downloadedBytes } = await host.run(LATER, 'download', input());
  expect(downloadedBytes).toBeGreaterThan(0);
  expect(await host.run(LATER, 'place', { ...input(), emptied: [] })).toMatchObject({ files, bytes });
});

it('is deleted by a restore of anything else: nothing of it goes live with that', async () => {
  await ahead();
  const { files } = await host.run(LATER, 'download', input([ITEMS]));
  for (const root of [0, 1]) {
    expect(existsSync(staged(RESTORE, root))).toBe(false);
    expect(existsSync(join(staged(LATER, root), tablePath(ORDERS)))).toBe(false);
  }
  expect(await host.run(LATER, 'place', { ...input([ITEMS]), emptied: [] })).toMatchObject({ files });
  expect(existsSync(join(host.orders, 'nb-1-big-Data.db'))).toBe(true);
});

it('is gone on with where taking it over was interrupted between two data directories', async () => {
  await ahead();
  await rename(staged(RESTORE, 0), staged(LATER, 0));
  objectsGone();
  expect(await host.run(LATER, 'download', input())).toMatchObject({ downloadedBytes: 0 });
});

it('counts as space that the next restore has, as long as it is there', async () => {
  const { bytes } = await ahead();
  const kept = async () => {
    const each = await Promise.all(host.data.map((root) => keptBytes(host, root)));
    return each.reduce((sum, more) => sum + more, 0);
  };
  expect(await kept()).toBe(bytes);
  for (const root of [0, 1]) await rm(staged(RESTORE, root), { recursive: true });
  expect(await kept()).toBe(0);
});

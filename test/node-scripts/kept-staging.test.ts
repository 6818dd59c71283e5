// A download for later: the next restore of the same goes on with it, any other deletes it, and its space counts as free.
import { existsSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupSource } from '../../contracts/actions.ts';
import { keptBytes } from '../../node-scripts/transfer/kept-staging.ts';
import { fakeNode, ITEMS, ORDERS, tablePath } from './fake-node.ts';
import { type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

const LATER = '20261122t040000z-0a1b2c3d';
const LAST = '20261123t040000z-0a1b2c3d';
const RECOVER = '20261122t050000z-0a1b2c3d';
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
  expect(await host.run(LATER, 'place', { ...input(), emptied: [] })).toMatchObject({ files, bytes });
  expect(existsSync(host.paths.keptStaging)).toBe(false);
});

it.each(['before', 'after'])(
  'outlives a restore that fails %s taking it over, and not one that came to its swap',
  async (when) => {
    await ahead();
    objectsGone();
    if (when === 'after') await host.run(LATER, 'download', input());
    const ended = when === 'after' ? LATER : RESTORE;
    const end = { endedRunId: ended, tags: [], restoreRunId: ended };
    await host.run(RECOVER, 'end-run', end);
    const { bytes } = await host.run(LAST, 'download', input());
    expect(existsSync(staged(LAST))).toBe(true);
    expect(bytes).toBeGreaterThan(0);
    await host.run(LAST, 'place', { ...input(), emptied: [] });
    await host.run(RECOVER, 'end-run', { endedRunId: LAST, tags: [], restoreRunId: LAST }, 'end-run-again');
    expect(existsSync(host.paths.keptStaging)).toBe(false);
  },
);

it('of a restore that was not to end there does not outlive its failure', async () => {
  await host.run(LATER, 'download', input());
  await host.run(RECOVER, 'end-run', { endedRunId: LATER, tags: [], restoreRunId: LATER });
  expect(existsSync(staged(LATER))).toBe(false);
});

it('is deleted where the data directories are others by now: files of one name would go live twice', async () => {
  await ahead();
  await fakeNode(host, { data_file_directories: [host.data[0]] });
  const { downloadedBytes } = await host.run(LATER, 'download', input());
  expect(downloadedBytes).toBeGreaterThan(0);
  expect([0, 1].map((root) => existsSync(staged(RESTORE, root)))).toEqual([false, false]);
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

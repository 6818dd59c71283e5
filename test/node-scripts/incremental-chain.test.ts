// What was collected goes to the vault, off the disk once a sealed backup names it, and back with what it goes on from.
import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActionOutput } from '../../contracts/actions.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';
import { recall, remember, writeNoted } from '../../node-scripts/increments/memory.ts';
import { collectedDirectory } from '../../node-scripts/increments/places.ts';
import { stagingRoot } from '../../node-scripts/transfer/placement.ts';
import { ITEMS, ORDERS, tablePath, write } from './fake-node.ts';
import { CLUSTER } from './host-under-test.ts';
import { type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

const SECOND = '20261121t030000z-0a1b2c3d';
let host: HostWithSnapshot;
beforeEach(async () => {
  host = await hostWithSnapshot();
  await host.allowRestore();
});
afterEach(() => host.remove());

const root = () => host.data[0] ?? '';
const collected = (name: string) => join(collectedDirectory(root(), tablePath(ORDERS)), name);

/** An SSTable as it was collected. */
async function collect(name: string, content = 'written since'): Promise<void> {
  for (const component of ['Index.db', 'Statistics.db'])
    await write(collected(`${name}-${component}`), component);
  await write(collected(`${name}-Data.db`), content);
}

const uploadIncrement = (run = SECOND, more: object = {}) =>
  host.run(run, 'upload', { ...host.inputOf(run), kind: 'incremental', incrementalBackups: true, ...more });

async function seal(run: string, { listingSha256 }: ActionOutput<'upload'>): Promise<void> {
  const sha256 = '0'.repeat(64);
  const time = '2026-11-21T03:00:00.000Z';
  const manifest: ClusterManifest = {
    ...{ formatVersion: 1, backupId: run, clusterId: CLUSTER, kind: 'incremental', clusterName: 'demo' },
    ...{
      base: { backupId: RUN, manifestSha256: sha256 },
      previous: { backupId: RUN, manifestSha256: sha256 },
    },
    ...{ snapshotAt: time, snapshotSpreadMs: 0, sealedAt: time, files: 3, bytes: 3 },
    ...{ scope: 'cluster', selection: {}, leftOut: { nodes: 0, tables: 0 } },
    schemaVersion: '93654103-2d22-4cc2-99ef-2a36e09d4b93',
    nodes: [
      {
        ...{ hostId: '93654103-2d22-4cc2-99ef-2a36e09d4b93', instanceArn: host.instanceArn },
        ...{ headerSha256: sha256, listingSha256, files: 3, bytes: 3 },
      },
    ],
    ...{ ring: { sha256 }, schema: { sha256 }, schemaCql: { sha256 } },
  };
  const key = host.layout.clusterManifest(CLUSTER, run);
  await host.store.put(key, JSON.stringify(manifest), 'create');
}

const release = (run: string, out: ActionOutput<'upload'>, failPoint?: string) =>
  host.run(run, 'release-increments', { source: host.sourceOf(run, out) }, 'release-increments', failPoint);

describe('the upload of an increment', () => {
  it('holds what was collected, and tells every table', async () => {
    await collect('nb-7-big');
    expect(await uploadIncrement()).toMatchObject({ files: 3 });
    expect(host.listing(SECOND).map(({ path }) => path)).toEqual(
      ['Data.db', 'Index.db', 'Statistics.db'].map((each) => `${tablePath(ORDERS)}/nb-7-big-${each}`),
    );
    const header = JSON.parse(
      String(host.memory.objects.get(host.layout.nodeHeader(CLUSTER, SECOND, host.instanceArn))),
    );
    expect(header.incrementalBackups).toBe(true);
    expect(
      header.tables.map(({ table, sstables }: { table: string; sstables: number }) => [table, sstables]),
    ).toEqual([
      ['Items', 0],
      ['orders', 1],
    ]);
  });

  it('is one without files where nothing was written', async () => {
    expect(await uploadIncrement()).toMatchObject({ files: 0, bytes: 0 });
  });

  it('of half an SSTable fails', async () => {
    await write(collected('nb-7-big-Data.db'), 'half');
    await expect(uploadIncrement()).rejects.toMatchObject({ name: 'SnapshotIncomplete' });
  });

  it('does not make the host forget the hashes of all the rest', async () => {
    const first = await host.upload();
    await uploadIncrement();
    const third = '20261121t040000z-0a1b2c3d';
    await host.run(third, 'upload', host.inputOf(third, host.sourceOf(RUN, first)));
    const hashed = host.memory.objects.get(host.layout.progress(host.instanceArn, `${third}.upload`));
    expect(JSON.parse(String(hashed)).bytesHashed).toBe(0);
  });
});

it('the upload of a base remembers what it holds, where incremental backups were on', async () => {
  await host.upload();
  expect(await recall(host, RUN)).toBeUndefined();
  const noted = {
    formatVersion: 1 as const,
    dataDirectories: host.data,
    truncated: {},
    before: { [tablePath(ORDERS)]: ['a key'], 'shop/other': ['of another'] },
  };
  await writeNoted(host, SECOND, noted);
  await host.upload(SECOND);
  const memory = await recall(host, SECOND);
  // Of a table that it does not hold nothing is superfluous.
  expect(memory).toMatchObject({ ...noted, backupId: SECOND, before: { [tablePath(ORDERS)]: ['a key'] } });
  expect(Object.keys(memory?.before ?? {})).toEqual([tablePath(ORDERS)]);
  const path = tablePath(ORDERS);
  expect(
    Object.keys(memory?.sstables ?? {})
      .filter((name) => name.includes(path))
      .sort(),
  ).toEqual([`0 ${path}/.by_name/nb-1-big-`, `0 ${path}/nb-1-big-`, `1 ${path}/nb-2-big-`]);
});

describe('the release', () => {
  it('deletes what the sealed backup names, and nothing else', async () => {
    await collect('nb-7-big');
    const out = await uploadIncrement();
    await collect('nb-8-big');
    await seal(SECOND, out);
    expect(await release(SECOND, out)).toEqual({ released: 3, kept: 0 });
    expect((await readdir(join(collected('x'), '..'))).sort()).toEqual(
      ['Data.db', 'Index.db', 'Statistics.db'].map((each) => `nb-8-big-${each}`),
    );
  });

  it('forgets what no incremental will go on from any more', async () => {
    const out = await uploadIncrement();
    await seal(SECOND, out);
    const noted = { formatVersion: 1 as const, dataDirectories: host.data, truncated: {}, before: {} };
    const old = '20261120t020000z-0a1b2c3d';
    for (const id of [old, RUN, SECOND]) {
      await remember(host, { ...noted, backupId: id, sstables: {}, unfinished: {}, upTo: {} });
    }
    await release(SECOND, out);
    const remembered = await Promise.all(
      [old, RUN, SECOND].map(async (id) => (await recall(host, id))?.backupId),
    );
    expect(remembered).toEqual([undefined, undefined, SECOND]);
  });

  it('killed after any file: the next attempt deletes the rest, and Data.db last', async () => {
    await collect('nb-7-big');
    const out = await uploadIncrement();
    await seal(SECOND, out);
    const directory = join(collected('x'), '..');
    await expect(release(SECOND, out, 'release.file:fail')).rejects.toThrow('release.file');
    expect((await readdir(directory)).sort()).toEqual(['nb-7-big-Data.db', 'nb-7-big-Statistics.db']);
    await release(SECOND, out);
    await expect(readdir(directory)).rejects.toThrow('ENOENT');
  });

  it('keeps an SSTable of the name that is another', async () => {
    await collect('nb-7-big');
    const out = await uploadIncrement();
    await seal(SECOND, out);
    await writeFile(collected('nb-7-big-Data.db'), 'written later');
    expect(await release(SECOND, out)).toEqual({ released: 0, kept: 3 });
    expect(await readFile(collected('nb-7-big-Data.db'), 'utf8')).toBe('written later');
  });

  it('refuses as long as the backup is not sealed, or is sealed with another listing', async () => {
    await collect('nb-7-big');
    const out = await uploadIncrement();
    await expect(release(SECOND, out)).rejects.toMatchObject({ name: 'BackupIncomplete' });
    await seal(SECOND, { ...out, listingSha256: '1'.repeat(64) });
    await expect(release(SECOND, out)).rejects.toMatchObject({ name: 'BackupIncomplete' });
    await access(collected('nb-7-big-Data.db'));
  });
});

describe('the download of a chain', () => {
  const download = async (first: ActionOutput<'upload'>, second: ActionOutput<'upload'>) =>
    host.run(RESTORE, 'download', {
      sources: [host.sourceOf(RUN, first), host.sourceOf(SECOND, second)],
      tables: [ORDERS, ITEMS],
    });

  it('has the files of base and increment', async () => {
    await collect('nb-7-big');
    const first = await host.upload();
    const second = await uploadIncrement();
    const total = await download(first, second);
    const ofBase = host.listing().filter(({ path }) => path.startsWith(tablePath(ORDERS)));
    expect(total.files).toBe(ofBase.length + 3);
    const staged = join(stagingRoot(root(), RESTORE), tablePath(ORDERS));
    expect(await readFile(join(staged, 'nb-7-big-Data.db'), 'utf8')).toBe('written since');
    await access(join(staged, 'nb-1-big-Data.db'));
  });

  it('is refused where both have a file of one path that is not the same', async () => {
    await collect('nb-1-big');
    await expect(download(await host.upload(), await uploadIncrement())).rejects.toMatchObject({
      name: 'IncrementsDiffer',
    });
  });
});

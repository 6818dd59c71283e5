// Upload from real directories to a vault: what is stored is what Cassandra wrote, and everything else is refused by name.
import { createHash } from 'node:crypto';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BackupSource } from '../../contracts/actions.ts';
import { VaultDenied } from '../../contracts/errors.ts';
import { nodeHeader } from '../../contracts/manifests.ts';
import { fakeNode, ITEMS, ORDERS, tablePath, writeSnapshot } from './fake-node.ts';
import { CLUSTER } from './host-under-test.ts';
import {
  big,
  type HostWithSnapshot,
  hostWithSnapshot,
  objectOf,
  RESTORE,
  RUN,
} from './host-with-snapshot.ts';

const SECOND = '20261121t030000z-0a1b2c3d';
const THIRD = '20261121t033000z-0a1b2c3d';

let host: HostWithSnapshot;
beforeEach(async () => {
  host = await hostWithSnapshot();
});
afterEach(() => host.remove());

it('lists every file of every table in order, and tells the totals', async () => {
  const out = await host.upload();
  const files = host.listing();
  expect(files.map((file) => file.path)).toEqual(files.map((file) => file.path).sort());
  expect(files.filter((file) => file.path.startsWith(tablePath(ORDERS)))).toHaveLength(18);
  expect(files.some((file) => /manifest.json|schema.cql|unrelated/.test(file.path))).toBe(false);
  const header = nodeHeader.parse(
    JSON.parse(
      (await host.store.get(host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn)))?.body.toString() ?? '',
    ),
  );
  expect(header).toMatchObject({ sstableFormats: ['nb'], dataDirectories: host.data, files: files.length });
  expect(header.tables.map(({ table, files: count, sstables }) => [table, count, sstables])).toEqual([
    ['Items', 0, 0],
    ['orders', 18, 3],
    ['roles', 4, 1],
  ]);
  expect(out.uploadedBytes).toBe(out.bytes);
  const progress = await host.store.get(host.layout.progress(host.instanceArn, `${RUN}.upload`));
  expect(JSON.parse(progress?.body.toString() ?? '')).toMatchObject({
    ...{ filesTotal: out.files, filesDone: out.files, bytesTotal: out.bytes, bytesDone: out.bytes },
    ...{ bytesTransferred: out.bytes, bytesHashed: out.bytes, bytesSkipped: 0, requestsRetried: 0 },
  });
  expect(out.systemBytes).toBeGreaterThan(0);
});

it.each([
  ['there is a time to be done by', { finishWithinMinutes: 60 }, true],
  ['there is a rate', { uploadBytesPerSecond: 1_000_000_000 }, true],
  ['there is neither', {}, false],
])('sends as slowly as will do where %s', async (_, limits, isLimited) => {
  const put = vi.spyOn(host.memory, 'putObject');
  const input = host.inputOf(RUN);
  const doneAt = new Date().toISOString();
  const document = host.document(RUN, 'upload', { ...input, times: { ...input.times, doneAt } });
  Object.assign(document.limits, limits);
  expect(await host.carryOut(await host.request(document))).toBe('succeeded');
  // The listing is small, and goes when all else is there.
  const objects = put.mock.calls.map(([object]) => object).filter(({ key }) => key.includes('/objects/'));
  expect(new Set(objects.map(({ pace }) => pace?.isLimited()))).toEqual(new Set([isLimited]));
});

it('stores an SSTable in one or two objects: the large components alone, the small ones in a pack', async () => {
  await host.upload();
  const files = host.listing();
  const ofBig = files.filter(({ path }) => path.startsWith(`${tablePath(ORDERS)}/nb-1-big-`));
  expect(ofBig.filter(({ pack }) => pack === undefined).map(({ path }) => path)).toEqual([
    `${tablePath(ORDERS)}/nb-1-big-Data.db`,
  ]);
  expect(new Set(files.map(objectOf)).size).toBe(5);
  expect(host.objectKeys().sort()).toEqual(
    [...new Set(files.map(objectOf))].map((sha256) => host.layout.object(CLUSTER, sha256)).sort(),
  );
  for (const file of files) {
    const object = host.memory.objects.get(host.layout.object(CLUSTER, objectOf(file)));
    const { offset = 0, sizeBytes, sha256 } = file;
    const bytes = object?.subarray(offset, offset + sizeBytes) ?? '';
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  }
});

it('sends nothing that the backup before holds, and reads nothing that it knows', async () => {
  const first = await host.upload();
  const second = await host.upload(SECOND, host.sourceOf(RUN, first));
  expect(second).toMatchObject({
    uploadedFiles: 0,
    uploadedBytes: 0,
    files: first.files,
    bytes: first.bytes,
  });
  expect(second.listingSha256).toBe(first.listingSha256);
});

it('believes its cache for as long as inode, size and times are the same, and finds by a sample what lies', async () => {
  const first = await host.upload();
  const data = join(host.orders, 'nb-1-big-Data.db');
  const before = await stat(data);
  const changed = Buffer.from(big);
  changed.writeUInt8(changed.readUInt8(5) ^ 1, 5);
  await writeFile(data, changed);
  await writeFile(join(host.orders, 'nb-1-big-Digest.crc32'), String(crc32(changed)));
  await utimes(data, before.atime, before.mtime);
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const dataOf = (run: string) =>
    host.listing(run).find(({ path }) => path === `${tablePath(ORDERS)}/nb-1-big-Data.db`)?.sha256;
  await host.upload(SECOND, host.sourceOf(RUN, first));
  expect(dataOf(SECOND)).toBe(hash(big));
  const document = host.document(THIRD, 'upload', host.inputOf(THIRD, host.sourceOf(RUN, first)));
  document.limits.rehashPercent = 100;
  expect(await host.carryOut(await host.request(document))).toBe('succeeded');
  expect(dataOf(THIRD)).toBe(hash(changed));
});

it('keeps what it knows of files after an attempt that failed', async () => {
  const first = await host.upload();
  const path = join(host.paths.cache, 'sha256.records');
  const { size } = await stat(path);
  await writeFile(join(host.orders, 'nb-1-big-Filter.db'), 'changed');
  const document = host.document(SECOND, 'upload', host.inputOf(SECOND, host.sourceOf(RUN, first)));
  expect(await host.carryOut(await host.request(document), 'upload.object:fail')).toBe('failed');
  expect((await stat(path)).size).toBeGreaterThanOrEqual(size);
});

it.each([
  ['gone', (key: string) => host.memory.objects.delete(key)],
  ['of other bytes', (key: string) => host.memory.objects.set(key, Buffer.from('other'))],
])(
  'finds by its sample an object of the backup before that is %s, and stores it again',
  async (_, damage) => {
    const source = host.sourceOf(RUN, await host.upload());
    const key = host.layout.object(CLUSTER, objectOf(host.listing().find(({ pack }) => pack)));
    damage(key);
    const document = host.document(SECOND, 'upload', host.inputOf(SECOND, source));
    document.limits.rehashPercent = 100;
    const request = await host.request(document);
    expect(await host.carryOut(request)).toBe('succeeded');
    const { output } = host.callback.answers.get(request.taskToken) as {
      output: { headerSha256: string; listingSha256: string };
    };
    await host.allowRestore();
    const download = { sources: [host.sourceOf(SECOND, output)], tables: [ORDERS, ITEMS] };
    const restored = await host.run(RESTORE, 'download', download);
    expect(restored.files).toBe(18);
  },
);

it('goes on without the backup before where S3 does not give its manifests, which to a host may mean that they are gone', async () => {
  const first = await host.upload();
  const { get } = host.memory;
  host.memory.get = async (key) => {
    if (key.includes(`/backups/${RUN}/`)) throw new VaultDenied(`GetObject ${key}: got AccessDenied`);
    return get(key);
  };
  const second = await host.upload(SECOND, host.sourceOf(RUN, first));
  expect(second).toMatchObject({ files: first.files, uploadedFiles: 0 });
});

it('does not send a large object that another host has stored already', async () => {
  const large = Buffer.alloc(64 * 1024 ** 2 + 1, 'large');
  const sha256 = createHash('sha256').update(large).digest('hex');
  await writeSnapshot(host.data[1] ?? '', ITEMS, { 'nb-1-big': large }, ['nb-1-big-Data.db']);
  host.memory.objects.set(host.layout.object(CLUSTER, sha256), large);
  const put = vi.spyOn(host.memory, 'putObject');
  await host.upload();
  expect(host.listing().filter((file) => file.sha256 === sha256)).toHaveLength(1);
  expect(put).toHaveBeenCalled();
  expect(put.mock.calls.filter(([object]) => object.key.includes(sha256))).toEqual([]);
});

it('reads again what a torn or damaged cache does not tell', async () => {
  const first = await host.upload();
  const path = join(host.paths.cache, 'sha256.records');
  const records = await readFile(path);
  records.fill(0, 20, 60);
  await writeFile(path, records.subarray(0, -7));
  const second = await host.upload(SECOND, host.sourceOf(RUN, first));
  expect(second).toMatchObject({ uploadedFiles: 0, listingSha256: first.listingSha256 });
  expect((await stat(path)).size).toBe(records.length);
});

it('stores a name that came back with other content', async () => {
  const first = await host.upload();
  const changed = Buffer.from('other content under the same name');
  await writeSnapshot(host.data[1] ?? '', ORDERS, { 'nb-2-big': changed });
  const second = await host.upload(SECOND, host.sourceOf(RUN, first));
  expect(second.uploadedFiles).toBeGreaterThan(0);
  expect([...host.memory.objects.values()].some((object) => object.includes(changed))).toBe(true);
});

it.each([
  ['a table without its snapshot', () => rm(join(host.data[1] ?? '', tablePath(ITEMS)), { recursive: true })],
  ['a Data.db of the manifest missing', () => rm(join(host.orders, 'nb-1-big-Data.db'))],
  ['a component of the TOC missing', () => rm(join(host.orders, 'nb-1-big-Filter.db'))],
  ['a Data.db of an index missing', () => rm(join(host.orders, '.by_name/nb-1-big-Data.db'))],
  ['an index directory missing', () => rm(join(host.orders, '.by_name'), { recursive: true })],
  [
    'a Statistics.db missing where there is no TOC',
    async () => {
      await rm(join(host.orders, 'nb-1-big-TOC.txt'));
      await rm(join(host.orders, 'nb-1-big-Statistics.db'));
    },
  ],
  ['Cassandra’s manifest missing', () => rm(join(host.orders, 'manifest.json'))],
  [
    'a table missing',
    async () => {
      for (const root of host.data) await rm(join(root, tablePath(ITEMS)), { recursive: true, force: true });
    },
  ],
  [
    'a part in one data directory missing',
    () => rm(join(host.data[1] ?? '', tablePath(ORDERS)), { recursive: true }),
  ],
])('refuses a snapshot with %s', async (_, damage) => {
  await damage();
  await expect(host.upload()).rejects.toMatchObject({ name: 'SnapshotIncomplete' });
  expect(await host.store.get(host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn))).toBeUndefined();
});

it('uploads of the users’ tables those alone that it is asked for', async () => {
  const { tables, ...input } = host.inputOf(RUN);
  const out = await host.run(RUN, 'upload', {
    ...input,
    tables: tables.filter((table) => table.tableId === ITEMS.tableId),
  });
  expect(out.files).toBe(4);
  expect(host.listing().every((file) => file.path.startsWith('system_auth/'))).toBe(true);
});

it('refuses a backup without a single file', async () => {
  for (const directory of host.data) await rm(directory, { recursive: true });
  host.data = await fakeNode(host);
  await writeSnapshot(host.data[0] ?? '', ORDERS, {}, []);
  await writeSnapshot(host.data[0] ?? '', ITEMS, {}, []);
  await expect(host.upload()).rejects.toMatchObject({ name: 'SnapshotIncomplete' });
});

it('finds rot on the disk by Cassandra’s own checksum', async () => {
  const rotten = Buffer.from(big);
  rotten.writeUInt8(rotten.readUInt8(1_000_000) ^ 1, 1_000_000);
  await writeFile(join(host.orders, 'nb-1-big-Data.db'), rotten);
  await expect(host.upload()).rejects.toMatchObject({ name: 'DataRot' });
});

it('stores what has rotted where it may, marked in each backup, and restores it as it was', async () => {
  const rotten = Buffer.from(big);
  rotten.writeUInt8(rotten.readUInt8(1_000_000) ^ 1, 1_000_000);
  const path = join(host.orders, 'nb-1-big-Data.db');
  const { atime, mtime } = await stat(path);
  await writeFile(path, rotten);
  await utimes(path, atime, mtime);
  const damaged = `${tablePath(ORDERS)}/nb-1-big-Data.db`;
  const upload = (run: string, previous?: BackupSource) =>
    host.run(run, 'upload', { ...host.inputOf(run, previous), damagedFiles: 'store' });
  const first = await upload(RUN);
  const second = await upload(SECOND, host.sourceOf(RUN, first));
  for (const [run, out] of [[RUN, first] as const, [SECOND, second] as const]) {
    expect(out).toMatchObject({
      rottenFiles: 1,
      rotten: [expect.stringMatching(/nb-1-big-Data\.db: got CRC32 .*; it is stored as it is$/)],
    });
    expect(host.listing(run).filter((file) => file.damaged)).toMatchObject([{ path: damaged }]);
    const header = await host.store.get(host.layout.nodeHeader(CLUSTER, run, host.instanceArn));
    expect(nodeHeader.parse(JSON.parse(String(header?.body))).damagedFiles).toBe(1);
  }
  expect(second.uploadedFiles).toBe(0);
  await host.allowRestore();
  await host.run(RESTORE, 'download', { sources: [host.sourceOf(SECOND, second)], tables: [ORDERS] });
  const staged = join(host.data[0] ?? '', '.ringvault', `${RESTORE}.new`, damaged);
  expect((await readFile(staged)).equals(rotten)).toBe(true);
});

it('names what has rotted since as the vault has it, whatever the policy says', async () => {
  const first = await host.upload();
  const path = join(host.orders, 'nb-1-big-Data.db');
  const { atime, mtime } = await stat(path);
  const rotten = Buffer.from(big);
  rotten.writeUInt8(rotten.readUInt8(1_000_000) ^ 1, 1_000_000);
  await writeFile(path, rotten);
  await utimes(path, atime, mtime);
  const document = host.document(SECOND, 'upload', host.inputOf(SECOND, host.sourceOf(RUN, first)));
  document.limits.rehashPercent = 100;
  const request = await host.request(document);
  expect(await host.carryOut(request)).toBe('succeeded');
  expect(host.callback.answers.get(request.taskToken)).toMatchObject({
    output: {
      listingSha256: first.listingSha256,
      rottenFiles: 1,
      rotten: [expect.stringMatching(/nb-1-big-Data\.db: got CRC32 .*; the backup has it as it was$/)],
    },
  });
});

it('stores the right bytes beside an object that holds others, and tells it', async () => {
  const first = await host.upload();
  const data2 = host.listing().find((file) => file.path.endsWith('nb-2-big-Data.db'));
  const key = host.layout.object(CLUSTER, objectOf(data2));
  const right = host.memory.objects.get(key);
  host.memory.objects.set(key, Buffer.from('SECOND DIRECTORY'));
  const second = await host.upload(SECOND);
  expect(second.tampered).toEqual([key]);
  expect(right && host.memory.objects.get(`${key}.2`)?.equals(right)).toBe(true);
  await host.allowRestore();
  await host.run(RESTORE, 'download', { sources: [host.sourceOf(SECOND, second)], tables: [ORDERS] });
  expect(first.tampered).toEqual([]);
});

it.each(['upload.object', 'upload.listing-put', 'upload.header-put'])(
  'goes on after a failure at %s, and stores nothing twice',
  async (point) => {
    const document = host.document(RUN, 'upload', host.inputOf(RUN));
    const first = await host.request(document);
    expect(await host.carryOut(first, `${point}:fail`)).toBe('failed');
    const before = new Set(host.objectKeys());
    const second = await host.request(first);
    expect(await host.carryOut(second, `${point}:fail`)).toBe('succeeded');
    const answer = host.callback.answers.get(second.taskToken) as { output: { uploadedFiles: number } };
    const sentNow = host.listing().filter((file) => !before.has(host.layout.object(CLUSTER, objectOf(file))));
    if (point === 'upload.object') expect(answer.output.uploadedFiles).toBe(sentNow.length);
    expect(host.objectKeys().length).toBe(new Set(host.listing().map(objectOf)).size);
  },
);

it('refuses a manifest of other bytes that stands under its own key', async () => {
  await host.store.put(host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn), 'other', 'create');
  await expect(host.upload()).rejects.toMatchObject({ name: 'ManifestConflict' });
});

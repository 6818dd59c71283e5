// Upload and download between real directories and a vault: what is stored is what Cassandra wrote, what comes back is what
// was stored, and everything else is refused by name.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupSource } from '../../contracts/actions.ts';
import { type ListedFile, listedFile, nodeHeader } from '../../contracts/manifests.ts';
import { swapState } from '../../node-scripts/swap/state.ts';
import { fakeNode, ITEMS, ORDERS, ROLES, tablePath, uploadInput, write, writeSnapshot } from './fake-node.ts';
import { CLUSTER, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const RUN = '20261121t020000z-0a1b2c3d';
const SECOND = '20261121t030000z-0a1b2c3d';
const THIRD = '20261121t033000z-0a1b2c3d';
const RESTORE = '20261121t040000z-0a1b2c3d';
const UUID = '93654103-2d22-4cc2-99ef-2a36e09d4b93';
const big = randomBytes(3_000_000);

let host: HostUnderTest;
let data: string[];
let orders: string;

beforeEach(async () => {
  host = await hostUnderTest();
  data = await fakeNode(host);
  const [first = '', second = ''] = data;
  // One manifest for all data directories, as Cassandra writes it.
  const manifest = ['nb-1-big-Data.db', 'nb-2-big-Data.db', '.by_name/nb-1-big-Data.db'];
  orders = await writeSnapshot(
    first,
    ORDERS,
    { 'nb-1-big': big, '.by_name/nb-1-big': Buffer.from('index') },
    manifest,
  );
  await writeSnapshot(second, ORDERS, { 'nb-2-big': Buffer.from('second directory') });
  await writeSnapshot(second, ITEMS, {}, []);
  await writeSnapshot(first, ROLES, { 'nb-1-big': Buffer.from('roles') }, ['nb-1-big-Data.db'], true);
  await write(join(first, tablePath(ORDERS), 'snapshots', 'unrelated', 'nb-9-big-Data.db'), 'unrelated');
  // Files that changed just now are never remembered by the hash cache.
  await age(data);
});
afterEach(() => host.remove());

async function age(directories: string[]): Promise<void> {
  const past = new Date(Date.now() - 60_000);
  for (const directory of directories) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), past, past);
    }
  }
}

const inputOf = (run: string, previous?: BackupSource) => ({
  ...uploadInput(run, [ORDERS, ITEMS]),
  ...(previous && { previous }),
});
const upload = (run = RUN, previous?: BackupSource) => host.run(run, 'upload', inputOf(run, previous));
const sourceOf = (run: string, out: { headerSha256: string; listingSha256: string }): BackupSource => ({
  backupId: run,
  instanceArn: host.instanceArn,
  headerSha256: out.headerSha256,
  listingSha256: out.listingSha256,
});
const objectKeys = () => [...host.memory.objects.keys()].filter((key) => key.includes('/objects/'));

const objectOf = (file: ListedFile | undefined) => file?.pack ?? file?.sha256 ?? '';

function listing(run = RUN): ListedFile[] {
  const bytes =
    host.memory.objects.get(host.layout.nodeListing(CLUSTER, run, host.instanceArn)) ?? Buffer.alloc(0);
  return gunzipSync(bytes)
    .toString()
    .trim()
    .split('\n')
    .map((line) => listedFile.parse(JSON.parse(line)));
}

async function filesBelow(directory: string): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[path.slice(directory.length + 1)] = await readFile(path);
  }
  return found;
}

describe('upload', () => {
  it('lists every file of every table in order, and tells the totals', async () => {
    const out = await upload();
    const files = listing();
    expect(files.map((file) => file.path)).toEqual(files.map((file) => file.path).sort());
    expect(files.filter((file) => file.path.startsWith(tablePath(ORDERS)))).toHaveLength(18);
    expect(files.some((file) => /manifest.json|schema.cql|unrelated/.test(file.path))).toBe(false);
    const header = nodeHeader.parse(
      JSON.parse(
        (await host.store.get(host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn)))?.body.toString() ?? '',
      ),
    );
    expect(header).toMatchObject({ sstableFormats: ['nb'], dataDirectories: data, files: files.length });
    expect(header.tables.map(({ table, files: count, sstables }) => [table, count, sstables])).toEqual([
      ['Items', 0, 0],
      ['orders', 18, 3],
      ['roles', 4, 1],
    ]);
    expect(out.uploadedBytes).toBe(out.bytes);
    const progress = await host.store.get(host.layout.progress(host.instanceArn, `${RUN}.upload`));
    expect(JSON.parse(progress?.body.toString() ?? '')).toMatchObject({
      ...{ filesTotal: out.files, filesDone: out.files, bytesTotal: out.bytes, bytesDone: out.bytes },
      bytesTransferred: out.bytes,
    });
    expect(out.systemBytes).toBeGreaterThan(0);
  });

  it('stores an SSTable in one or two objects: the large components alone, the small ones in a pack', async () => {
    await upload();
    const files = listing();
    const ofBig = files.filter(({ path }) => path.startsWith(`${tablePath(ORDERS)}/nb-1-big-`));
    expect(ofBig.filter(({ pack }) => pack === undefined).map(({ path }) => path)).toEqual([
      `${tablePath(ORDERS)}/nb-1-big-Data.db`,
    ]);
    expect(new Set(files.map(objectOf)).size).toBe(5);
    expect(objectKeys().sort()).toEqual(
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
    const first = await upload();
    const second = await upload(SECOND, sourceOf(RUN, first));
    expect(second).toMatchObject({
      uploadedFiles: 0,
      uploadedBytes: 0,
      files: first.files,
      bytes: first.bytes,
    });
    expect(second.listingSha256).toBe(first.listingSha256);
  });

  it('believes its cache for as long as inode, size and times are the same, and finds by a sample what lies', async () => {
    const first = await upload();
    const data = join(orders, 'nb-1-big-Data.db');
    const before = await stat(data);
    const changed = Buffer.from(big);
    changed.writeUInt8(changed.readUInt8(5) ^ 1, 5);
    await writeFile(data, changed);
    await writeFile(join(orders, 'nb-1-big-Digest.crc32'), String(crc32(changed)));
    await utimes(data, before.atime, before.mtime);
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    const dataOf = (run: string) =>
      listing(run).find(({ path }) => path === `${tablePath(ORDERS)}/nb-1-big-Data.db`)?.sha256;
    await upload(SECOND, sourceOf(RUN, first));
    expect(dataOf(SECOND)).toBe(hash(big));
    const document = host.document(THIRD, 'upload', inputOf(THIRD, sourceOf(RUN, first)));
    document.limits.rehashPercent = 100;
    expect(await host.carryOut(await host.request(document))).toBe('succeeded');
    expect(dataOf(THIRD)).toBe(hash(changed));
  });

  it('reads again what a torn or damaged cache does not tell', async () => {
    const first = await upload();
    const path = join(host.paths.cache, 'sha256.records');
    const records = await readFile(path);
    records.fill(0, 20, 60);
    await writeFile(path, records.subarray(0, -7));
    const second = await upload(SECOND, sourceOf(RUN, first));
    expect(second).toMatchObject({ uploadedFiles: 0, listingSha256: first.listingSha256 });
    expect((await stat(path)).size).toBe(records.length);
  });

  it('stores a name that came back with other content', async () => {
    const first = await upload();
    const changed = Buffer.from('other content under the same name');
    await writeSnapshot(data[1] ?? '', ORDERS, { 'nb-2-big': changed });
    const second = await upload(SECOND, sourceOf(RUN, first));
    expect(second.uploadedFiles).toBeGreaterThan(0);
    expect([...host.memory.objects.values()].some((object) => object.includes(changed))).toBe(true);
  });

  it.each([
    ['a table without its snapshot', () => rm(join(data[1] ?? '', tablePath(ITEMS)), { recursive: true })],
    ['a Data.db of the manifest missing', () => rm(join(orders, 'nb-1-big-Data.db'))],
    ['a component of the TOC missing', () => rm(join(orders, 'nb-1-big-Filter.db'))],
    ['a Data.db of an index missing', () => rm(join(orders, '.by_name/nb-1-big-Data.db'))],
    ['an index directory missing', () => rm(join(orders, '.by_name'), { recursive: true })],
    [
      'a Statistics.db missing where there is no TOC',
      async () => {
        await rm(join(orders, 'nb-1-big-TOC.txt'));
        await rm(join(orders, 'nb-1-big-Statistics.db'));
      },
    ],
    ['Cassandra’s manifest missing', () => rm(join(orders, 'manifest.json'))],
    [
      'a part in one data directory missing',
      () => rm(join(data[1] ?? '', tablePath(ORDERS)), { recursive: true }),
    ],
  ])('refuses a snapshot with %s', async (_, damage) => {
    await damage();
    await expect(upload()).rejects.toMatchObject({ name: 'SnapshotIncomplete' });
    expect(await host.store.get(host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn))).toBeUndefined();
  });

  it('refuses a backup without a single file', async () => {
    for (const directory of data) await rm(directory, { recursive: true });
    data = await fakeNode(host);
    await writeSnapshot(data[0] ?? '', ORDERS, {}, []);
    await writeSnapshot(data[0] ?? '', ITEMS, {}, []);
    await expect(upload()).rejects.toMatchObject({ name: 'SnapshotIncomplete' });
  });

  it('finds rot on the disk by Cassandra’s own checksum', async () => {
    const rotten = Buffer.from(big);
    rotten.writeUInt8(rotten.readUInt8(1_000_000) ^ 1, 1_000_000);
    await writeFile(join(orders, 'nb-1-big-Data.db'), rotten);
    await expect(upload()).rejects.toMatchObject({ name: 'DataRot' });
  });

  it('stores the right bytes beside an object that holds others, and tells it', async () => {
    const first = await upload();
    const data2 = listing().find((file) => file.path.endsWith('nb-2-big-Data.db'));
    const key = host.layout.object(CLUSTER, objectOf(data2));
    const right = host.memory.objects.get(key);
    host.memory.objects.set(key, Buffer.from('SECOND DIRECTORY'));
    const second = await upload(SECOND);
    expect(second.tampered).toEqual([key]);
    expect(right && host.memory.objects.get(`${key}.2`)?.equals(right)).toBe(true);
    await host.allowRestore();
    await host.run(RESTORE, 'download', { source: sourceOf(SECOND, second), tables: [ORDERS] });
    expect(first.tampered).toEqual([]);
  });

  it.each(['upload.object', 'upload.listing-put', 'upload.header-put'])(
    'goes on after a failure at %s, and stores nothing twice',
    async (point) => {
      const document = host.document(RUN, 'upload', inputOf(RUN));
      const first = await host.request(document);
      expect(await host.carryOut(first, `${point}:fail`)).toBe('failed');
      const before = new Set(objectKeys());
      const second = await host.request(first);
      expect(await host.carryOut(second, `${point}:fail`)).toBe('succeeded');
      const answer = host.callback.answers.get(second.taskToken) as { output: { uploadedFiles: number } };
      const sentNow = listing().filter((file) => !before.has(host.layout.object(CLUSTER, objectOf(file))));
      if (point === 'upload.object') expect(answer.output.uploadedFiles).toBe(sentNow.length);
      expect(objectKeys().length).toBe(new Set(listing().map(objectOf)).size);
    },
  );

  it('refuses a manifest of other bytes that stands under its own key', async () => {
    await host.store.put(host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn), 'other', 'create');
    await expect(upload()).rejects.toMatchObject({ name: 'ManifestConflict' });
  });
});

describe('download', () => {
  let source: BackupSource;
  const download = (tables = [ORDERS, ITEMS]) => host.run(RESTORE, 'download', { source, tables });
  const staged = (index: number) => join(data[index] ?? '', '.ringvault', `${RESTORE}.new`);

  beforeEach(async () => {
    source = sourceOf(RUN, await upload());
    await host.allowRestore();
  });

  it('stages exactly what was stored, of the tables asked for, with owner and mode of the data directory', async () => {
    const out = await download();
    const files = { ...(await filesBelow(staged(0))), ...(await filesBelow(staged(1))) };
    expect(Object.keys(files)).toHaveLength(out.files);
    expect(files[`${tablePath(ORDERS)}/nb-1-big-Data.db`]?.equals(big)).toBe(true);
    expect(files[`${tablePath(ORDERS)}/.by_name/nb-1-big-Data.db`]?.toString()).toBe('index');
    expect(Object.keys(files).some((path) => path.startsWith('system'))).toBe(false);
    const mode = (await stat(data[0] ?? '')).mode & 0o666;
    expect((await stat(join(staged(0), tablePath(ORDERS), 'nb-1-big-Data.db'))).mode & 0o777).toBe(mode);
  });

  it('goes on after a failure, and does not fetch again what is right', async () => {
    const document = await host.request(host.document(RESTORE, 'download', { source, tables: [ORDERS] }));
    expect(await host.carryOut(document, 'download.file:fail')).toBe('failed');
    const target = join(staged(0), tablePath(ORDERS), 'nb-1-big-Filter.db');
    await write(target, 'torn');
    const second = await host.request(document);
    expect(await host.carryOut(second)).toBe('succeeded');
    expect((await readFile(target)).toString()).toBe('the same filter everywhere');
    const third = await host.run(RESTORE, 'download', { source, tables: [ORDERS] }, 'download-again');
    expect(third.downloadedBytes).toBe(0);
  });

  const flip = (key: string) => {
    const bytes = Buffer.from(host.memory.objects.get(key) ?? '');
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    host.memory.objects.set(key, bytes);
  };
  const cut = (key: string) =>
    host.memory.objects.set(key, host.memory.objects.get(key)?.subarray(0, -1) ?? Buffer.alloc(0));
  const packed = (files: ListedFile[]) => files.find(({ path }) => path.endsWith('nb-2-big-Data.db'));
  const alone = (files: ListedFile[]) => files.find(({ pack }) => pack === undefined);
  it.each([
    ['a pack is changed', packed, flip],
    ['a pack is shorter', packed, cut],
    ['a pack is gone', packed, (key: string) => host.memory.objects.delete(key)],
    ['a file’s object is changed', alone, flip],
    ['a file’s object is shorter', alone, cut],
    ['a file’s object is gone', alone, (key: string) => host.memory.objects.delete(key)],
  ])('names the object and the file where %s', async (_, find, damage) => {
    const key = host.layout.object(CLUSTER, objectOf(find(listing())));
    damage(key);
    const failed = await download().catch((error: Error) => error);
    expect(failed).toMatchObject({ name: 'BackupDamaged' });
    expect(String(failed)).toContain(key);
    const inIt = listing().filter((file) => host.layout.object(CLUSTER, objectOf(file)) === key);
    expect(inIt.some(({ path }) => String(failed).includes(path))).toBe(true);
  });

  it.each([
    ['header', () => host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn)],
    ['listing', () => host.layout.nodeListing(CLUSTER, RUN, host.instanceArn)],
  ])('believes no %s whose hash is not the one that the cluster manifest names', async (_, keyOf) => {
    host.memory.objects.set(keyOf(), Buffer.from('{}'));
    await expect(download()).rejects.toMatchObject({ name: 'BackupDamaged' });
  });

  it('is refused beforehand where the node has lost its identity', async () => {
    await write(join(data[0] ?? '', `system/local_metadata_log-${'8'.repeat(32)}`, 'nb-1-big-Data.db'), 'x');
    const check = host.run(RESTORE, 'check-restore', { source, tables: [ORDERS] });
    await expect(check).rejects.toMatchObject({
      name: 'TopologyMismatch',
      message: expect.stringMatching(/system\.local.*replace the node/s),
    });
  });

  it('is refused beforehand where it does not fit, or Cassandra is not known to read it', async () => {
    const check = () => host.run(RESTORE, 'check-restore', { source, tables: [ORDERS] });
    await write(join(data[1] ?? '', `system/local-${'7'.repeat(32)}`, 'nb-1-big-Data.db'), 'its host ID');
    await expect(check()).rejects.toMatchObject({ name: 'IncompatibleVersion' });
    const directories = { data, commitLog: '/c', hints: '/h', savedCaches: '/s' };
    const identity = {
      hostId: UUID,
      clusterName: 'demo',
      datacenter: 'dc1',
      rack: 'r',
      address: '127.0.0.1',
    };
    const known = { cassandraVersion: '5.0.9', readableFormats: ['nb'], directories };
    await write(host.paths.identity, JSON.stringify({ formatVersion: 1, ...identity, ...known }));
    expect((await check()).requiredBytes).toBeGreaterThan(big.length);
    const document = host.document(RESTORE, 'check-restore', { source, tables: [ORDERS] }, 'check-small');
    document.limits.reserveBytes = Number.MAX_SAFE_INTEGER;
    const small = await host.request(document);
    await host.carryOut(small);
    expect(host.callback.answers.get(small.taskToken)).toMatchObject({
      error: { errorName: 'InsufficientSpace' },
    });
  });

  it.each(['place', 'put-back'] as const)(
    'is swapped, by %s, for as long as the run is the one that may',
    async (action) => {
      const tables = [ORDERS];
      await download();
      const place = { source, tables, emptied: [] };
      const putBack = { restoreRunId: RESTORE };
      if (action === 'put-back') await host.run(RESTORE, 'place', place);
      // The run's token is no longer good once the renames have begun.
      const begun = join(host.paths.journals, `${RESTORE}.${action}.json`);
      const { heartbeat } = host.callback;
      host.callback.heartbeat = async (token) =>
        existsSync(begun) ? 'invalid-token' : heartbeat.call(host.callback, token);
      const document = host.document(RESTORE, action, action === 'place' ? place : putBack, 'lost');
      const lost = await host.request({ ...document, graceUntil: '2026-01-01T00:00:00.000Z' });
      expect(await host.carryOut(lost)).toBe('failed');
      expect(host.callback.answers.get(lost.taskToken)).toMatchObject({ error: { errorName: 'ActionLost' } });
      expect(await swapState(host.paths.journals, RESTORE)).toBe(
        `partly-${action.replace('place', 'placed')}`,
      );
      host.callback.heartbeat = heartbeat;
      await host.run(RESTORE, 'settle', { restoreRunId: RESTORE, direction: 'back' });
      expect(await swapState(host.paths.journals, RESTORE)).toBe('put-back');
    },
  );
});

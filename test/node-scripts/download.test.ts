// Download from a vault to real directories: what comes back is what was stored, and everything else is refused by name.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { BackupSource } from '../../contracts/actions.ts';
import { VaultDenied } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { recall, remember } from '../../node-scripts/increments/memory.ts';
import { swapState } from '../../node-scripts/swap/state.ts';
import { ITEMS, ORDERS, tablePath, write } from './fake-node.ts';
import { CLUSTER } from './host-under-test.ts';
import {
  big,
  type HostWithSnapshot,
  hostWithSnapshot,
  objectOf,
  RESTORE,
  RUN,
} from './host-with-snapshot.ts';

const UUID = '93654103-2d22-4cc2-99ef-2a36e09d4b93';

let host: HostWithSnapshot;
beforeEach(async () => {
  host = await hostWithSnapshot();
});
afterEach(() => host.remove());

let source: BackupSource;
const download = (tables = [ORDERS, ITEMS]) => host.run(RESTORE, 'download', { sources: [source], tables });
const staged = (index: number) => join(host.data[index] ?? '', '.ringvault', `${RESTORE}.new`);

beforeEach(async () => {
  source = host.sourceOf(RUN, await host.upload());
  await host.allowRestore();
  // The node does not know the files that it has: all is downloaded.
  await rm(host.paths.cache, { recursive: true });
});

it('comes from the vault that its source names', async () => {
  const { memory } = host;
  const place = { bucket: 'copies', prefix: 'old/', region: 'eu-central-1' };
  const copies = memoryObjectStore();
  for (const [key, body] of memory.objects) {
    if (!key.startsWith('clusters/')) continue;
    copies.objects.set(`old/${key}`, body);
    memory.objects.delete(key);
  }
  const opened: unknown[] = [];
  host.options.openVault = (asked) => {
    opened.push(asked);
    return copies;
  };
  source = { ...source, vault: place };
  expect(await download()).toMatchObject({ files: expect.any(Number) });
  expect(await readFile(join(staged(0), tablePath(ORDERS), 'nb-1-big-Data.db'))).toEqual(big);
  expect(opened[0]).toEqual(place);
});

describe('what the node has already', () => {
  const name = 'nb-1-big-Data.db';
  const live = () => join(host.orders, name);
  const restored = () => join(staged(0), tablePath(ORDERS), name);
  beforeEach(async () => {
    await host.upload('20261121t030000z-0a1b2c3d', source);
  });

  it('is linked, of the components that Cassandra never changes, and the rest downloaded', async () => {
    const { bytes, downloadedBytes } = await download();
    expect(downloadedBytes).toBe(bytes - big.length);
    expect((await stat(restored())).ino).toBe((await stat(live())).ino);
    const statistics = join(staged(0), tablePath(ORDERS), 'nb-1-big-Statistics.db');
    expect((await stat(statistics)).nlink).toBe(1);
  });

  it('is downloaded where it is not what the cache says, and left as it is', async () => {
    const before = await stat(live());
    const other = Buffer.from(big);
    other.fill(0, 0, 9);
    await writeFile(live(), other);
    await utimes(live(), before.atime, before.mtime);
    const { bytes, downloadedBytes } = await download();
    expect(downloadedBytes).toBe(bytes);
    expect((await readFile(restored())).equals(big)).toBe(true);
    expect((await readFile(live())).equals(other)).toBe(true);
  });

  it('is refused where it was changed after it was verified', async () => {
    await download();
    await utimes(live(), new Date(), new Date());
    const place = host.run(RESTORE, 'place', { sources: [source], tables: [ORDERS], emptied: [] });
    await expect(place).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringContaining(`${restored()}: it was changed at `),
    });
  });
});

it('stages exactly what was stored, of the tables asked for, with owner and mode of the data directory', async () => {
  const out = await download();
  const files = { ...(await filesBelow(staged(0))), ...(await filesBelow(staged(1))) };
  expect(Object.keys(files)).toHaveLength(out.files);
  expect(files[`${tablePath(ORDERS)}/nb-1-big-Data.db`]?.equals(big)).toBe(true);
  expect(files[`${tablePath(ORDERS)}/.by_name/nb-1-big-Data.db`]?.toString()).toBe('index');
  expect(Object.keys(files).some((path) => path.startsWith('system'))).toBe(false);
  const mode = (await stat(host.data[0] ?? '')).mode & 0o666;
  expect((await stat(join(staged(0), tablePath(ORDERS), 'nb-1-big-Data.db'))).mode & 0o777).toBe(mode);
});

it('is nobody else’s to write in until it is swapped in, and the data directory’s owner’s then', async () => {
  const [data = ''] = host.data;
  await chmod(data, 0o751);
  await download();
  expect((await stat(staged(0))).mode & 0o777).toBe(0o700);
  await host.run(RESTORE, 'place', { sources: [source], tables: [ORDERS], emptied: [] });
  for (const path of ['', '.by_name'])
    expect((await stat(join(data, tablePath(ORDERS), path))).mode & 0o777).toBe(0o751);
});

it('calls an object damaged that S3 denies, as it does to a host where it is gone', async () => {
  host.memory.receive = async (key) => {
    throw new VaultDenied(`GetObject ${key}: got AccessDenied`);
  };
  await expect(download()).rejects.toMatchObject({
    name: 'BackupDamaged',
    message: expect.stringContaining('it is gone, or'),
  });
});

it('ends before it takes the reserve, which Cassandra may have come near to since the check', async () => {
  const document = host.document(RESTORE, 'download', { sources: [source], tables: [ORDERS] });
  document.limits.reserveBytes = Number.MAX_SAFE_INTEGER;
  const request = await host.request(document);
  expect(await host.carryOut(request)).toBe('failed');
  expect(host.callback.answers.get(request.taskToken)).toMatchObject({
    error: { errorName: 'InsufficientSpace', message: expect.stringContaining('free by now') },
  });
});

it('goes on after a failure, and does not fetch again what is right', async () => {
  const document = await host.request(
    host.document(RESTORE, 'download', { sources: [source], tables: [ORDERS] }),
  );
  expect(await host.carryOut(document, 'download.file:fail')).toBe('failed');
  const target = join(staged(0), tablePath(ORDERS), 'nb-1-big-Filter.db');
  await write(target, 'torn');
  const second = await host.request(document);
  expect(await host.carryOut(second)).toBe('succeeded');
  expect((await readFile(target)).toString()).toBe('the same filter everywhere');
  const third = await host.run(
    RESTORE,
    'download',
    { sources: [source], tables: [ORDERS] },
    'download-again',
  );
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
  const key = host.layout.object(CLUSTER, objectOf(find(host.listing())));
  const right = Buffer.from(host.memory.objects.get(key) ?? '');
  damage(key);
  const failed = await download().catch((error: Error) => error);
  expect(failed).toMatchObject({ name: 'BackupDamaged' });
  expect(String(failed)).toContain(key);
  const inIt = host.listing().filter((file) => host.layout.object(CLUSTER, objectOf(file)) === key);
  expect(inIt.some(({ path }) => String(failed).includes(path))).toBe(true);
  host.memory.objects.set(key, right);
  await host.run(RESTORE, 'download', { sources: [source], tables: [ORDERS, ITEMS] }, 'mended');
});

it.each([
  ['header', () => host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn)],
  ['listing', () => host.layout.nodeListing(CLUSTER, RUN, host.instanceArn)],
])('believes no %s whose hash is not the one that the cluster manifest names', async (_, keyOf) => {
  host.memory.objects.set(keyOf(), Buffer.from('{}'));
  await expect(download()).rejects.toMatchObject({ name: 'BackupDamaged' });
});

it('is refused where the header is of a newer format', async () => {
  const key = host.layout.nodeHeader(CLUSTER, RUN, host.instanceArn);
  const header = JSON.parse(String(host.memory.objects.get(key)));
  const newer = Buffer.from(JSON.stringify({ ...header, formatVersion: 2 }));
  host.memory.objects.set(key, newer);
  const headerSha256 = createHash('sha256').update(newer).digest('hex');
  const input = { sources: [{ ...source, headerSha256 }], tables: [ORDERS] };
  await expect(host.run(RESTORE, 'download', input)).rejects.toMatchObject({ name: 'NewerFormat' });
});

it('is refused beforehand where the node has lost its identity', async () => {
  await write(
    join(host.data[0] ?? '', `system/local_metadata_log-${'8'.repeat(32)}`, 'nb-1-big-Data.db'),
    'x',
  );
  const check = host.run(RESTORE, 'check-restore', { sources: [source], tables: [ORDERS] });
  await expect(check).rejects.toMatchObject({
    name: 'TopologyMismatch',
    message: expect.stringMatching(/system\.local.*deadNode/s),
  });
});

it('is refused beforehand where it does not fit, or Cassandra is not known to read it', async () => {
  const check = () => host.run(RESTORE, 'check-restore', { sources: [source], tables: [ORDERS] });
  await write(join(host.data[1] ?? '', `system/local-${'7'.repeat(32)}`, 'nb-1-big-Data.db'), 'its host ID');
  await expect(check()).rejects.toMatchObject({ name: 'IncompatibleVersion' });
  const directories = { data: host.data, commitLog: '/c', hints: '/h', savedCaches: '/s' };
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
  const document = host.document(
    RESTORE,
    'check-restore',
    { sources: [source], tables: [ORDERS] },
    'check-small',
  );
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
    const place = { sources: [source], tables, emptied: [] };
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
    expect(await swapState(host.paths.journals, RESTORE)).toBe(`partly-${action.replace('place', 'placed')}`);
    host.callback.heartbeat = heartbeat;
    await host.run(RESTORE, 'settle', { restoreRunId: RESTORE, direction: 'back', keeps: false });
    expect(await swapState(host.paths.journals, RESTORE)).toBe('put-back');
  },
);

it.each(['place', 'put-back'] as const)(
  '%s makes the host forget what increments could go on from',
  async (action) => {
    const empty = { formatVersion: 1 as const, dataDirectories: [], truncated: {}, before: {} };
    const memory = { ...empty, backupId: RUN, sstables: {}, unfinished: {}, upTo: {} };
    await download();
    if (action === 'place') await remember(host, memory);
    await host.run(RESTORE, 'place', { sources: [source], tables: [ORDERS], emptied: [] });
    if (action === 'put-back') await remember(host, memory);
    if (action === 'put-back') await host.run(RESTORE, 'put-back', { restoreRunId: RESTORE });
    expect(await recall(host, RUN)).toBeUndefined();
  },
);

it('place puts away what commit log, hints and caches have, as it does the tables; undo brings it back and keeps the other', async () => {
  await download();
  const stale = ['commitlog/CommitLog-7-1.log', 'hints/one.hints', 'saved_caches/KeyCache.db'];
  for (const path of stale) await write(join(host.root, path), 'from before');
  const live = join(host.data[0] ?? '', tablePath(ORDERS));
  await write(join(live, 'nb-8-big-Data.db'), 'from before');
  await host.run(RESTORE, 'place', { sources: [source], tables: [ORDERS], emptied: [] });
  for (const path of stale) expect(existsSync(join(host.root, path)), path).toBe(false);
  await write(join(host.root, 'commitlog', 'CommitLog-8-1.log'), 'since');
  const about = { restoreRunId: RESTORE };
  expect(await host.run(RESTORE, 'check-undo', about)).toEqual({});
  await host.run(RESTORE, 'put-back', about);
  for (const path of stale) expect(await readFile(join(host.root, path), 'utf8')).toBe('from before');
  expect(await readFile(join(live, 'nb-8-big-Data.db'), 'utf8')).toBe('from before');
  const kept = join(host.data[0] ?? '', '.ringvault', `${RESTORE}.undone`, tablePath(ORDERS));
  expect(await readFile(join(kept, 'nb-1-big-Data.db'))).toEqual(big);
  expect(
    existsSync(join(host.root, 'commitlog', '.ringvault', `${RESTORE}.undone`, 'CommitLog-8-1.log')),
  ).toBe(true);
  await expect(host.run(RESTORE, 'check-undo', about, 'again')).rejects.toMatchObject({
    name: 'NothingToUndo',
    message: expect.stringMatching(/is put-back on this host, expected placed/),
  });
  await host.run(RESTORE, 'release-old', about);
  expect(existsSync(kept)).toBe(false);
  await expect(host.run(RESTORE, 'put-back', about, 'after')).rejects.toMatchObject({
    name: 'NothingToUndo',
  });
});

it('an undo is refused before anything is moved where what was aside is gone, or nothing is known of the restore', async () => {
  const about = { restoreRunId: RESTORE };
  await expect(host.run(RESTORE, 'check-undo', about)).rejects.toMatchObject({ name: 'NothingToUndo' });
  await download();
  const live = join(host.data[0] ?? '', tablePath(ORDERS));
  await host.run(RESTORE, 'place', { sources: [source], tables: [ORDERS], emptied: [] });
  await rm(join(host.data[0] ?? '', '.ringvault', RESTORE), { recursive: true });
  for (const [action, name] of [
    ['check-undo', 'NothingToUndo'],
    ['put-back', 'SwapConflict'],
  ] as const)
    await expect(host.run(RESTORE, action, about, 'gone')).rejects.toMatchObject({
      name,
      message: expect.stringMatching(/got no .*\/shop\/orders-1+, expected there what was live before/),
    });
  expect(await readFile(join(live, 'nb-1-big-Data.db'))).toEqual(big);
  expect(await swapState(host.paths.journals, RESTORE)).toBe('placed');
});

it('settle deletes what a way back had not deleted yet when it was killed', async () => {
  await download();
  await host.run(RESTORE, 'place', { sources: [source], tables: [ORDERS], emptied: [] });
  await host.run(RESTORE, 'put-back', { restoreRunId: RESTORE });
  const left = join(host.data[0] ?? '', '.ringvault', `${RESTORE}.undone`);
  expect(existsSync(left)).toBe(true);
  await host.run(RESTORE, 'settle', { restoreRunId: RESTORE, direction: 'back', keeps: false });
  expect(existsSync(left)).toBe(false);
});

async function filesBelow(directory: string): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[path.slice(directory.length + 1)] = await readFile(path);
  }
  return found;
}

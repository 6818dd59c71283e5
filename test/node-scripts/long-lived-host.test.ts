// What a host sees over the years: parts and wholes in turn, crashes between any two writes, a disk that must not fill, names
// that nobody thinks of.
import { randomBytes } from 'node:crypto';
import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { rememberIdentity } from '../../node-scripts/cassandra/identity.ts';
import { isThere } from '../../node-scripts/durable-files.ts';
import { tryLock } from '../../node-scripts/process-lock.ts';
import { fakeNode, ITEMS, ORDERS, tablePath, write, writeSnapshot } from './fake-node.ts';
import { type HostWithSnapshot, hostWithSnapshot, objectOf, RESTORE, RUN } from './host-with-snapshot.ts';

const SECOND = '20261121t030000z-0a1b2c3d';
const THIRD = '20261121t050000z-0a1b2c3d';

let host: HostWithSnapshot;
beforeEach(async () => {
  host = await hostWithSnapshot();
});
afterEach(() => host.remove());

describe('backups of parts and of wholes in turn', () => {
  it('a part forgets no hash of what it is not about', async () => {
    const whole = host.sourceOf(RUN, await host.upload());
    const cache = join(host.paths.cache, 'sha256.records');
    const { size } = await stat(cache);
    const part = { ...host.inputOf(SECOND, whole), tables: [ITEMS] };
    await host.run(SECOND, 'upload', { ...part, scope: 'part' });
    expect((await stat(cache)).size).toBeGreaterThanOrEqual(size);
    // A whole one knows what there is, and forgets the rest.
    await host.run(THIRD, 'upload', { ...part, scope: 'cluster' });
    expect((await stat(cache)).size).toBeLessThan(size);
  });

  it('one object is put once, though two tables have it at the same moment', async () => {
    const [first = ''] = host.data;
    const same = randomBytes(2_000_000);
    const twins = ['a', 'b'].map((table) => ({ keyspace: 'shop', table, tableId: table.repeat(32) }));
    for (const table of twins) await writeSnapshot(first, table, { 'nb-7-big': same }, ['nb-7-big-Data.db']);
    const put = host.memory.putObject.bind(host.memory);
    const puts: string[] = [];
    host.memory.putObject = (object) => {
      puts.push(object.key);
      return put(object);
    };
    const { tables } = host.inputOf(RUN);
    await host.run(RUN, 'upload', { ...host.inputOf(RUN), tables: [...tables, ...twins] });
    expect(new Set(puts).size).toBe(puts.length);
    const lines = host.listing().filter(({ path }) => path.endsWith('nb-7-big-Data.db'));
    expect(lines).toHaveLength(2);
    expect(new Set(lines.map(objectOf)).size).toBe(1);
  });
});

describe('the sample', () => {
  const sampled = async (
    crc32Of: (bytes: Buffer) => number | undefined,
    damage?: (bytes: Buffer) => void,
  ) => {
    const source = host.sourceOf(RUN, await host.upload());
    const key = host.keyOf(host.lineOf(`${tablePath(ORDERS)}/nb-1-big-Data.db`));
    const stored = host.memory.objects.get(key) ?? Buffer.alloc(0);
    const crc = crc32Of(stored);
    damage?.(stored);
    const attributes = host.memory.attributes.bind(host.memory);
    // As S3 answers of what was sent in parts.
    host.memory.attributes = async (asked) => {
      const { sizeBytes = 0 } = (await attributes(asked)) ?? {};
      return asked === key ? { sizeBytes, ...(crc !== undefined && { crc32: crc }) } : attributes(asked);
    };
    const getStream = host.memory.getStream.bind(host.memory);
    const read: string[] = [];
    host.memory.getStream = (asked, ...rest) => {
      read.push(asked);
      return getStream(asked, ...rest);
    };
    const document = host.document(SECOND, 'upload', host.inputOf(SECOND, source));
    document.limits.rehashPercent = 100;
    const request = await host.request(document);
    expect(await host.carryOut(request)).toBe('succeeded');
    const { output } = host.callback.answers.get(request.taskToken) as { output: { tampered: string[] } };
    return { reads: read.filter((each) => each === key).length, tampered: output.tampered.includes(key) };
  };

  it('reads no object that was sent in parts', async () => {
    expect(await sampled((bytes) => crc32(bytes))).toEqual({ reads: 0, tampered: false });
  });

  it('reads one whose CRC32 is another, as S3 says', async () => {
    expect((await sampled(() => 1)).reads).toBeGreaterThan(0);
  });

  it('reads one of which S3 has no checksum, as of what somebody else has put', async () => {
    const flip = (bytes: Buffer) => void bytes.writeUInt8(bytes.readUInt8(7) ^ 1, 7);
    expect(await sampled(() => undefined, flip)).toMatchObject({ tampered: true });
  });

  it('asks S3 about a few objects, however many there are', async () => {
    const stems = Array.from({ length: 40 }, (_, index) => `nb-${index + 10}-big`);
    const sstables = Object.fromEntries(stems.map((stem) => [stem, Buffer.from(stem)]));
    const names = stems.map((stem) => `${stem}-Data.db`);
    await writeSnapshot(host.data[0] ?? '', ITEMS, sstables, names);
    const source = host.sourceOf(RUN, await host.upload());
    const attributes = vi.spyOn(host.memory, 'attributes');
    const document = host.document(SECOND, 'upload', host.inputOf(SECOND, source));
    document.limits.rehashPercent = 99;
    expect(await host.carryOut(await host.request(document))).toBe('succeeded');
    expect(attributes.mock.calls.length).toBeLessThan(15);
  });
});

it('a restore is refused where two files of one name would go to one directory', async () => {
  const [, second = ''] = host.data;
  await writeSnapshot(second, ORDERS, { 'nb-1-big': Buffer.from('of the second directory') });
  const source = host.sourceOf(RUN, await host.upload());
  await host.allowRestore();
  await write(join(host.data[0] ?? '', `system/local-${'5'.repeat(32)}`, 'nb-1-big-Data.db'), '');
  const input = { sources: [source], tables: [ORDERS] };
  const uuid = '93654103-2d22-4cc2-99ef-2a36e09d4b93';
  await rememberIdentity(host.paths, {
    ...{ clusterName: 'demo', hostId: uuid, datacenter: 'dc1', rack: 'r1', address: '127.0.0.1' },
    ...{ cassandraVersion: '5.0.9', readableFormats: ['nb'] },
    directories: { data: host.data, commitLog: '/c', hints: '/h', savedCaches: '/s' },
  });
  expect(await host.run(RESTORE, 'check-restore', input)).toMatchObject({
    requiredBytes: expect.any(Number),
  });
  await fakeNode(host, { data_file_directories: host.data.slice(0, 1) });
  await expect(host.run(SECOND, 'check-restore', input)).rejects.toMatchObject({
    name: 'TopologyMismatch',
    message: expect.stringMatching(/nb-1-big-.*: got 1 data directories .*two files of this name/),
  });
});

it('a separator of lines in a name ends no line of the listing', async () => {
  await write(join(host.orders, 'zz\u2028b'), 'stray');
  const out = await host.upload();
  await host.allowRestore();
  expect((await host.restore(RUN, out)).files).toBeGreaterThan(0);
});

it('a lock whose file a crash left empty is nobody’s', async () => {
  const directory = join(host.root, 'locked');
  await write(join(directory, 'lock.1'), '');
  const lock = await tryLock(directory);
  expect(lock).not.toBe('held');
  expect(await tryLock(directory)).toBe('held');
});

describe('the disk of the host', () => {
  it('keeps no copy of a listing once the action has succeeded', async () => {
    const first = host.sourceOf(RUN, await host.upload());
    await host.upload(SECOND, first);
    expect(await readdir(host.paths.action(`${SECOND}.upload`))).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/\.gz$/)]),
    );
    expect(host.listing(SECOND).length).toBe(host.listing().length);
  });

  it('is rid of actions and logs of long ago, and of nothing that is at work', async () => {
    const old = new Date(Date.now() - 31 * 86_400_000);
    const made = ['20260101t000000z-0a1b2c3d.upload', '20260102t000000z-0a1b2c3d.download'];
    const [ended = '', atWork = ''] = made.map((id) => host.paths.action(id));
    await write(join(ended, 'result.json'), '{}');
    const lock = await tryLock(atWork);
    const log = host.paths.log(made[0] ?? '');
    await write(log, 'done');
    for (const path of [ended, atWork, log]) await utimes(path, old, old);
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    await host.run(RUN, 'prepare', { architecture });
    expect(await Promise.all([ended, atWork, log].map(isThere))).toEqual([false, true, false]);
    if (lock !== 'held') await lock.release();
    expect(await isThere(host.paths.action(`${RUN}.prepare`))).toBe(true);
  });
});

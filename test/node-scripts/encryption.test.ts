// What hosts encrypt themselves: nothing of it is in the vault in the clear, and no other bytes are ever taken for it.
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import type { BackupSource } from '../../contracts/actions.ts';
import { EncryptionKeyDenied } from '../../contracts/errors.ts';
import { decrypted, encrypted, WrongCiphertext } from '../../node-scripts/transfer/encryption.ts';
import { ITEMS, ORDERS, tablePath, writeSnapshot } from './fake-node.ts';
import { CLUSTER, KMS_KEY } from './host-under-test.ts';
import { big, type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

const NAME = 'a'.repeat(64);
const HEADER = 512;
const CHUNK = 65_536 + 16;

describe('a stream', () => {
  const keys = memoryDataKeys(CLUSTER);
  const seal = async (plain: Buffer, name = NAME) =>
    buffer(encrypted(Readable.from([plain]), await keys.generate(KMS_KEY), name));
  const open = (stored: Buffer, by = keys, name = NAME) =>
    // In pieces that end nowhere in particular.
    buffer(decrypted(Readable.from(piecesOf(stored)), by, name));
  function* piecesOf(stored: Buffer) {
    for (let at = 0; at < stored.length; at += 10_007) yield stored.subarray(at, at + 10_007);
  }

  it.each([0, 1, 65_535, 65_536, 65_537, 131_072, 300_000])('of %i bytes comes back', async (length) => {
    const plain = randomBytes(length);
    const stored = await seal(plain);
    expect(stored.length).toBe(HEADER + length + 16 * Math.max(1, Math.ceil(length / 65_536)));
    expect((await open(stored)).equals(plain)).toBe(true);
  });

  it.each(['is no header', 'a key that nobody has'])('is let go where it has %s', async (what) => {
    const stored = what === 'is no header' ? Buffer.alloc(2_000) : await seal(Buffer.alloc(2_000));
    let isClosed = false;
    async function* source() {
      try {
        yield* piecesOf(stored);
      } finally {
        isClosed = true;
      }
    }
    await expect(buffer(decrypted(source(), memoryDataKeys('other'), NAME))).rejects.toBeInstanceOf(
      WrongCiphertext,
    );
    expect(isClosed).toBe(true);
  });

  it('is other bytes each time', async () => {
    const plain = Buffer.alloc(1_000);
    expect((await seal(plain)).subarray(HEADER)).not.toEqual((await seal(plain)).subarray(HEADER));
  });

  const plain = randomBytes(200_000);
  const chunk = (stored: Buffer, index: number) =>
    stored.subarray(HEADER + index * CHUNK, HEADER + (index + 1) * CHUNK);
  const flipped = (stored: Buffer, at: number) => {
    const bytes = Buffer.from(stored);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return bytes;
  };
  it.each<[string, (stored: Buffer) => Buffer]>([
    ['a bit of its magic', (stored) => flipped(stored, 0)],
    ['the length of its wrapped key', (stored) => flipped(stored, 8)],
    ['a bit of its wrapped key', (stored) => flipped(stored, 12)],
    ['a bit of its salt', (stored) => flipped(stored, HEADER - 1)],
    ['a bit of its first chunk', (stored) => flipped(stored, HEADER)],
    ['a bit of its last tag', (stored) => flipped(stored, stored.length - 1)],
    ['nothing but its beginning', (stored) => stored.subarray(0, HEADER - 1)],
    ['no chunk', (stored) => stored.subarray(0, HEADER)],
    ['its last byte cut', (stored) => stored.subarray(0, -1)],
    ['its last chunk cut', (stored) => stored.subarray(0, HEADER + 3 * CHUNK)],
    ['a byte more', (stored) => Buffer.concat([stored, Buffer.alloc(1)])],
    [
      'two chunks exchanged',
      (stored) =>
        Buffer.concat([
          stored.subarray(0, HEADER),
          chunk(stored, 1),
          chunk(stored, 0),
          stored.subarray(HEADER + 2 * CHUNK),
        ]),
    ],
  ])('with %s is refused', async (_, damage) => {
    await expect(open(damage(await seal(plain)))).rejects.toBeInstanceOf(WrongCiphertext);
  });

  it('is refused under another name, and for another cluster', async () => {
    const wrapped = new Map();
    const ours = memoryDataKeys(CLUSTER, wrapped);
    const stored = await buffer(encrypted(Readable.from([plain]), await ours.generate(KMS_KEY), NAME));
    await expect(open(stored, ours, 'b'.repeat(64))).rejects.toBeInstanceOf(WrongCiphertext);
    await expect(open(stored, memoryDataKeys('other', wrapped))).rejects.toBeInstanceOf(WrongCiphertext);
    expect((await open(stored, ours)).equals(plain)).toBe(true);
  });
});

describe('a host', () => {
  const SECOND = '20261121t030000z-0a1b2c3d';
  const BIG = `${tablePath(ORDERS)}/nb-1-big-Data.db`;
  const encryption = { serverSideKeyArn: KMS_KEY, clientSideKeyArn: KMS_KEY };
  let host: HostWithSnapshot;
  beforeEach(async () => {
    host = await hostWithSnapshot({ encryption, compression: 'zstd' });
    await host.allowRestore();
  });
  afterEach(() => host.remove());

  it('stores nothing in the clear; and all of it with the cluster’s key in S3', async () => {
    const text = Buffer.from('compressed before it is encrypted, '.repeat(2_000));
    const large = Buffer.from(randomBytes(3_000_000).toString('hex'));
    await writeSnapshot(host.data[1] ?? '', ITEMS, { 'nb-1-big': text, 'nb-2-big': large }, [
      'nb-1-big-Data.db',
      'nb-2-big-Data.db',
    ]);
    const out = await host.upload();
    expect(host.lineOf(BIG)?.variant).toBe('enc');
    expect(host.lineOf(`${tablePath(ITEMS)}/nb-2-big-Data.db`)?.variant).toBe('zst.enc');
    for (const key of host.objectKeys()) {
      const stored = host.memory.objects.get(key) ?? Buffer.alloc(0);
      expect(stored.subarray(0, 5).toString()).toBe('RVENC');
      for (const plain of [big.subarray(100, 140), text.subarray(0, 40), large.subarray(0, 40)])
        expect(stored.includes(plain)).toBe(false);
    }
    const ofBackup = [...host.memory.objects.keys()].filter((key) => key.startsWith('clusters/'));
    expect([...host.memory.kmsKeys]).toEqual(expect.arrayContaining(ofBackup.map((key) => [key, KMS_KEY])));
    expect(host.memory.kmsKeys.size).toBe(ofBackup.length);
    expect((await host.restore(RUN, out)).downloadedBytes).toBeGreaterThan(big.length + large.length);
  });

  it('sends nothing that the backup before holds encrypted, even where it does not encrypt any more', async () => {
    const first = await host.upload();
    const again = await host.upload(SECOND, host.sourceOf(RUN, first));
    expect(again).toMatchObject({ uploadedFiles: 0, listingSha256: first.listingSha256 });
    const third = '20261121t040000z-0a1b2c3d';
    const input = { ...host.inputOf(third, host.sourceOf(SECOND, again)), encryption: {} };
    expect(await host.run(third, 'upload', input)).toMatchObject({ uploadedFiles: 0 });
  });

  it('stores anew what lies in the clear', async () => {
    const input = { ...host.inputOf(RUN), encryption: {} };
    const first = await host.run(RUN, 'upload', input);
    expect(host.lineOf(BIG)?.variant).toBeUndefined();
    const second = await host.upload(SECOND, host.sourceOf(RUN, first));
    expect(second.uploadedFiles).toBe(first.files);
    expect(host.listing(SECOND).every(({ variant }) => variant?.includes('enc'))).toBe(true);
    await host.restore(SECOND, second);
  });

  it('names the object and the file where the stored bytes are others', async () => {
    const out = await host.upload();
    const key = host.keyOf(host.lineOf(BIG));
    const stored = Buffer.from(host.memory.objects.get(key) ?? Buffer.alloc(0));
    stored.writeUInt8(stored.readUInt8(100_000) ^ 1, 100_000);
    host.memory.objects.set(key, stored);
    const failed = await host.restore(RUN, out).catch((error: Error) => error);
    expect(failed).toMatchObject({ name: 'BackupDamaged' });
    expect(String(failed)).toContain(key);
    expect(String(failed)).toContain(BIG);
  });

  it('stores the right bytes beside an object that holds others, and finds right ones again', async () => {
    await host.upload();
    const key = host.keyOf(host.lineOf(BIG));
    host.memory.objects.set(key, Buffer.from('other bytes'));
    // The backup before is not known: everything meets what is there.
    const second = await host.upload(SECOND);
    expect(second).toMatchObject({ tampered: [key] });
    expect(second.uploadedBytes).toBe(big.length);
    expect(host.lineOf(BIG, SECOND)?.variant).toBe('enc.2');
    await host.restore(SECOND, second);
  });

  it('names on nothing that cannot be decrypted any more', async () => {
    const wrapped = new Map();
    const keys = memoryDataKeys(CLUSTER, wrapped);
    const losing = await hostWithSnapshot({ encryption, dataKeys: keys });
    try {
      const first = await losing.upload();
      const unwrap = keys.unwrap.bind(keys);
      wrapped.clear();
      keys.unwrap = async (bytes) => {
        const key = await unwrap(bytes);
        if (!key) throw new EncryptionKeyDenied('kms Decrypt: got DisabledException');
        return key;
      };
      const second = await losing.upload(SECOND, losing.sourceOf(RUN, first));
      expect(second.uploadedFiles).toBe(first.files);
      expect(losing.listing(SECOND).every(({ variant }) => variant?.endsWith('enc.2'))).toBe(true);
      await losing.allowRestore();
      await rm(losing.paths.cache, { recursive: true });
      const input = { sources: [losing.sourceOf(SECOND, second)], tables: [ORDERS, ITEMS] };
      expect((await losing.run(RESTORE, 'download', input)).downloadedBytes).toBeGreaterThan(big.length);
    } finally {
      await losing.remove();
    }
  });

  it('keeps what another KMS key encrypted, where one of two is of no use any more', async () => {
    const keys = memoryDataKeys(CLUSTER);
    const [former, own] = [`${KMS_KEY.slice(0, -1)}1`, KMS_KEY];
    const two = await hostWithSnapshot({ encryption: { clientSideKeyArn: former }, dataKeys: keys });
    try {
      const first = await two.upload();
      await writeSnapshot(two.data[0] ?? '', ITEMS, { 'nb-0-big': randomBytes(50_000) }, [
        'nb-0-big-Data.db',
      ]);
      const under = (run: string, before: BackupSource) =>
        two.run(run, 'upload', { ...two.inputOf(run, before), encryption: { clientSideKeyArn: own } });
      const second = await under(SECOND, two.sourceOf(RUN, first));
      const keysOf = (run: string) =>
        two.listing(run).map(({ path, encryptionKey }) => [path.includes('nb-0-'), encryptionKey]);
      expect(keysOf(SECOND)).toContainEqual([true, own]);
      expect(new Set(keysOf(SECOND).map(([isNew, key]) => `${isNew} ${key}`)).size).toBe(2);
      const unwrap = keys.unwrap.bind(keys);
      keys.unwrap = async (bytes) => {
        const key = await unwrap(bytes);
        if (key?.kmsKeyArn === former) throw new EncryptionKeyDenied('kms Decrypt: got DisabledException');
        return key;
      };
      const third = '20261121t040000z-0a1b2c3d';
      const again = await under(third, two.sourceOf(SECOND, second));
      expect(again.uploadedFiles).toBe(first.files);
      expect(keysOf(third).every(([, key]) => key === own)).toBe(true);
      await two.allowRestore();
      await rm(two.paths.cache, { recursive: true });
      const input = { sources: [two.sourceOf(third, again)], tables: [ORDERS, ITEMS] };
      expect((await two.run(RESTORE, 'download', input)).files).toBeGreaterThan(first.files - 4);
    } finally {
      await two.remove();
    }
  });

  it.each(['zst', 'zst.enc', `${KMS_KEY}"`, '}'])(
    'names what there is, where a crash cut its journal after %s',
    async (end) => {
      const text = Buffer.from('compressed and encrypted, '.repeat(2_000));
      await writeSnapshot(host.data[1] ?? '', ITEMS, { 'nb-1-big': text }, ['nb-1-big-Data.db']);
      const request = await host.request(host.document(RUN, 'upload', host.inputOf(RUN)));
      const journal = join(host.paths.action(request.actionId), 'stored-objects');
      expect(await host.carryOut(request, 'upload.listing-put:fail')).toBe('failed');
      // As if the crash had been before the listing.
      await rm(join(dirname(journal), 'manifests.json'));
      host.memory.objects.delete(host.layout.nodeListing(CLUSTER, RUN, host.instanceArn));
      const whole = await readFile(journal, 'utf8');
      const line = whole.split('\n').find((each) => each.includes('zst.enc')) ?? '';
      await writeFile(journal, whole.slice(0, whole.indexOf(line) + line.indexOf(end) + end.length));
      expect(await host.carryOut(request)).toBe('succeeded');
      const named = host.listing().map((file) => host.keyOf(file));
      expect(named.filter((key) => !host.memory.objects.has(key))).toEqual([]);
    },
  );

  it.each([
    ['a stranger’s key', (bytes: Buffer) => bytes.fill(7, 10, 190)],
    ['no key', (bytes: Buffer) => bytes.fill(0, 8, 10)],
  ])('stores beside an object with %s', async (_, damage) => {
    await host.upload();
    const key = host.keyOf(host.lineOf(BIG));
    damage(host.memory.objects.get(key) ?? Buffer.alloc(0));
    expect(await host.upload(SECOND)).toMatchObject({ tampered: [key] });
    expect(host.lineOf(BIG, SECOND)?.variant).toBe('enc.2');
  });

  it('takes an object of a newer version for what it is', async () => {
    const out = await host.upload();
    host.memory.objects.get(host.keyOf(host.lineOf(BIG)))?.writeUInt8(2, 7);
    await expect(host.restore(RUN, out)).rejects.toMatchObject({ name: 'NewerFormat' });
  });

  it('says that it is denied, and stores nothing, where KMS gives no key', async () => {
    const denied = await hostWithSnapshot({
      encryption,
      dataKeys: {
        generate: () => Promise.reject(Object.assign(new Error('kms says no'), { name: 'Denied' })),
        unwrap: async () => undefined,
      },
    });
    try {
      await expect(denied.upload()).rejects.toThrow('kms says no');
      expect(denied.objectKeys()).toEqual([]);
    } finally {
      await denied.remove();
    }
  });
});

it('has the address of the plain bytes', async () => {
  const host = await hostWithSnapshot({ encryption: { clientSideKeyArn: KMS_KEY } });
  try {
    await host.upload();
    const sha256 = createHash('sha256').update(big).digest('hex');
    expect(host.objectKeys()).toContain(host.layout.object(CLUSTER, sha256, 'enc'));
  } finally {
    await host.remove();
  }
});

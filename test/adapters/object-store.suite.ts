// What every object store must keep, run over each adapter.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ByteRange, NewObject, NewStream, ObjectStore } from '../../adapters/ports.ts';
import { FileUnstable } from '../../contracts/errors.ts';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function collect(keys: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const key of keys) all.push(key);
  return all;
}

const NO_UPLOAD = { id: () => undefined, begun: async () => undefined, ended: async () => undefined };

/** In chunks that end anywhere. */
async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 99_999) yield bytes.subarray(at, at + 99_999);
}

/** @param open gives an empty store; a part of it is at most `partBytes` long */
export function objectStoreSuite(name: string, partBytes: number, open: () => Promise<ObjectStore>): void {
  describe(`object store: ${name}`, () => {
    let store: ObjectStore;
    let directory: string;
    beforeAll(async () => {
      store = await open();
      directory = await mkdtemp(join(tmpdir(), 'object-store-'));
    });
    afterAll(() => rm(directory, { recursive: true, force: true }));

    async function file(bytes: Buffer): Promise<string> {
      const path = join(directory, randomBytes(8).toString('hex'));
      await writeFile(path, bytes);
      return path;
    }

    /** An object as its bytes were hashed. */
    function hashed(key: string, bytes: Buffer, body: NewObject['body']): NewObject {
      const parts = Array.from({ length: Math.max(1, Math.ceil(bytes.length / partBytes)) }, (_, index) =>
        crc32(bytes.subarray(index * partBytes, (index + 1) * partBytes)),
      );
      return {
        ...{ key, body, sizeBytes: bytes.length, sha256: sha256(bytes), crc32: crc32(bytes) },
        ...{ partCrc32: parts, partBytes, slot: (send) => send() },
        upload: NO_UPLOAD,
      };
    }

    function streamed(key: string, bytes: Buffer): NewStream {
      return {
        ...{ key, partBytes, slot: (send) => send(), upload: NO_UPLOAD, body: () => chunksOf(bytes) },
        parts: [Buffer.alloc(partBytes), Buffer.alloc(partBytes)],
      };
    }

    async function received(key: string, range?: ByteRange, most = Number.POSITIVE_INFINITY) {
      const sizes: number[] = [];
      const chunks: Buffer[] = [];
      const isThere = await store.receive(key, {
        range,
        begin: (size) => void sizes.push(size),
        async take(bytes) {
          if (chunks.length >= most) throw new Error('enough');
          chunks.push(Buffer.from(bytes));
          await new Promise((resolve) => setImmediate(resolve));
        },
      });
      return { isThere, sizes, bytes: Buffer.concat(chunks) };
    }

    it('hands over what was put, whole or a range of it, as it comes', async () => {
      const bytes = randomBytes(1_000_003);
      await store.putObject(hashed('received', bytes, bytes));
      const whole = await received('received');
      expect(whole).toMatchObject({ isThere: true, sizes: [bytes.length] });
      expect(whole.bytes.equals(bytes)).toBe(true);
      const range = { start: 500_000, end: 900_000 };
      expect((await received('received', range)).bytes.equals(bytes.subarray(500_000, 900_000))).toBe(true);
      const beyond = await received('received', { start: 1_000_000, end: 1_000_010 });
      expect(beyond).toEqual({ isThere: true, sizes: [3], bytes: bytes.subarray(1_000_000) });
      expect((await received('received', { start: 2_000_000, end: 2_000_010 })).bytes).toHaveLength(0);
      expect(await received('not there')).toMatchObject({ isThere: false, sizes: [] });
      await store.put('no bytes', '', 'create');
      expect(await received('no bytes')).toMatchObject({ isThere: true, sizes: [0] });
    });

    it('ends what is received with what its receiver throws, and with its signal', async () => {
      const bytes = randomBytes(1_000_003);
      await store.putObject(hashed('ended', bytes, bytes));
      await expect(received('ended', undefined, 1)).rejects.toThrow('enough');
      const begin = () => {
        throw new Error('too many');
      };
      await expect(store.receive('ended', { begin, take: () => undefined })).rejects.toThrow('too many');
      const stop = new AbortController();
      const take = () => stop.abort(new Error('told to stop'));
      await expect(store.receive('ended', { signal: stop.signal, take })).rejects.toThrow('told to stop');
      expect((await received('ended')).bytes.equals(bytes)).toBe(true);
    });

    it('has nothing where nothing was put', async () => {
      expect(await store.get('none')).toBeUndefined();
      expect(await store.getStream('none')).toBeUndefined();
      expect(await store.attributes('none')).toBeUndefined();
    });

    it('gives back the bytes that were put, with the time of the server', async () => {
      expect(await store.put('doc/a:b/x.json', '{"a":"ü"}', 'create')).toBe('created');
      const got = await store.get('doc/a:b/x.json');
      expect(got?.body.toString()).toBe('{"a":"ü"}');
      expect(Math.abs((got?.servedAt.getTime() ?? 0) - Date.now())).toBeLessThan(120_000);
    });

    it('never creates over what is there, and overwrites where it is told to', async () => {
      await store.put('once', 'first', 'create');
      expect(await store.put('once', 'second', 'create')).toBe('exists');
      expect((await store.get('once'))?.body.toString()).toBe('first');
      expect(await store.put('once', 'third', 'overwrite')).toBe('created');
      expect((await store.get('once'))?.body.toString()).toBe('third');
    });

    it('lets one of many creators win', async () => {
      const outcomes = await Promise.all(
        [1, 2, 3, 4, 5].map((each) => store.put('race', String(each), 'create')),
      );
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    });

    it.each([
      ['an empty file', 0],
      ['a file of one part', partBytes],
      ['a file of one part and a byte', partBytes + 1],
      ['a file of several parts', 2 * partBytes + 7],
    ])('stores %s whole, and only once', async (_, size) => {
      const bytes = randomBytes(size);
      const path = await file(bytes);
      const key = `files/${sha256(bytes)}`;
      let counted = 0;
      const onBytes = (sent: number) => {
        counted += sent;
      };
      expect(await store.putObject({ ...hashed(key, bytes, path), onBytes })).toBe('created');
      expect(counted).toBe(size);
      expect(await store.putObject(hashed(key, bytes, path))).toBe('exists');
      const stream = await store.getStream(key);
      expect(stream?.sizeBytes).toBe(size);
      expect(stream && (await buffer(stream.body)).equals(bytes)).toBe(true);
      const attributes = await store.attributes(key);
      expect(attributes?.sizeBytes).toBe(size);
      expect([undefined, sha256(bytes)]).toContain(attributes?.sha256);
    });

    it('stores bytes of memory', async () => {
      const bytes = randomBytes(100_000);
      expect(await store.putObject(hashed('memory', bytes, bytes))).toBe('created');
      expect((await store.get('memory'))?.body.equals(bytes)).toBe(true);
    });

    it('stores no more of a growing file than was hashed', async () => {
      const path = await file(Buffer.from('hashed part, and more'));
      await store.putObject(hashed('grown', Buffer.from('hashed part'), path));
      expect((await store.get('grown'))?.body.toString()).toBe('hashed part');
    });

    it.each([
      ['one part', 20],
      ['several parts', partBytes + 1],
    ])('refuses a file of %s whose bytes are not those that were hashed', async (_, size) => {
      const path = await file(randomBytes(size));
      const key = `changed-${size}`;
      await expect(store.putObject(hashed(key, randomBytes(size), path))).rejects.toMatchObject({
        name: 'FileUnstable',
      });
      expect(await store.attributes(key)).toBeUndefined();
    });

    it.each([
      ['shorter than it was', 'FileUnstable', () => file(Buffer.from('short'))],
      ['gone', 'FileVanished', async () => join(directory, 'gone')],
    ])('refuses a file that is %s', async (_, name, path) => {
      const object = hashed('short', Buffer.from('it was longer'), await path());
      await expect(store.putObject(object)).rejects.toMatchObject({ name });
    });

    it.each([
      ['no bytes', 0],
      ['one part', 20],
      ['exactly one part', partBytes],
      ['several parts', 2 * partBytes + 1],
    ])('stores %s of a stream, once', async (what, size) => {
      const bytes = randomBytes(size);
      let counted = 0;
      const onBytes = (sent: number) => {
        counted += sent;
      };
      const stream = streamed(`stream of ${what}`, bytes);
      expect(await store.putStream({ ...stream, onBytes })).toBe('created');
      expect(counted).toBe(size);
      expect(await store.putStream({ ...stream, body: () => chunksOf(randomBytes(size)) })).toBe('exists');
      expect((await store.get(stream.key))?.body.equals(bytes)).toBe(true);
    });

    it.each([20, 2 * partBytes + 1])('stores nothing of a stream that fails after %d bytes', async (size) => {
      const stream = streamed(`failed-${size}`, randomBytes(size));
      const body = async function* () {
        yield* stream.body();
        throw new FileUnstable('it changed');
      };
      await expect(store.putStream({ ...stream, body })).rejects.toMatchObject({ name: 'FileUnstable' });
      expect(await store.attributes(stream.key)).toBeUndefined();
    });

    it('lists keys in order, by prefix, by folder, and from a key on', async () => {
      for (const key of ['l/b', 'l/a/2', 'l/a/1', 'l/c/1', 'm']) await store.put(key, key, 'create');
      expect(await collect(store.list('l/'))).toEqual(['l/a/1', 'l/a/2', 'l/b', 'l/c/1']);
      expect(await collect(store.list('l/', { delimiter: '/' }))).toEqual(['l/a/', 'l/b', 'l/c/']);
      expect(await collect(store.list('l/', { startAfter: 'l/a/2' }))).toEqual(['l/b', 'l/c/1']);
      expect(await collect(store.list('l/', { delimiter: '/', startAfter: 'l/a/' }))).toEqual([
        'l/b',
        'l/c/',
      ]);
    });
  });
}

// The object store in memory, for tests: the same promises as S3, kept by the same suite.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { FileUnstable, FileVanished } from '../contracts/errors.ts';
import { systemClock } from './clock-system.ts';
import type { Clock, ObjectStore } from './ports.ts';

/** `objects` is open, so that a test can damage or delete what is stored. */
export interface MemoryObjectStore extends ObjectStore {
  readonly objects: Map<string, Buffer>;
  /** By the key of an object: with which KMS key it is encrypted, where it is. */
  readonly kmsKeys: Map<string, string>;
}

export function memoryObjectStore(options: { clock?: Clock } = {}): MemoryObjectStore {
  const clock = options.clock ?? systemClock;
  return storeIn({ clock, objects: new Map(), kmsKeys: new Map() });
}

interface Contents extends Pick<MemoryObjectStore, 'objects' | 'kmsKeys'> {
  clock: Clock;
}

function storeIn(contents: Contents, kmsKeyArn?: string): MemoryObjectStore {
  const { clock, objects, kmsKeys } = contents;
  const set = (key: string, body: Buffer) => {
    objects.set(key, body);
    if (kmsKeyArn) kmsKeys.set(key, kmsKeyArn);
    else kmsKeys.delete(key);
    return 'created' as const;
  };
  const create = (key: string, body: Buffer) => (objects.has(key) ? 'exists' : set(key, body));
  return {
    objects,
    kmsKeys,
    encryptedWith: (kmsKeyArn) => storeIn(contents, kmsKeyArn),
    async get(key) {
      const body = objects.get(key);
      return (
        body && {
          body: Buffer.from(body),
          servedAt: new Date(Math.floor(clock.now().getTime() / 1000) * 1000),
        }
      );
    },
    async getStream(key, range) {
      const body = objects.get(key)?.subarray(range?.start, range?.end);
      return body && { body: Readable.from(chunks(body)), sizeBytes: body.length };
    },
    async receive(key, { range, signal, begin, take }) {
      const body = objects.get(key)?.subarray(range?.start, range?.end);
      if (!body) return false;
      begin?.(body.length);
      for (const chunk of chunks(body)) {
        signal?.throwIfAborted();
        await take(chunk);
        // Whoever keeps it sees that it may not.
        chunk.fill(0);
      }
      return true;
    },
    async put(key, body, mode) {
      const bytes = Buffer.from(body);
      return mode === 'create' ? create(key, bytes) : set(key, bytes);
    },
    async putObject({ key, body, sizeBytes, sha256, onBytes }) {
      const bytes = typeof body === 'string' ? await readExactly(body, sizeBytes) : Buffer.from(body);
      const got = sha256Of(bytes);
      if (got !== sha256 || bytes.length !== sizeBytes) {
        throw new FileUnstable(
          `${key}: got ${bytes.length} bytes of SHA-256 ${got}, expected ${sizeBytes} of ${sha256}`,
        );
      }
      onBytes?.(sizeBytes);
      return create(key, bytes);
    },
    async putStream({ key, body, onBytes }) {
      const chunks: Buffer[] = [];
      for await (const chunk of body()) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      onBytes?.(bytes.length);
      return create(key, bytes);
    },
    onFailedAttempt: () => undefined,
    async attributes(key) {
      const body = objects.get(key);
      return body && { sizeBytes: body.length, sha256: sha256Of(body) };
    },
    async *list(prefix, { delimiter, startAfter = '' } = {}) {
      let last: string | undefined;
      for (const key of [...objects.keys()].sort()) {
        if (!key.startsWith(prefix)) continue;
        const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
        const name = end < 0 ? key : key.slice(0, end + 1);
        if (name > startAfter && name !== last) yield name;
        last = name;
      }
    },
  };
}

function sha256Of(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

function* chunks(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 65_536) yield Buffer.from(body.subarray(at, at + 65_536));
}

async function readExactly(path: string, sizeBytes: number): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new FileVanished(`${path}: it is gone`) : error;
  });
  try {
    const body = Buffer.alloc(sizeBytes);
    const { bytesRead } = await file.read(body, 0, sizeBytes, 0);
    return body.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

// What the engine knows of bytes by the time that it stores them.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { NewObject } from '../../adapters/ports.ts';

export function hashedObject(bytes: Buffer, partBytes: number): Omit<NewObject, 'key' | 'body' | 'upload'> {
  const parts = Array.from({ length: Math.ceil(bytes.length / partBytes) }, (_, part) =>
    crc32(bytes.subarray(part * partBytes, (part + 1) * partBytes)),
  );
  return {
    ...{ sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
    ...{ crc32: crc32(bytes), partCrc32: parts, partBytes, slot: (send) => send() },
  };
}

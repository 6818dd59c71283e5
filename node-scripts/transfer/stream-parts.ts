// Where parts of what is encoded as it is sent lie until S3 has them: two of each stream, in memory, or in files where they are too
// large for that, as those of files of some 158 GB and more are.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { STREAM_PART_BYTES, streamPartBytesFor } from '../../adapters/part-size.ts';
import type { NewStream } from '../../adapters/ports.ts';
import type { BodyMemory } from './body-memory.ts';

/** Of each stream. */
const PARTS_BYTES = 2 * STREAM_PART_BYTES;
/** So much is left to small objects, which must not wait for streams. */
const SMALL_BYTES = 8 * 1024 ** 2;

type Put<Value> = (parts: NewStream['parts']) => Promise<Value>;
export type WithParts = <Value>(sizeBytes: number, put: Put<Value>) => Promise<Value>;

/** @param directory takes the files, of one stream at a time */
export function partsIn(
  memory: BodyMemory,
  { directory, threads, signal }: { directory: string; threads: number; signal: AbortSignal },
): WithParts {
  const small = pLimit(
    Math.max(1, Math.min(threads, Math.floor((memory.mostBytes - SMALL_BYTES) / PARTS_BYTES))),
  );
  const large = pLimit(1);
  const files: readonly [string, string] = [join(directory, 'part-1'), join(directory, 'part-2')];
  const inMemory = <Value>(put: Put<Value>) =>
    memory.lend(PARTS_BYTES, ({ bytes }) =>
      put([bytes.subarray(0, STREAM_PART_BYTES), bytes.subarray(STREAM_PART_BYTES)]),
    );
  const inFiles = <Value>(put: Put<Value>) =>
    put(files).finally(() => Promise.all(files.map((path) => rm(path, { force: true }))));
  return (sizeBytes, put) => {
    const isLarge = streamPartBytesFor(sizeBytes) > STREAM_PART_BYTES;
    return (isLarge ? large : small)(() => {
      signal.throwIfAborted();
      return isLarge ? inFiles(put) : inMemory(put);
    });
  };
}

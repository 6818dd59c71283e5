// zstd: which bytes it is worth for, and the streams that make and read them.
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { FileVanished } from '../../contracts/errors.ts';
import { isMissingFile } from '../durable-files.ts';

/** Below, a frame's own bytes and the time are more than is saved. */
const LEAST_BYTES = 512;
/** Taken at the beginning, in the middle and at the end. */
const SAMPLE_BYTES = 64 * 1024;
/** Of what is worth it, so much is left at most. */
const WORTH = 0.9;

/** What of so many bytes is left at most where they are stored compressed. */
export function worthBytes(plain: number): number {
  return plain < LEAST_BYTES ? 0 : Math.floor(plain * WORTH);
}

/** Whether samples of a file are worth it. @throws FileVanished */
export async function shrinks(path: string, sizeBytes: number): Promise<boolean> {
  const samples = Buffer.concat(await samplesOf(path, sizeBytes));
  const into = Buffer.allocUnsafeSlow(worthBytes(samples.length));
  return (await filled(into, compressed(Readable.from([samples]), samples.length))) !== undefined;
}

/** @returns those bytes of `into` that the stream had; undefined where it has more */
export async function filled(into: Buffer, stream: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  let length = 0;
  for await (const chunk of stream) {
    if (length + chunk.length > into.length) return undefined;
    length += chunk.copy(into, length);
  }
  return into.subarray(0, length);
}

async function samplesOf(path: string, sizeBytes: number): Promise<Buffer[]> {
  const file = await open(path).catch((error: unknown) => {
    throw isMissingFile(error) ? new FileVanished(`${path}: it is gone`) : error;
  });
  try {
    const last = Math.max(0, sizeBytes - SAMPLE_BYTES);
    return [await readAt(file, 0), await readAt(file, Math.floor(last / 2)), await readAt(file, last)];
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, at: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, at);
  return buffer.subarray(0, bytesRead);
}

/** One frame, which tells the size of the content. A failure of the source is one of the stream. */
export function compressed(plain: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncIterable<Buffer> {
  return pipeline(plain, createZstdCompress({ pledgedSrcSize: sizeBytes }), ignore);
}

/** Fails on what is no zstd, and on a frame that was cut. */
export function decompressed(stored: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  return pipeline(stored, createZstdDecompress(), ignore);
}

/** Whoever reads the stream gets its failure. */
const ignore = () => undefined;

/** What was read is no zstd, or not all of it. */
export function isOfZstd(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(ZSTD_|Z_)/.test(String(error.code));
}

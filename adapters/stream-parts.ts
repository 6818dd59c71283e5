// Cuts a stream into the parts that it is sent in, each kept whole until S3 has it, however often it is sent.
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { InsufficientSpace, UnexpectedError } from '../contracts/errors.ts';
import { pieces } from './pieces.ts';
import type { NewStream } from './ports.ts';

/** Written to a file at once; large parts are of whole MiB. */
const WRITE_BYTES = 1024 ** 2;

export interface StreamPart {
  /** Memory, or a file: of other bytes once the next part but one is asked for. */
  body: Buffer | string;
  sizeBytes: number;
  crc32: number;
  isLast: boolean;
}

/** @throws what the stream throws, InsufficientSpace */
export async function* partsOf({
  body,
  parts,
  partBytes,
}: Pick<NewStream, 'body' | 'parts' | 'partBytes'>): AsyncGenerator<StreamPart> {
  if (isInFiles(parts)) {
    yield* partsInFiles(body(), parts, partBytes);
    return;
  }
  for await (const { bytes, isLast } of pieces(body(), parts))
    yield { body: bytes, sizeBytes: bytes.length, crc32: crc32(bytes), isLast };
}

function isInFiles(parts: NewStream['parts']): parts is readonly [string, string] {
  return typeof parts[0] === 'string';
}

async function* partsInFiles(
  stream: AsyncIterable<Buffer>,
  paths: readonly [string, string],
  partBytes: number,
): AsyncGenerator<StreamPart> {
  const cut = pieces(stream, [Buffer.allocUnsafeSlow(Math.min(WRITE_BYTES, partBytes))]);
  for (let count = 0; ; count += 1) {
    const path = paths[count % paths.length] ?? paths[0];
    const part = { body: path, sizeBytes: 0, crc32: 0, isLast: false };
    const file = await open(path, 'w', 0o600);
    try {
      while (part.sizeBytes < partBytes && !part.isLast) {
        const { value } = await cut.next();
        if (!value) throw new UnexpectedError(`${path}: the stream has no last piece`);
        await append(file, path, value.bytes);
        part.crc32 = crc32(value.bytes, part.crc32);
        part.sizeBytes += value.bytes.length;
        part.isLast = value.isLast;
      }
    } finally {
      await file.close();
    }
    yield part;
    if (part.isLast) return;
  }
}

async function append(file: FileHandle, path: string, bytes: Buffer): Promise<void> {
  try {
    await file.appendFile(bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new InsufficientSpace(`${path}: no room for a part of a file that is encoded`, { cause: error });
    throw new UnexpectedError(`${path}: it cannot be written: ${error}`, { cause: error });
  }
}

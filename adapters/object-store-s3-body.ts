// Sending bytes of memory, or of a file, to S3: a file's are read anew for each attempt.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isThrottlingError, isTransientError, StandardRetryStrategy } from '@smithy/core/retry';
import { FileUnstable, FileVanished } from '../contracts/errors.ts';
import { isExisting, isOtherBytes, type SdkError } from './object-store-s3-errors.ts';
import type { NewObject } from './ports.ts';

const MOST_ATTEMPTS = 8;
/** Read from the disk at once. */
const READ_BYTES = 1024 ** 2;

/** The SDK sends a stream once; each attempt here reads the file anew, with the SDK's own waits between. */
export async function sendBody(object: NewObject, range: Range, send: Send): Promise<void> {
  const strategy = new StandardRetryStrategy(MOST_ATTEMPTS);
  let token = await strategy.acquireInitialRetryToken('');
  for (;;) {
    try {
      await sendOnce(object, range, send);
      object.onBytes?.(range.length);
      return;
    } catch (error) {
      if (isOtherBytes(error)) throw notWhatWasHashed(object, error);
      if (!(error instanceof Error) || isExisting(error)) throw error;
      const errorType = isThrottlingError(error as SdkError) ? 'THROTTLING' : 'TRANSIENT';
      if (errorType === 'TRANSIENT' && !isTransientError(error as SdkError)) throw error;
      token = await strategy
        .refreshRetryTokenForRetry(token, { error: error as SdkError, errorType })
        .catch(() => Promise.reject(error));
      await sleep(token.getRetryDelay());
    }
  }
}

interface Range {
  at: number;
  length: number;
}
type Send = (
  body: { Body: Readable | Uint8Array; ContentLength: number },
  options: { abortSignal: AbortSignal },
) => Promise<void>;

/** The SDK does not look at a body's failure: it ends the request here. */
async function sendOnce({ body, key, pace }: NewObject, { at, length }: Range, send: Send): Promise<void> {
  const failed = new AbortController();
  const options = { abortSignal: failed.signal };
  if (typeof body !== 'string') {
    await pace?.(length);
    return send({ Body: body, ContentLength: length }, options);
  }
  const Body = Readable.from(paced(bytesOf(body, at, length), pace), { objectMode: false });
  Body.on('error', (error) => failed.abort(error));
  try {
    await send({ Body, ContentLength: length }, options);
  } catch (error) {
    if (!failed.signal.aborted) throw error;
    const { reason } = failed.signal;
    throw isMissingFile(reason)
      ? new FileVanished(`${body}: it is gone, while it was sent as ${key}`)
      : reason;
  } finally {
    Body.destroy();
  }
}

async function* paced(chunks: AsyncIterable<Buffer>, pace: NewObject['pace']): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    await pace?.(chunk.length);
    yield chunk;
  }
}

async function* bytesOf(path: string, at: number, length: number): AsyncGenerator<Buffer> {
  let left = length;
  if (left === 0) return;
  for await (const chunk of createReadStream(path, {
    start: at,
    end: at + length - 1,
    highWaterMark: READ_BYTES,
  })) {
    left -= (chunk as Buffer).length;
    yield chunk as Buffer;
  }
  if (left > 0) throw new FileUnstable(`${path}: it ends ${left} bytes before the end that was hashed`);
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function notWhatWasHashed({ key, body, sizeBytes }: NewObject, cause: unknown): Error {
  const what = typeof body === 'string' ? body : key;
  return new FileUnstable(
    `${what}: its ${sizeBytes} bytes are not those that were hashed: S3 got others than their checksum says`,
    { cause },
  );
}

// Sending bytes of memory, or of a file, to S3: a file's are read anew for each attempt.
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isThrottlingError, isTransientError, StandardRetryStrategy } from '@smithy/core/retry';
import { FileUnstable } from '../contracts/errors.ts';
import { FilePart, PACED_BYTES, type Range } from './file-part.ts';
import { isCutShort, isExisting, isOtherBytes, type SdkError } from './object-store-s3-errors.ts';
import type { NewObject, SendingPace } from './ports.ts';

const MOST_ATTEMPTS = 8;

export type Body = Pick<NewObject, 'key' | 'body' | 'sizeBytes' | 'pace' | 'signal' | 'onBytes'>;

/** The SDK sends a stream once; each attempt here makes it anew, with the SDK's own waits between. */
export async function sendBody(object: Body, range: Range, send: Send): Promise<void> {
  if (typeof object.body !== 'string' && !object.pace?.isLimited())
    return sendMemory(object, object.body.subarray(range.at, range.at + range.length), send);
  const strategy = new StandardRetryStrategy(MOST_ATTEMPTS);
  let token = await strategy.acquireInitialRetryToken('');
  for (;;) {
    try {
      await sendOnce(object, range, send);
      object.onBytes?.(range.length);
      return;
    } catch (error) {
      object.signal?.throwIfAborted();
      if (isOtherBytes(error)) throw notWhatWasHashed(object, error);
      if (!(error instanceof Error) || isExisting(error)) throw error;
      const errorType = isThrottlingError(error as SdkError) ? 'THROTTLING' : 'TRANSIENT';
      const isTransient = isTransientError(error as SdkError) || isCutShort(error);
      if (errorType === 'TRANSIENT' && !isTransient) throw error;
      token = await strategy
        .refreshRetryTokenForRetry(token, { error: error as SdkError, errorType })
        .catch(() => Promise.reject(error));
      await sleep(token.getRetryDelay(), undefined, { signal: object.signal });
    }
  }
}

/** The SDK itself tries these again. */
async function sendMemory(object: Body, Body: Uint8Array, send: Send): Promise<void> {
  try {
    await send({ Body, ContentLength: Body.length }, { abortSignal: object.signal });
  } catch (error) {
    object.signal?.throwIfAborted();
    throw isOtherBytes(error) ? notWhatWasHashed(object, error) : error;
  }
  object.onBytes?.(Body.length);
}

type Send = (
  body: { Body: Readable | Uint8Array; ContentLength: number },
  options: { abortSignal?: AbortSignal | undefined },
) => Promise<void>;

/** The SDK does not look at a body's failure: it ends the request here. */
async function sendOnce({ body, pace, signal }: Body, { at, length }: Range, send: Send): Promise<void> {
  const failed = new AbortController();
  const options = { abortSignal: signal ? AbortSignal.any([failed.signal, signal]) : failed.signal };
  const Body =
    typeof body === 'string'
      ? new FilePart(body, { at, length }, pace)
      : Readable.from(paced(body, pace), { objectMode: false });
  Body.on('error', (error) => failed.abort(error));
  try {
    await send({ Body, ContentLength: length }, options);
  } catch (error) {
    throw failed.signal.aborted ? failed.signal.reason : error;
  } finally {
    Body.destroy();
  }
}

async function* paced(body: Uint8Array, pace: SendingPace | undefined): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += PACED_BYTES) {
    const slice = body.subarray(at, at + PACED_BYTES);
    if (pace?.isLimited()) await pace.take(slice.length);
    yield slice;
  }
}

function notWhatWasHashed({ key, body, sizeBytes }: Body, cause: unknown): Error {
  const what = typeof body === 'string' ? body : key;
  return new FileUnstable(
    `${what}: its ${sizeBytes} bytes are not those that were hashed: S3 got others than their checksum says`,
    { cause },
  );
}

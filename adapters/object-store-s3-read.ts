// Reading an S3 object as one stream that outlives connections: a broken one is continued where it broke.
import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { MAXIMUM_RETRY_DELAY, Retry } from '@smithy/core/retry';
import { VaultUnavailable } from '../contracts/errors.ts';
import { isBeyondEnd, isMissing, namedS3Error } from './object-store-s3-errors.ts';
import type { ByteRange, Clock, Random } from './ports.ts';

/** Connections that may break one after another without a byte in between. */
const MOST_BREAKS = 8;

interface Opened {
  output: Pick<GetObjectCommandOutput, 'Body' | 'ContentLength' | 'ETag'>;
  /** Of its first byte in the object. */
  start: number;
  /** The server's Date header. */
  servedAt: Date;
}

/** What a wait is made of. */
export interface Waiting {
  clock: Pick<Clock, 'sleep'>;
  random: Random;
}

const EMPTY = { ContentLength: 0 };

/** @param range at least one byte @throws VaultUnavailable, VaultDenied */
export async function openObject(
  client: S3Client,
  Bucket: string,
  Key: string,
  range?: ByteRange,
  abortSignal?: AbortSignal,
): Promise<Opened | undefined> {
  const Range = range && `bytes=${range.start}-${range.end - 1}`;
  const command = new GetObjectCommand({ Bucket, Key, Range });
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { headers?: Record<string, string> }).headers?.['date'];
      return result;
    },
    { step: 'deserialize', name: 'readDate' },
  );
  try {
    const output = await client.send(command, { abortSignal });
    return { output, start: range?.start ?? 0, servedAt: new Date(date ?? Number.NaN) };
  } catch (error) {
    abortSignal?.throwIfAborted();
    if (isMissing(error)) return undefined;
    // The object ends before the range begins.
    if (isBeyondEnd(error)) return { output: EMPTY, start: 0, servedAt: new Date(Number.NaN) };
    throw namedS3Error(error, 'GetObject', Key);
  }
}

export function bodyOf(opened: Opened, rest: Rest): Readable {
  return Readable.from(continued(opened, rest), { objectMode: false });
}

async function* continued({ output }: Opened, rest: Rest): AsyncGenerator<Buffer> {
  for (let body = output.Body as Readable | undefined; ; ) {
    let cause: unknown;
    try {
      for await (const chunk of body ?? []) {
        rest.received((chunk as Buffer).length);
        yield chunk as Buffer;
      }
    } catch (error) {
      cause = error;
    }
    if (rest.isWhole) return;
    body = await rest.open(cause);
  }
}

/** What of an opened object did not come yet. */
export class Rest {
  readonly #client: S3Client;
  readonly #object: { Bucket: string; Key: string };
  readonly #opened: Opened;
  readonly #size: number;
  readonly #waiting: Waiting;
  #done = 0;
  #breaks = 0;

  constructor(client: S3Client, object: { Bucket: string; Key: string }, opened: Opened, waiting: Waiting) {
    this.#waiting = waiting;
    this.#client = client;
    this.#object = object;
    this.#opened = opened;
    this.#size = opened.output.ContentLength ?? 0;
  }

  received(bytes: number): void {
    this.#done += bytes;
    this.#breaks = 0;
  }

  get isWhole(): boolean {
    return this.#done === this.#size;
  }

  /**
   * A connection to it, of the same object as before, after a wait as before other requests that are made again: S3 breaks many
   * connections at once.
   * @param cause what the connection before ended with, if not with its end
   * @throws VaultUnavailable, VaultDenied
   */
  async open(cause: unknown, abortSignal?: AbortSignal): Promise<Readable> {
    const { Key } = this.#object;
    if (this.#done > this.#size || this.#breaks >= MOST_BREAKS) {
      throw new VaultUnavailable(`GetObject ${Key}: got ${this.#done} of ${this.#size} bytes`, { cause });
    }
    const { clock, random } = this.#waiting;
    const longest = Math.min(Retry.delay() * 2 ** this.#breaks, MAXIMUM_RETRY_DELAY);
    await clock.sleep(random.next() * longest, abortSignal);
    this.#breaks += 1;
    const { output, start } = this.#opened;
    const Range = `bytes=${start + this.#done}-${start + this.#size - 1}`;
    const command = new GetObjectCommand({ ...this.#object, IfMatch: output.ETag, Range });
    const answer = await this.#client.send(command, { abortSignal }).catch((error: unknown) => {
      abortSignal?.throwIfAborted();
      throw namedS3Error(error, `GetObject ${Range}`, Key);
    });
    const body = answer.Body as Readable;
    const status = answer.$metadata.httpStatusCode;
    const got = answer.ContentRange;
    if (status === 206 && got?.startsWith(`${Range.replace('=', ' ')}/`)) return body;
    // Other bytes than those that are missing would be taken for them.
    body.destroy();
    throw new VaultUnavailable(
      `GetObject ${Range} ${Key}: got ${status} of ${got ?? 'no range'}, expected 206`,
    );
  }
}

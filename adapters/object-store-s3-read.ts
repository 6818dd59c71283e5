// Reading an S3 object as one stream that outlives connections: a broken one is continued where it broke.
import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { VaultUnavailable } from '../contracts/errors.ts';
import { isBeyondEnd, isMissing, namedS3Error } from './object-store-s3-errors.ts';
import type { ByteRange } from './ports.ts';

/** Connections that may break one after another without a byte in between. */
export const MOST_BREAKS = 8;

interface Opened {
  output: Pick<GetObjectCommandOutput, 'Body' | 'ContentLength' | 'ETag'>;
  /** Of its first byte in the object. */
  start: number;
  /** The server's Date header. */
  servedAt: Date;
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

export function bodyOf(client: S3Client, Bucket: string, Key: string, opened: Opened): Readable {
  return Readable.from(continued(client, Bucket, Key, opened), { objectMode: false });
}

async function* continued(
  client: S3Client,
  Bucket: string,
  Key: string,
  { output, start }: Opened,
): AsyncGenerator<Buffer> {
  const size = output.ContentLength ?? 0;
  let body = (output.Body as Readable | undefined) ?? Readable.from([]);
  let done = 0;
  for (let breaks = 0; ; breaks += 1) {
    let cause: unknown;
    try {
      for await (const chunk of body) {
        done += (chunk as Buffer).length;
        breaks = 0;
        yield chunk as Buffer;
      }
    } catch (error) {
      cause = error;
    }
    if (done === size) return;
    if (done > size || breaks >= MOST_BREAKS) {
      throw new VaultUnavailable(`GetObject ${Key}: got ${done} of ${size} bytes`, { cause });
    }
    body = await reopened(client, {
      Bucket,
      Key,
      IfMatch: output.ETag,
      Range: `bytes=${start + done}-${start + size - 1}`,
    });
  }
}

export async function reopened(
  client: S3Client,
  input: { Bucket: string; Key: string; IfMatch: string | undefined; Range: string },
  abortSignal?: AbortSignal,
): Promise<Readable> {
  try {
    return (await client.send(new GetObjectCommand(input), { abortSignal })).Body as Readable;
  } catch (error) {
    abortSignal?.throwIfAborted();
    throw namedS3Error(error, `GetObject ${input.Range}`, input.Key);
  }
}

// Receiving an S3 object, or a range of it, in memory that is used again. A connection that breaks is followed by another one,
// from where it broke.
import type { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { openObject, Rest, type Waiting } from './object-store-s3-read.ts';
import type { Receiver } from './ports.ts';
import { ConnectionBroken, type Take } from './receiving-connection.ts';
import { ReceivedBody, ReceivingHandler } from './receiving-handler.ts';

/** Talks to the same S3 as the client given, as the same caller. */
export function receivingClient(client: S3Client): S3Client {
  const { endpoint, credentials, region, forcePathStyle, maxAttempts, requestHandler } = client.config;
  return new S3Client({
    ...(endpoint && { endpoint }),
    ...{ credentials, region, forcePathStyle, maxAttempts },
    requestHandler: new ReceivingHandler(requestHandler),
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/** @returns whether there is such an object @throws VaultUnavailable, VaultDenied, what the receiver throws */
export async function receiveObject(
  client: S3Client,
  { Bucket, Key }: { Bucket: string; Key: string },
  { range, signal, begin, take }: Receiver,
  waiting: Waiting,
): Promise<boolean> {
  const opened = await openObject(client, Bucket, Key, range, signal);
  if (!opened) return false;
  let body = opened.output.Body as Readable | undefined;
  try {
    begin?.(opened.output.ContentLength ?? 0);
  } catch (error) {
    body?.destroy();
    throw error;
  }
  const rest = new Rest(client, { Bucket, Key }, opened, waiting);
  for (;;) {
    const cause = await receiveBody(body, (bytes) => {
      rest.received(bytes.length);
      return take(bytes);
    });
    if (rest.isWhole) return true;
    body = await rest.open(cause, signal);
  }
}

/** @returns why it ended before its end, where it did */
async function receiveBody(body: Readable | undefined, take: Take): Promise<ConnectionBroken | undefined> {
  try {
    if (body instanceof ReceivedBody) await body.receive(take);
    else for await (const chunk of unbroken(body)) await take(chunk);
    return undefined;
  } catch (error) {
    if (error instanceof ConnectionBroken) return error;
    throw error;
  }
}

/** @throws ConnectionBroken */
async function* unbroken(body: Readable | undefined): AsyncGenerator<Buffer> {
  const chunks = body?.[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks?.next().catch((cause: unknown) => {
      throw new ConnectionBroken('the body broke', { cause });
    });
    if (!next || next.done) return;
    yield next.value;
  }
}

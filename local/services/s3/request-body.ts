// The body of an S3 request as it goes on to the store: decoded, verified, whole where it is small.
import type { IncomingMessage } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { ServiceError } from '../../endpoint/service.ts';
import { AwsChunkedDecoder } from './aws-chunked.ts';
import { CheckedBody, canVerify, type Expectation } from './checked-body.ts';
import type { StoreRequest } from './store.ts';

/** Up to this size a body is read whole: a checksum that trails it can then be stored with the object. */
const WHOLE_UP_TO_BYTES = 1024 * 1024;
const UNSIGNED = new Set(['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']);

export interface PreparedBody {
  body: NonNullable<StoreRequest['body']>;
  /** Of a trailing checksum, as a header. */
  headers: Record<string, string>;
}

/** @throws ServiceError NotImplemented, MissingContentLength; while it is read: IncompleteBody, BadDigest, XAmzContentSHA256Mismatch */
export async function prepareBody(
  request: IncomingMessage,
  headers: Record<string, string>,
): Promise<PreparedBody> {
  const payloadHash = headers['x-amz-content-sha256'] ?? '';
  const { steps, expected, decoder } = stepsOf(headers, payloadHash);
  const last = new CheckedBody(expected);
  const stream: Readable[] = [request, ...steps, last];
  if (expected.sizeBytes > WHOLE_UP_TO_BYTES) {
    return { body: { stream, sizeBytes: expected.sizeBytes }, headers: {} };
  }
  const body = await readWhole(stream, last);
  const trailer = expected.trailer;
  const value = decoder === undefined ? undefined : trailer?.value();
  return { body, headers: trailer !== undefined && value !== undefined ? { [trailer.name]: value } : {} };
}

function stepsOf(headers: Record<string, string>, payloadHash: string) {
  if (payloadHash.startsWith('STREAMING-') && !UNSIGNED.has(payloadHash)) {
    throw new ServiceError(
      'NotImplemented',
      `Ringvault's local cloud does not implement ${payloadHash}.`,
      501,
    );
  }
  const chunked = payloadHash.startsWith('STREAMING-');
  const sizeBytes = Number(
    headers[chunked ? 'x-amz-decoded-content-length' : 'content-length'] ?? Number.NaN,
  );
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new ServiceError('MissingContentLength', 'You must provide the Content-Length HTTP header.', 411);
  }
  const expected: Expectation = { sizeBytes };
  if (!UNSIGNED.has(payloadHash)) expected.signedSha256 = payloadHash;
  const steps: Transform[] = [];
  let decoder: AwsChunkedDecoder | undefined;
  if (chunked) {
    decoder = new AwsChunkedDecoder();
    steps.push(decoder);
    const { trailers } = decoder;
    const name = headers['x-amz-trailer']?.toLowerCase();
    if (name !== undefined) expected.trailer = { name, value: () => trailers[name] };
    // A large body goes on as it comes: a checksum after it that nobody could check would be stored by nobody, either.
    if (name !== undefined && sizeBytes > WHOLE_UP_TO_BYTES && !canVerify(name)) {
      throw new ServiceError(
        'NotImplemented',
        `Ringvault's local cloud does not verify ${name} after a body.`,
        501,
      );
    }
  }
  return { steps, expected, decoder };
}

async function readWhole(stream: Readable[], last: Readable): Promise<Buffer> {
  const [body] = await Promise.all([buffer(last), pipeline(stream)]);
  return body;
}

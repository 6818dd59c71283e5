// Which headers go on to the store and back, and which are refused because they ask for what is not there.
import { LOCAL_ACCOUNT, ServiceError } from '../../endpoint/service.ts';

/** The store makes its own, or they say how this request alone was sent. */
const notForwarded = new Set([
  'host',
  'connection',
  'authorization',
  'expect',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'user-agent',
  'accept-encoding',
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-trailer',
  'x-amz-user-agent',
  'x-amz-expected-bucket-owner',
  'x-amz-source-expected-bucket-owner',
  'x-amz-request-payer',
  // encryption.ts has them.
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-bucket-key-enabled',
]);
const refused =
  /^x-amz-(tagging|object-lock-.*|grant-.*|website-redirect-location|server-side-encryption-customer-.*|mfa|write-offset-bytes|object-ownership|bucket-object-lock-enabled)$/;
/** These say what is true of every object here. */
const meaninglessAcls = new Set(['private', 'bucket-owner-full-control']);

const notReturned = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'date',
  'server',
  'x-amz-request-id',
]);

/** @throws ServiceError NotImplemented, AccessDenied */
export function forwardedHeaders(headers: Record<string, string>): Record<string, string> {
  const owner = headers['x-amz-expected-bucket-owner'];
  if (owner !== undefined && owner !== LOCAL_ACCOUNT) {
    throw new ServiceError('AccessDenied', `The bucket's owner is ${LOCAL_ACCOUNT}, expected ${owner}.`, 403);
  }
  const forwarded: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (refused.test(name) || (name === 'x-amz-acl' && !meaninglessAcls.has(value))) {
      throw new ServiceError(
        'NotImplemented',
        `Ringvault's local cloud does not implement ${name}: ${value}.`,
        501,
      );
    }
    if (notForwarded.has(name) || name === 'x-amz-acl') continue;
    const kept = name === 'content-encoding' ? withoutChunking(value) : value;
    if (kept !== '') forwarded[name] = kept;
  }
  return forwarded;
}

export function returnedHeaders(
  headers: Record<string, string | string[] | undefined>,
): Record<string, string> {
  const returned: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !notReturned.has(name)) returned[name] = [value].flat().join(',');
  }
  return returned;
}

function withoutChunking(contentEncoding: string): string {
  return contentEncoding
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== 'aws-chunked')
    .join(',');
}

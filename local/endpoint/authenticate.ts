// Verifies who signed a request. Signatures in the Authorization header only: presigned URLs are refused by name.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { CredentialRegistry } from './identities.ts';
import { type Caller, ServiceError } from './service.ts';
import { ALGORITHM, type CredentialScope, signatureOf, splitTarget } from './sigv4.ts';

const MAX_SKEW_MS = 15 * 60_000;

/** What the Authorization header says, unverified. */
export interface Claim {
  accessKeyId: string;
  scope: CredentialScope;
  signedHeaders: string[];
  signature: string;
}

/** @throws ServiceError MissingAuthenticationTokenException, IncompleteSignatureException, NotImplemented */
export function readClaim(request: IncomingMessage): Claim {
  const header = request.headers.authorization;
  if (header === undefined) {
    if (/[?&]X-Amz-Signature=/i.test(request.url ?? '')) {
      throw new ServiceError('NotImplemented', 'The local endpoint takes no presigned URLs.', 501);
    }
    throw new ServiceError('MissingAuthenticationTokenException', 'The request is not signed.', 403);
  }
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (match === null) {
    throw new ServiceError(
      'IncompleteSignatureException',
      `Authorization: expected "${ALGORITHM} Credential=…, SignedHeaders=…, Signature=…"`,
      403,
    );
  }
  const [, accessKeyId = '', day = '', region = '', service = '', signedHeaders = '', signature = ''] = match;
  return { accessKeyId, scope: { day, region, service }, signedHeaders: signedHeaders.split(';'), signature };
}

/**
 * Checks the signature over method, target, headers and the payload hash that the caller declares; that the body has this
 * hash is checked where the body is read.
 * @throws ServiceError UnrecognizedClientException, InvalidSignatureException, RequestExpired, …
 */
export function authenticate(
  request: IncomingMessage,
  claim: Claim,
  payloadHash: string,
  identities: CredentialRegistry,
  now: Date,
): Caller {
  const headers = plainHeaders(request);
  const { caller, secretAccessKey } = identities.find(
    claim.accessKeyId,
    headers['x-amz-security-token'] ?? '',
    now,
  );
  const date = headers['x-amz-date'] ?? '';
  checkDate(date, claim, now);
  for (const required of ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))]) {
    // SDKs leave x-amz-user-agent unsigned; every other header that changes what is done must be signed.
    if (required === 'x-amz-user-agent' || claim.signedHeaders.includes(required)) continue;
    throw mismatch(`the header ${required} is not signed`);
  }
  const target = request.url ?? '/';
  const expected = signatureOf(
    {
      method: request.method ?? 'GET',
      target: splitTarget(target).path === '' ? `/${target}` : target,
      headers,
      signedHeaders: claim.signedHeaders,
      payloadHash,
      date,
      scope: claim.scope,
    },
    secretAccessKey,
  );
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(claim.signature))) {
    throw mismatch('the signature does not match the request');
  }
  return caller;
}

/** Repeated headers joined as they are signed. */
export function plainHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    headers[name] = (values ?? []).join(',');
  }
  return headers;
}

function checkDate(date: string, claim: Claim, now: Date): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (match === null || !date.startsWith(claim.scope.day)) {
    throw new ServiceError(
      'IncompleteSignatureException',
      `x-amz-date: got "${date}", expected the time of the credential scope`,
      403,
    );
  }
  const [, year, month, day, hour, minute, second] = match;
  const signedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Math.abs(now.getTime() - signedAt) > MAX_SKEW_MS) {
    throw new ServiceError('RequestExpired', `x-amz-date ${date} is more than 15 minutes off`, 403);
  }
}

function mismatch(why: string): ServiceError {
  return new ServiceError('InvalidSignatureException', `The request signature is not right: ${why}.`, 403);
}

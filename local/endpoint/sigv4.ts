// Signature Version 4: what a request's signature must be. Used to verify callers and to sign towards s3proxy.
// Source: "Create a signed AWS API request", IAM User Guide.
import { createHash, createHmac } from 'node:crypto';

export const ALGORITHM = 'AWS4-HMAC-SHA256';

export interface SignableRequest {
  method: string;
  /** As on the wire: encoded path, then `?` and the query where there is one. */
  target: string;
  /** By lower-case names. */
  headers: Record<string, string>;
  signedHeaders: string[];
  /** Hex SHA-256 of the body, or one of the words that stand for it (`UNSIGNED-PAYLOAD`). */
  payloadHash: string;
  /** `20260102T030405Z`. */
  date: string;
  scope: CredentialScope;
}
export interface CredentialScope {
  day: string;
  region: string;
  service: string;
}

export function sha256Hex(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

export function signatureOf(request: SignableRequest, secretAccessKey: string): string {
  const { day, region, service } = request.scope;
  const stringToSign = [
    ALGORITHM,
    request.date,
    `${day}/${region}/${service}/aws4_request`,
    sha256Hex(canonicalRequest(request)),
  ].join('\n');
  let key: Buffer | string = `AWS4${secretAccessKey}`;
  for (const part of [day, region, service, 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return createHmac('sha256', key).update(stringToSign).digest('hex');
}

/** The Authorization header's value for a signature. */
export function authorizationHeader(
  accessKeyId: string,
  request: SignableRequest,
  signature: string,
): string {
  const { day, region, service } = request.scope;
  return `${ALGORITHM} Credential=${accessKeyId}/${day}/${region}/${service}/aws4_request, SignedHeaders=${request.signedHeaders.join(';')}, Signature=${signature}`;
}

/** `2026-01-02T03:04:05.678Z` → `20260102T030405Z`. */
export function signingDate(date: Date): string {
  return date.toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

function canonicalRequest(request: SignableRequest): string {
  const { path, query } = splitTarget(request.target);
  // S3 signs the path as it is encoded on the wire; every other service encodes it once more.
  const canonicalPath = request.scope.service === 's3' ? path : path.split('/').map(encodeRfc3986).join('/');
  const headers = request.signedHeaders.map(
    (name) => `${name}:${(request.headers[name] ?? '').trim().replaceAll(/\s+/g, ' ')}\n`,
  );
  return [
    request.method,
    canonicalPath,
    canonicalQuery(query),
    headers.join(''),
    request.signedHeaders.join(';'),
    request.payloadHash,
  ].join('\n');
}

export function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark < 0
    ? { path: target, query: '' }
    : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', value = ''] = splitOnce(part, '=');
      return `${encodeRfc3986(decodeURIComponent(name))}=${encodeRfc3986(decodeURIComponent(value))}`;
    })
    .sort()
    .join('&');
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** As signatures and S3 encode a path's segment. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

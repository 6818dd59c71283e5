// What S3's answers mean, by our names.
import type { isTransientError } from '@smithy/core/retry';
import { EncryptionKeyDenied, UnknownVault, VaultDenied, VaultUnavailable } from '../contracts/errors.ts';
import { nameOf } from './aws-call.ts';

/** What the SDK's own classification of errors takes. */
export type SdkError = Parameters<typeof isTransientError>[0];

interface Answered {
  name: string;
  $metadata?: { httpStatusCode?: number };
}

function statusOf(error: unknown): number | undefined {
  return (error as Partial<Answered>)?.$metadata?.httpStatusCode;
}

/** No such key; a missing bucket is a failure. */
export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && ['NoSuchKey', 'NotFound'].includes(nameOf(error));
}

/** The range begins after the object's end. */
export function isBeyondEnd(error: unknown): boolean {
  return statusOf(error) === 416;
}

/** `If-None-Match: *` met an object. */
export function isExisting(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** Another conditional writer was at work at the same moment. */
function isConflict(error: unknown): boolean {
  return statusOf(error) === 409;
}

/** There was a conflict, or an answer was lost after the upload was completed: look again. */
export function mustTryAgain(error: unknown): boolean {
  return isConflict(error) || isUploadGone(error);
}

/** What arrived was not what its checksum said. */
export function isOtherBytes(error: unknown): boolean {
  return ['BadDigest', 'XAmzContentChecksumMismatch'].includes(nameOf(error));
}

/** The connection ended before the body did. */
export function isCutShort(error: unknown): boolean {
  return nameOf(error) === 'IncompleteBody';
}

/** There is nothing to go on with: it is refused for good, the object is there, or S3 wants it begun anew after a conflict. */
export function isOver(error: unknown): boolean {
  return isRefusedForGood(error) || isExisting(error) || isConflict(error);
}

/**
 * S3 will never take this upload, whoever asks, and whenever. Of other refusals with 400, such as ExpiredToken, RequestTimeout and
 * those of KMS, the reason passes, and the parts that were sent are good.
 */
function isRefusedForGood(error: unknown): boolean {
  return isOtherBytes(error) || REFUSED_FOR_GOOD.includes(nameOf(error));
}

const REFUSED_FOR_GOOD = [
  ...['InvalidPart', 'InvalidPartOrder', 'InvalidPartNumber', 'EntityTooSmall', 'EntityTooLarge'],
  // It was begun, or is sent, with what S3 does not take: the same again is refused again.
  ...['InvalidArgument', 'InvalidDigest', 'InvalidRequest', 'MalformedXML'],
];

export function isUploadGone(error: unknown): boolean {
  return nameOf(error) === 'NoSuchUpload';
}

/** A refusal without a body, which would say why. */
export function isUnexplained(error: unknown): boolean {
  return statusOf(error) === 400;
}

/** S3 could not use the KMS key that an object is, or is to be, encrypted with. */
function isOfKms(error: unknown): boolean {
  const isDenied =
    nameOf(error) === 'AccessDenied' && /\bkms:|customer master key|KMS key/i.test((error as Error).message);
  return isDenied || nameOf(error).startsWith('KMS.');
}

/** Of a bucket that is in another region, or nowhere. */
const NOT_THERE = [
  'NoSuchBucket',
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
];

/** @param key the key, or prefix, that was asked for */
export function namedS3Error(error: unknown, operation: string, key: string): Error {
  const status = statusOf(error);
  const said = `${nameOf(error)}${error instanceof Error ? `: ${error.message}` : ''}`;
  if (nameOf(error) === 'RequestTimeTooSkewed') {
    return new VaultDenied(
      `${operation} ${key}: got ${said}: this host's clock is more than 15 minutes off; set it (chrony, systemd-timesyncd)`,
      { cause: error },
    );
  }
  if (NOT_THERE.includes(nameOf(error)) || status === 301) {
    return new UnknownVault(`${operation} ${key}: got ${said}`, { cause: error });
  }
  if (isOfKms(error)) return new EncryptionKeyDenied(`${operation} ${key}: got ${said}`, { cause: error });
  if (status === 403) {
    const missing = operation === 'HeadObject' || operation === 'GetObject';
    const remark = missing ? ' (S3 also says so of an object that is missing, to who may not list)' : '';
    return new VaultDenied(`${operation} ${key}: got ${said}${remark}`, { cause: error });
  }
  return new VaultUnavailable(`${operation} ${key}: got ${status ? `${status} ` : ''}${said}`, {
    cause: error,
  });
}

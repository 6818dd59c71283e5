// Encryption with KMS keys, as far as its rights go: who may not use the key neither stores nor reads. The bytes lie plain on
// the disk; which key they count as encrypted with is kept in the store, in metadata that callers do not see.
import { type CallContext, LOCAL_REGION, ServiceError } from '../../endpoint/service.ts';
import type { Keys } from '../kms/keys.ts';
import { kmsConditions } from '../kms/kms.ts';
import type { S3Request } from './operations.ts';

const ALGORITHM = 'x-amz-server-side-encryption';
const KEY = 'x-amz-server-side-encryption-aws-kms-key-id';
const KEPT_AS = 'x-amz-meta-ringvault-local-kms-key';
const WRITES = ['PutObject', 'CreateMultipartUpload'];

type Headers = Record<string, string>;

/** @returns headers for the store @throws ServiceError AccessDenied NotImplemented KMS.DisabledException KMS.NotFoundException */
export function encryptionToStore(
  keys: Keys,
  request: S3Request,
  headers: Headers,
  context: CallContext,
): Headers {
  const algorithm = headers[ALGORITHM];
  if (algorithm === undefined || algorithm === 'AES256' || !WRITES.includes(request.operation)) return {};
  const named = headers[KEY];
  if (algorithm !== 'aws:kms' || named === undefined) {
    throw new ServiceError(
      'NotImplemented',
      `${ALGORITHM}: ${algorithm} without a key is not implemented.`,
      501,
    );
  }
  const arn = usableKey(keys, named);
  authorize('kms:GenerateDataKey', arn, request, context);
  return { [KEPT_AS]: arn };
}

/**
 * @param headers those that the caller sent, those that the store was sent for it, and those that the store returned
 * @returns the headers for the caller @throws ServiceError AccessDenied KMS.DisabledException
 */
export function toldOfStored(
  keys: Keys,
  request: S3Request,
  headers: { sent: Headers; forwarded: Headers; returned: Headers },
  context: CallContext,
): Headers {
  const { sent, forwarded, returned } = headers;
  const { [KEPT_AS]: arn = forwarded[KEPT_AS], ...told } = returned;
  if (arn === undefined) return told;
  // Of what is encrypted, S3 decrypts the checksum, too.
  if (request.operation === 'GetObject' || sent['x-amz-checksum-mode'] !== undefined) {
    authorize('kms:Decrypt', usableKey(keys, arn), request, context);
  }
  return { ...told, [ALGORITHM]: 'aws:kms', [KEY]: arn };
}

/** The key, as S3 tells of it. */
function usableKey(keys: Keys, named: string): string {
  try {
    const { arn, isEnabled } = keys.get(named);
    if (isEnabled) return arn;
  } catch (error) {
    throw new ServiceError('KMS.NotFoundException', (error as Error).message);
  }
  throw new ServiceError('KMS.DisabledException', `${named} is disabled.`);
}

function authorize(action: string, arn: string, { bucket }: S3Request, context: CallContext): void {
  const encryptionContext = { 'aws:s3:arn': `arn:aws:s3:::${bucket}` };
  context.authorize(action, arn, kmsConditions(encryptionContext, `s3.${LOCAL_REGION}.amazonaws.com`));
}

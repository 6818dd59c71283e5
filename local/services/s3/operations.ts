// Which S3 operation a request is, and which permissions it needs.
// Source: "Required permissions for Amazon S3 API operations", Amazon S3 User Guide.
import type { IncomingMessage } from 'node:http';
import { type ConditionContext, ServiceError } from '../../endpoint/service.ts';
import { encodeRfc3986, splitTarget } from '../../endpoint/sigv4.ts';

export interface S3Request {
  /** The API's name: PutObject, ListObjectsV2, … */
  operation: string;
  /** Empty for ListBuckets. */
  bucket: string;
  /** Decoded; empty where the request is about the bucket. */
  key: string;
  query: URLSearchParams;
}

/** Sub-resources and their operations, by `METHOD scope?subresource`. */
const named: Record<string, string> = {
  'GET bucket?uploads': 'ListMultipartUploads',
  'GET bucket?location': 'GetBucketLocation',
  'POST bucket?delete': 'DeleteObjects',
  'POST object?uploads': 'CreateMultipartUpload',
  'POST object?uploadId': 'CompleteMultipartUpload',
  'PUT object?uploadId': 'UploadPart',
  'GET object?uploadId': 'ListParts',
  'DELETE object?uploadId': 'AbortMultipartUpload',
};
const plain: Record<string, string> = {
  'GET service': 'ListBuckets',
  'PUT bucket': 'CreateBucket',
  'HEAD bucket': 'HeadBucket',
  'DELETE bucket': 'DeleteBucket',
  'GET bucket': 'ListObjects',
  'GET object': 'GetObject',
  'HEAD object': 'HeadObject',
  'PUT object': 'PutObject',
  'DELETE object': 'DeleteObject',
};
/** Settings of a bucket that are recorded: sub-resource → the name in the operation and in the action. */
export const recordedSettings = new Map([
  ['versioning', { operation: 'BucketVersioning', action: 'BucketVersioning' }],
  ['lifecycle', { operation: 'BucketLifecycleConfiguration', action: 'LifecycleConfiguration' }],
  ['encryption', { operation: 'BucketEncryption', action: 'EncryptionConfiguration' }],
  ['publicAccessBlock', { operation: 'PublicAccessBlock', action: 'BucketPublicAccessBlock' }],
  ['ownershipControls', { operation: 'BucketOwnershipControls', action: 'BucketOwnershipControls' }],
  ['tagging', { operation: 'BucketTagging', action: 'BucketTagging' }],
  ['policy', { operation: 'BucketPolicy', action: 'BucketPolicy' }],
]);

/** Parameters that do not change which operation it is. */
const parameters = new Set([
  'x-id',
  'list-type',
  'prefix',
  'delimiter',
  'marker',
  'max-keys',
  'continuation-token',
  'start-after',
  'encoding-type',
  'fetch-owner',
  'partNumber',
  'key-marker',
  'upload-id-marker',
  'max-uploads',
  'part-number-marker',
  'max-parts',
  'max-buckets',
]);

/** @throws ServiceError NotImplemented for any sub-resource that is not served */
export function readRequest(request: IncomingMessage): S3Request {
  const { path, query: queryText } = splitTarget(request.url ?? '/');
  const [, bucket = '', ...rest] = path.split('/');
  const key = readKey(rest.join('/'));
  if (bucket !== '' && !/^[a-z0-9][a-z0-9.-]{2,62}$/.test(bucket)) {
    throw new ServiceError('InvalidBucketName', 'The specified bucket is not valid.');
  }
  const query = new URLSearchParams(queryText);
  const scope = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  const method = request.method ?? 'GET';
  const subresources = [...query.keys()].filter((name) => !parameters.has(name));
  const operation = nameOperation(method, scope, subresources, query);
  if (operation === undefined) {
    const what = `${method} of a ${scope}${subresources.length === 0 ? '' : ` with ?${subresources.join('&')}`}`;
    throw new ServiceError('NotImplemented', `Ringvault's local cloud does not implement ${what}.`, 501);
  }
  return { operation: withCopy(operation, request), bucket, key, query };
}

/**
 * A key that the store would keep under another name, or not at all, must not pass as the one that was authorised.
 * @throws ServiceError InvalidURI, NotImplemented
 */
function readKey(encoded: string): string {
  let key: string;
  try {
    key = decodeURIComponent(encoded);
  } catch {
    throw new ServiceError('InvalidURI', "Couldn't parse the specified URI.");
  }
  const segments = key.split('/');
  const strange = segments.find(
    (each) =>
      (each === '' && segments.length > 1) || each === '.' || each === '..' || Buffer.byteLength(each) > 255,
  );
  if (strange === undefined) return key;
  throw new ServiceError(
    'NotImplemented',
    `Ringvault's local cloud keeps no key with the segment "${strange}": ${key}`,
    501,
  );
}

/** The target under which the store is asked: exactly what was authorised. */
export function storeTarget(bucket: string, key: string, query = ''): string {
  const path = [bucket, ...key.split('/')].map(encodeRfc3986).join('/');
  return `/${key === '' ? bucket : path}${query === '' ? '' : `?${query}`}`;
}

function nameOperation(
  method: string,
  scope: string,
  subresources: string[],
  query: URLSearchParams,
): string | undefined {
  const [subresource] = subresources;
  if (subresource === undefined) {
    const name = plain[`${method} ${scope}`];
    return name === 'ListObjects' && query.get('list-type') === '2' ? 'ListObjectsV2' : name;
  }
  if (subresources.length > 1) return undefined;
  const setting = scope === 'bucket' ? recordedSettings.get(subresource) : undefined;
  if (setting === undefined) return named[`${method} ${scope}?${subresource}`];
  const verb = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' }[method];
  return verb === undefined ? undefined : `${verb}${setting.operation}`;
}

function withCopy(operation: string, request: IncomingMessage): string {
  if (request.headers['x-amz-copy-source'] === undefined) return operation;
  return { PutObject: 'CopyObject', UploadPart: 'UploadPartCopy' }[operation] ?? operation;
}

const actions: Record<string, string> = {
  ListBuckets: 'ListAllMyBuckets',
  HeadBucket: 'ListBucket',
  ListObjects: 'ListBucket',
  ListObjectsV2: 'ListBucket',
  ListMultipartUploads: 'ListBucketMultipartUploads',
  HeadObject: 'GetObject',
  CreateMultipartUpload: 'PutObject',
  UploadPart: 'PutObject',
  UploadPartCopy: 'PutObject',
  CompleteMultipartUpload: 'PutObject',
  CopyObject: 'PutObject',
  ListParts: 'ListMultipartUploadParts',
  DeleteObjects: 'DeleteObject',
};

export function actionOf(request: S3Request): string {
  const [subresource] = [...request.query.keys()].filter((name) => recordedSettings.has(name));
  const setting = request.key === '' ? recordedSettings.get(subresource ?? '') : undefined;
  if (setting === undefined) return `s3:${actions[request.operation] ?? request.operation}`;
  // But for the policy, removing a setting needs the permission to put it.
  const removal = setting.action === 'BucketPolicy' ? 'Delete' : 'Put';
  const verb = request.operation.startsWith('Get')
    ? 'Get'
    : request.operation.startsWith('Put')
      ? 'Put'
      : removal;
  return `s3:${verb}${setting.action}`;
}

export function resourceOf(request: S3Request): string {
  if (request.bucket === '') return '*';
  return request.key === ''
    ? `arn:aws:s3:::${request.bucket}`
    : `arn:aws:s3:::${request.bucket}/${request.key}`;
}

const creations = new Set(['PutObject', 'CopyObject', 'CompleteMultipartUpload']);
const headerKeys = ['if-none-match', 'if-match'];
const listKeys = ['prefix', 'delimiter', 'max-keys'];

/** Condition keys of S3 that follow from the request. */
export function conditionsOf(request: S3Request, headers: Record<string, string>): ConditionContext {
  const conditions: ConditionContext = {
    's3:signatureversion': 'AWS4-HMAC-SHA256',
    's3:authtype': 'REST-HEADER',
  };
  for (const [name, value] of Object.entries(headers)) {
    if (headerKeys.includes(name) || name.startsWith('x-amz-')) conditions[`s3:${name}`] = value;
  }
  if (actionOf(request) === 's3:PutObject') {
    conditions['s3:objectcreationoperation'] = String(creations.has(request.operation));
  }
  if (request.operation.startsWith('ListObjects')) {
    for (const name of listKeys) {
      const value = request.query.get(name);
      if (value !== null) conditions[`s3:${name}`] = value;
    }
  }
  return conditions;
}

/** `x-amz-copy-source`: `bucket/key`, encoded, with or without a slash before. @throws ServiceError NotImplemented for a version */
export function copySourceArn(headers: Record<string, string>): string {
  const [path = '', version] = (headers['x-amz-copy-source'] ?? '').split('?');
  if (version !== undefined) {
    throw new ServiceError('NotImplemented', "Ringvault's local cloud keeps no object versions.", 501);
  }
  const [bucket, ...key] = path.replace(/^\//, '').split('/');
  return `arn:aws:s3:::${bucket}/${readKey(key.join('/'))}`;
}

// S3: authorises each request by identity and bucket policy, keeps the settings that s3proxy lacks, streams the rest to it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { plainHeaders } from '../../endpoint/authenticate.ts';
import type { PolicyAuthorizer } from '../../endpoint/authorize/policy-authorizer.ts';
import { readPolicy } from '../../endpoint/authorize/policy-document.ts';
import {
  LOCAL_REGION,
  type RawContext,
  type RawService,
  RestAnswer,
  ServiceError,
} from '../../endpoint/service.ts';
import { splitTarget } from '../../endpoint/sigv4.ts';
import type { Keys } from '../kms/keys.ts';
import { type BucketSettings, errorXml, xmlDocument } from './bucket-settings.ts';
import { deleteObjects } from './delete-objects.ts';
import { encryptionToStore, toldOfStored } from './encryption.ts';
import { forwardedHeaders, returnedHeaders } from './headers.ts';
import {
  actionOf,
  conditionsOf,
  copySourceArn,
  readRequest,
  recordedSettings,
  resourceOf,
  type S3Request,
  storeTarget,
} from './operations.ts';
import { prepareBody } from './request-body.ts';
import type { Store } from './store.ts';

const XML = { 'content-type': 'application/xml' };
const MAX_SETTING_BYTES = 256 * 1024;

/** One request on its way through. */
interface Exchange {
  s3: S3Request;
  request: IncomingMessage;
  response: ServerResponse;
  headers: Record<string, string>;
  context: RawContext;
}

export class S3Service implements RawService {
  readonly protocol = 'raw';
  readonly signingName = 's3';
  readonly body = 'streamed';
  readonly #store: Store;
  readonly #settings: BucketSettings;
  readonly #authorizer: PolicyAuthorizer;
  readonly #keys: Keys;

  constructor(store: Store, settings: BucketSettings, authorizer: PolicyAuthorizer, keys: Keys) {
    this.#store = store;
    this.#keys = keys;
    this.#settings = settings;
    this.#authorizer = authorizer;
  }

  describe(request: IncomingMessage): { action: string; resource: string } {
    const s3 = readRequest(request);
    return { action: actionOf(s3), resource: resourceOf(s3) };
  }

  async handle(request: IncomingMessage, response: ServerResponse, context: RawContext): Promise<void> {
    const s3 = readRequest(request);
    const headers = plainHeaders(request);
    const exchange: Exchange = { s3, request, response, headers, context };
    if (s3.operation === 'DeleteObjects') return this.#deleteObjects(exchange);
    context.authorize(actionOf(s3), resourceOf(s3), conditionsOf(s3, headers));
    const setting =
      s3.key === '' ? [...s3.query.keys()].find((name) => recordedSettings.has(name)) : undefined;
    if (setting !== undefined) return this.#setting(setting, exchange);
    if (s3.operation === 'GetBucketLocation') {
      await this.#mustExist(s3.bucket);
      return answer(response, 200, xmlDocument('LocationConstraint', LOCAL_REGION));
    }
    if (s3.operation === 'CopyObject' || s3.operation === 'UploadPartCopy') this.#authorizeCopy(exchange);
    await this.#forward(exchange);
  }

  refuse(request: IncomingMessage, error: ServiceError): RestAnswer {
    const { code, statusCode } = s3Error(error);
    const body = request.method === 'HEAD' ? '' : errorXml(code, error.message);
    return new RestAnswer(statusCode, XML, body);
  }

  /** Enforces the policies that were put before this start. */
  async loadPolicies(): Promise<void> {
    for (const [bucket, document] of await this.#settings.policies()) {
      this.#authorizer.putBucketPolicy(bucket, JSON.parse(document));
    }
  }

  async #forward({ s3, request, response, headers, context }: Exchange): Promise<void> {
    const forwarded = {
      ...forwardedHeaders(headers),
      ...encryptionToStore(this.#keys, s3, headers, context),
    };
    const hasBody = request.method === 'PUT' || request.method === 'POST';
    const prepared = hasBody ? await prepareBody(request, headers) : undefined;
    const stored = await this.#store.send({
      method: request.method ?? 'GET',
      target: storeTarget(s3.bucket, s3.key, splitTarget(request.url ?? '').query),
      headers: { ...forwarded, ...prepared?.headers },
      ...(prepared === undefined ? {} : { body: prepared.body }),
    });
    if (stored.statusCode === 404 && (s3.operation === 'GetObject' || s3.operation === 'HeadObject')) {
      try {
        // Who may not list must not learn what is not there.
        context.authorize('s3:ListBucket', `arn:aws:s3:::${s3.bucket}`);
      } catch (error) {
        stored.resume();
        throw error;
      }
    }
    const returned = returnedHeaders(stored.headers);
    let told: Record<string, string>;
    try {
      told = toldOfStored(this.#keys, s3, { sent: headers, forwarded, returned }, context);
    } catch (error) {
      stored.destroy();
      throw error;
    }
    if (s3.operation === 'DeleteBucket' && stored.statusCode === 204) await this.#forget(s3.bucket);
    if (!request.complete) response.setHeader('connection', 'close');
    response.writeHead(stored.statusCode ?? 500, told);
    await pipeline(stored, response);
  }

  #authorizeCopy({ headers, context }: Exchange): void {
    if (headers['if-none-match'] !== undefined) {
      // The store ignores it: an object could be overwritten.
      throw new ServiceError('NotImplemented', 'A copy with If-None-Match is not implemented.', 501);
    }
    context.authorize('s3:GetObject', copySourceArn(headers));
  }

  async #deleteObjects({ s3, request, response, headers, context }: Exchange): Promise<void> {
    const { body } = await prepareBody(request, headers);
    if (!Buffer.isBuffer(body)) throw new ServiceError('MalformedXML', 'The body is too long.');
    const mayDelete = (key: string) =>
      context.authorize('s3:DeleteObject', `arn:aws:s3:::${s3.bucket}/${key}`, conditionsOf(s3, headers));
    answer(response, 200, await deleteObjects(this.#store, s3.bucket, body.toString('utf8'), mayDelete));
  }

  async #setting(name: string, { s3, request, response, headers }: Exchange): Promise<void> {
    await this.#mustExist(s3.bucket);
    if (request.method === 'GET') {
      const value = await this.#settings.get(s3.bucket, name);
      return answer(response, 200, value, name === 'policy' ? 'application/json' : undefined);
    }
    if (request.method === 'DELETE') {
      await this.#settings.remove(s3.bucket, name);
      if (name === 'policy') this.#authorizer.removeBucketPolicy(s3.bucket);
      return answer(response, 204, '');
    }
    const { body } = await prepareBody(request, headers);
    if (!Buffer.isBuffer(body) || body.length > MAX_SETTING_BYTES) {
      throw new ServiceError('MalformedXML', 'The body is too long.');
    }
    await this.#putSetting(s3.bucket, name, body.toString('utf8'));
    answer(response, name === 'policy' ? 204 : 200, '');
  }

  async #putSetting(bucket: string, name: string, value: string): Promise<void> {
    if (name === 'policy') {
      const document = parsePolicy(bucket, value);
      await this.#settings.put(bucket, name, value);
      this.#authorizer.putBucketPolicy(bucket, document);
      return;
    }
    if (!recordedSettings.has(name)) throw new ServiceError('NotImplemented', `bucket setting ${name}`, 501);
    await this.#settings.put(bucket, name, value);
  }

  async #mustExist(bucket: string): Promise<void> {
    const found = await this.#store.send({ method: 'HEAD', target: `/${bucket}`, headers: {} });
    found.resume();
    if (found.statusCode !== 200)
      throw new ServiceError('NoSuchBucket', `There is no bucket ${bucket}.`, 404);
  }

  async #forget(bucket: string): Promise<void> {
    await this.#settings.forget(bucket);
    this.#authorizer.removeBucketPolicy(bucket);
  }
}

function answer(
  response: ServerResponse,
  statusCode: number,
  body: string,
  contentType = 'application/xml',
): void {
  response.writeHead(statusCode, {
    'content-type': contentType,
    'content-length': String(Buffer.byteLength(body)),
  });
  response.end(body);
}

/** A policy that could not be enforced is refused, so that nobody believes that it is in force. @throws ServiceError MalformedPolicy */
function parsePolicy(bucket: string, text: string): unknown {
  try {
    const document: unknown = JSON.parse(text);
    const read = readPolicy(`the policy of ${bucket}`, document);
    if (!('notUnderstood' in read)) return document;
    throw new ServiceError('MalformedPolicy', read.notUnderstood);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw new ServiceError('MalformedPolicy', 'Policies must be valid JSON.');
  }
}

/** S3 has names of its own for the endpoint's errors. */
const codes: Record<string, { code: string; statusCode: number }> = {
  AccessDeniedException: { code: 'AccessDenied', statusCode: 403 },
  UnrecognizedClientException: { code: 'InvalidAccessKeyId', statusCode: 403 },
  InvalidToken: { code: 'InvalidToken', statusCode: 400 },
  ExpiredTokenException: { code: 'ExpiredToken', statusCode: 400 },
  InvalidSignatureException: { code: 'SignatureDoesNotMatch', statusCode: 403 },
  RequestExpired: { code: 'RequestTimeTooSkewed', statusCode: 403 },
  MissingAuthenticationTokenException: { code: 'AccessDenied', statusCode: 403 },
  InternalFailure: { code: 'InternalError', statusCode: 500 },
};

function s3Error(error: ServiceError): { code: string; statusCode: number } {
  return codes[error.code] ?? { code: error.code, statusCode: error.statusCode };
}

// The one HTTP endpoint: verifies the caller, finds the service by the credential scope, applies faults, runs the operation,
// answers in the service's protocol and tells its listeners.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { authenticate, type Claim, readClaim } from './authenticate.ts';
import { ConnectionCut, type Faults } from './faults.ts';
import type { CredentialRegistry } from './identities.ts';
import { jsonError, jsonProtocol } from './protocols/json.ts';
import type { Protocol } from './protocols/protocol.ts';
import { queryProtocol } from './protocols/query.ts';
import { restJsonProtocol } from './protocols/rest-json.ts';
import {
  type Authorizer,
  type CallContext,
  type Caller,
  type LocalService,
  type RawService,
  type RestAnswer,
  ServiceError,
} from './service.ts';
import { sha256Hex, splitTarget } from './sigv4.ts';

/** The largest body of a service that is not streamed: Lambda's payload limit is 6 MB, DynamoDB's request limit 16 MB. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** One call, as listeners see it when its answer is out or its connection is gone. */
export interface SeenRequest {
  caller?: Caller;
  service: string;
  action: string;
  resource: string;
  method: string;
  path: string;
  requestBytes: number;
  /** 0 where the connection was cut. */
  statusCode: number;
  errorCode?: string;
}

export interface ServerOptions {
  identities: CredentialRegistry;
  authorizer: Authorizer;
  faults: Faults;
  now(): Date;
  /** The rule that makes plain HTTP on loopback count as `aws:SecureTransport`. */
  loopbackIsSecure: boolean;
  onRequest(seen: SeenRequest): void;
  /** A defect in the local cloud: told to the caller as InternalFailure. */
  onError(error: unknown, seen: SeenRequest): void;
}

interface Bound {
  service: LocalService;
  protocol?: Protocol;
}

export class EndpointServer {
  readonly #options: ServerOptions;
  readonly #services = new Map<string, Bound>();
  readonly #server: Server;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    // Long transfers are the callers' own business.
    this.#server.requestTimeout = 0;
    this.#server.keepAliveTimeout = 60_000;
  }

  register(service: LocalService): void {
    this.#services.set(service.signingName, { service, ...protocolOf(service) });
  }

  async listen(host: string): Promise<string> {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the endpoint has no port');
    return `http://${host}:${address.port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen: SeenRequest = {
      service: '',
      action: '',
      resource: '',
      method: request.method ?? '',
      path: splitTarget(request.url ?? '').path,
      requestBytes: Number(
        request.headers['x-amz-decoded-content-length'] ?? request.headers['content-length'] ?? 0,
      ),
      statusCode: 0,
    };
    const requestId = randomUUID();
    response.setHeader('x-amzn-requestid', requestId);
    response.setHeader('x-amz-request-id', requestId);
    response.once('close', () => {
      this.#options.onRequest({ ...seen, statusCode: response.writableFinished ? response.statusCode : 0 });
    });
    let bound: Bound | undefined;
    try {
      const claim = readClaim(request);
      seen.service = claim.scope.service;
      bound = this.#services.get(seen.service);
      if (bound === undefined) {
        throw new ServiceError(
          'UnknownOperationException',
          `The local cloud has no service "${seen.service}".`,
        );
      }
      await this.#dispatch(bound, claim, request, response, seen);
    } catch (error) {
      this.#refuse(error, bound, request, response, seen);
    }
  }

  async #dispatch(
    bound: Bound,
    claim: Claim,
    request: IncomingMessage,
    response: ServerResponse,
    seen: SeenRequest,
  ): Promise<void> {
    const { service, protocol } = bound;
    const streamed = service.protocol === 'raw' && service.body === 'streamed';
    const body = streamed ? Buffer.alloc(0) : await readBody(request);
    const payloadHash = payloadHashOf(request, streamed ? undefined : body);
    const { identities, now, faults } = this.#options;
    const caller = authenticate(request, claim, payloadHash, identities, now());
    seen.caller = caller;
    const context = this.#contextOf(caller, request);
    const strike = () => faults.strike({ ...seen, caller, bytes: seen.requestBytes }, request, response);
    if (service.protocol === 'raw') {
      Object.assign(seen, service.describe(request, body));
      await strike();
      await service.handle(request, response, { ...context, body });
      return;
    }
    const exchange = protocol?.open(request, body);
    if (exchange === undefined) return;
    seen.action = `${service.signingName}:${exchange.operation}`;
    await strike();
    send(response, await exchange.run(context));
  }

  #contextOf(caller: Caller, request: IncomingMessage): CallContext {
    const { authorizer, loopbackIsSecure } = this.#options;
    // The endpoint binds loopback addresses alone, where nobody can listen on the wire.
    const secureTransport = String(loopbackIsSecure && isLoopback(request.socket.localAddress));
    return {
      caller,
      authorize(action, resource, conditions = {}) {
        const decision = authorizer.decide(caller, action, resource, {
          'aws:securetransport': secureTransport,
          ...conditions,
        });
        if (decision.allowed) return;
        throw new ServiceError(
          'AccessDeniedException',
          `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}: ${decision.reason}`,
        );
      },
    };
  }

  #refuse(
    error: unknown,
    bound: Bound | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    seen: SeenRequest,
  ): void {
    if (error instanceof ConnectionCut || response.destroyed) return;
    const known = error instanceof ServiceError ? error : internalFailure(error);
    if (known !== error) this.#options.onError(error, seen);
    seen.errorCode = known.code;
    // Half an answer is out: cutting the connection is all that says so.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // What is left of a body that nobody read would be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    send(response, refusal(bound, request, known));
    request.resume();
  }
}

function protocolOf(service: LocalService): { protocol?: Protocol } {
  switch (service.protocol) {
    case 'json':
      return { protocol: jsonProtocol(service) };
    case 'query':
      return { protocol: queryProtocol(service) };
    case 'rest-json':
      return { protocol: restJsonProtocol(service) };
    case 'raw':
      return {};
  }
}

function refusal(bound: Bound | undefined, request: IncomingMessage, error: ServiceError): RestAnswer {
  if (bound?.protocol !== undefined) return bound.protocol.refuse(error);
  if (bound?.service.protocol === 'raw') return (bound.service satisfies RawService).refuse(request, error);
  return jsonError(error, 'application/x-amz-json-1.0');
}

function send(response: ServerResponse, answer: RestAnswer): void {
  const body = Buffer.from(answer.body);
  response.writeHead(answer.statusCode, { ...answer.headers, 'content-length': String(body.length) });
  response.end(body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BUFFERED_BYTES) {
    throw new ServiceError(
      'RequestEntityTooLargeException',
      `The body is over ${MAX_BUFFERED_BYTES} bytes.`,
      413,
    );
  }
  return buffer(request);
}

/** @throws ServiceError where a buffered body is not what its header declares */
function payloadHashOf(request: IncomingMessage, body: Buffer | undefined): string {
  const declared = request.headersDistinct['x-amz-content-sha256']?.[0];
  if (body === undefined) {
    if (declared !== undefined) return declared;
    throw new ServiceError('MissingSecurityHeader', 'x-amz-content-sha256 is missing.');
  }
  const actual = sha256Hex(body);
  if (declared !== undefined && declared !== actual && declared !== 'UNSIGNED-PAYLOAD') {
    throw new ServiceError(
      'InvalidSignatureException',
      'x-amz-content-sha256 is not the hash of the body.',
      403,
    );
  }
  return declared ?? actual;
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\./.test(address);
}

function internalFailure(error: unknown): ServiceError {
  return new ServiceError('InternalFailure', error instanceof Error ? error.message : String(error), 500);
}

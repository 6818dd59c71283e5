// The SDK's way to S3 for large bodies: requests are made, signed and tried again by the SDK, sent on connections of our own.
// Any answer but a plain one of known length is left to the SDK's handler, which asks again.
import { Readable } from 'node:stream';
import { buildQueryString, type HttpHandler, type HttpRequest, HttpResponse } from '@smithy/core/protocols';
import { ConnectionBroken, ReceivingConnection, type Take } from './receiving-connection.ts';

type Options = NonNullable<Parameters<HttpHandler<object>['handle']>[1]>;
/** What asks again. */
type Ordinary = Pick<HttpHandler<object>, 'handle'>;
const ANSWERED = new Error('the answer is not received this way');

export class ReceivingHandler implements HttpHandler<object> {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #ordinary: Ordinary;
  readonly #resting: ReceivingConnection[] = [];

  constructor(ordinary: Ordinary) {
    this.#ordinary = ordinary;
  }

  async handle(request: HttpRequest, options: Options = {}): Promise<{ response: HttpResponse }> {
    const signal = options.abortSignal as AbortSignal | undefined;
    signal?.throwIfAborted();
    const { connection, head } = await this.#ask(request, signal);
    const length = Number(head.headers['content-length']);
    const isPlain = [200, 206].includes(head.statusCode) && Number.isSafeInteger(length);
    if (!isPlain) {
      connection.destroy(ANSWERED);
      return this.#ordinary.handle(request, options);
    }
    const body = new ReceivedBody(connection, length, signal, () => {
      connection.rest();
      this.#resting.push(connection);
    });
    const { statusCode, headers } = head;
    return { response: new HttpResponse({ statusCode, headers, body }) };
  }

  updateHttpClientConfig(): void {}
  httpHandlerConfigs(): object {
    return {};
  }
  destroy(): void {
    for (const connection of this.#resting) connection.destroy(ANSWERED);
  }

  /** On a connection that has rested, which its server may have closed, once more on a new one. */
  async #ask(request: HttpRequest, signal: AbortSignal | undefined) {
    const text = textOf(request);
    for (;;) {
      let rested: ReceivingConnection | undefined;
      do rested = this.#resting.pop();
      while (rested?.isBroken);
      const connection = rested ?? (await ReceivingConnection.open(urlOf(request)));
      const stop = () => connection.destroy(signal?.reason as Error);
      signal?.addEventListener('abort', stop, { once: true });
      try {
        return { connection, head: await connection.request(text) };
      } catch (error) {
        connection.destroy(ANSWERED);
        if (!rested || signal?.aborted) throw error;
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    }
  }
}

/** An answer's body, to be received once. */
export class ReceivedBody extends Readable {
  readonly #connection: ReceivingConnection;
  readonly #length: number;
  readonly #signal: AbortSignal | undefined;
  readonly #rest: () => void;
  #isTaken = false;

  constructor(
    connection: ReceivingConnection,
    length: number,
    signal: AbortSignal | undefined,
    rest: () => void,
  ) {
    super();
    this.#connection = connection;
    this.#length = length;
    this.#signal = signal;
    this.#rest = rest;
  }

  /** @throws ConnectionBroken, what `take` throws, the reason of the signal */
  async receive(take: Take): Promise<void> {
    this.#isTaken = true;
    const stop = () => this.#connection.destroy(this.#signal?.reason as Error);
    this.#signal?.throwIfAborted();
    this.#signal?.addEventListener('abort', stop, { once: true });
    try {
      await this.#connection.receive(this.#length, take);
      this.#rest();
    } finally {
      this.#signal?.removeEventListener('abort', stop);
    }
  }

  /** The SDK reads no body of an answer that is plain; whoever does gets an error, not silence. */
  override _read(): void {
    this.destroy(new Error('this body is received, not read'));
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (!this.#isTaken) this.#connection.destroy(error ?? new ConnectionBroken('nobody received the body'));
    callback(error);
  }
}

function urlOf({ protocol, hostname, port }: HttpRequest): URL {
  return new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
}

function textOf({ method, path, query = {}, headers }: HttpRequest): string {
  const queryString = buildQueryString(query);
  const target = queryString ? `${path}?${queryString}` : path;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const all = [`${method} ${target} HTTP/1.1`, ...lines];
  // Nothing that is signed has them; nothing else may.
  if (all.some((line) => /[\r\n]/.test(line))) throw new Error('a header of the request has a line break');
  return `${all.join('\r\n')}\r\n\r\n`;
}

// The way to s3proxy: requests signed with its own key, bodies streamed, small ones sent whole.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LOCAL_REGION } from '../../endpoint/service.ts';
import { authorizationHeader, signatureOf, signingDate } from '../../endpoint/sigv4.ts';

export interface StoreRequest {
  method: string;
  /** As on the wire. */
  target: string;
  headers: Record<string, string>;
  body?: Buffer | { stream: Readable[]; sizeBytes: number };
}

export class Store {
  readonly #url: URL;
  readonly #credentials: { accessKeyId: string; secretAccessKey: string };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(url: string, credentials: { accessKeyId: string; secretAccessKey: string }) {
    this.#url = new URL(url);
    this.#credentials = credentials;
  }

  /** The answer, its body not yet read. Rejects where the body's own streams fail. */
  async send(storeRequest: StoreRequest): Promise<IncomingMessage> {
    const { body, method, target } = storeRequest;
    const isStream = body !== undefined && !Buffer.isBuffer(body);
    const sizeBytes = isStream ? body.sizeBytes : (body?.length ?? 0);
    const headers = this.#sign(storeRequest, sizeBytes);
    const outgoing = httpRequest({
      host: this.#url.hostname,
      port: this.#url.port,
      method,
      path: target,
      headers,
      // A streamed body over a kept-alive connection now and then breaks (EPIPE): it gets one of its own.
      agent: isStream ? false : this.#agent,
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', (answer) => {
        // Whoever reads the answer sees its failure; an answer that nobody reads must not end the process by it.
        answer.on('error', () => {});
        resolve(answer);
      });
      outgoing.on('error', reject);
    });
    if (!isStream) {
      outgoing.end(body);
      return answered;
    }
    // The store may refuse before it has read the whole body: then its answer counts, not the broken pipe.
    return Promise.race([answered, pipeline([...body.stream, outgoing]).then(() => answered)]);
  }

  close(): void {
    this.#agent.destroy();
  }

  #sign({ method, target, headers }: StoreRequest, sizeBytes: number): Record<string, string> {
    const date = signingDate(new Date());
    const all: Record<string, string> = {
      ...headers,
      host: this.#url.host,
      'x-amz-date': date,
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    };
    if (method === 'PUT' || method === 'POST') all['content-length'] = String(sizeBytes);
    const signable = {
      method,
      target,
      headers: all,
      signedHeaders: Object.keys(all)
        .filter((name) => name === 'host' || name.startsWith('x-amz-'))
        .sort(),
      payloadHash: 'UNSIGNED-PAYLOAD',
      date,
      scope: { day: date.slice(0, 8), region: LOCAL_REGION, service: 's3' },
    };
    const { accessKeyId, secretAccessKey } = this.#credentials;
    return {
      ...all,
      authorization: authorizationHeader(accessKeyId, signable, signatureOf(signable, secretAccessKey)),
    };
  }
}

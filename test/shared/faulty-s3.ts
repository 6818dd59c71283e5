// A real S3 server behind something that lets one request fail, in each way that a network has.
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { CreateBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { shared } from './shared.ts';

const SLOW_DOWN = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Slow down</Message></Error>';

/** What S3 did, and what of its answer came through. */
export const FAULTS = {
  'is refused for now': { isDone: false, answer: 'refusal' },
  'is reset before S3 has it': { isDone: false, answer: 'none' },
  'is done, and its answer lost': { isDone: true, answer: 'none' },
  'is done, and half answered': { isDone: true, answer: 'half' },
} as const;
export type Fault = (typeof FAULTS)[keyof typeof FAULTS];

export interface AskedS3 {
  method: string;
  /** With the bucket, and the query. */
  url: URL;
  headers: IncomingHttpHeaders;
}

export interface FaultyS3 {
  connection: S3ClientConfig & {
    endpoint: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
  client: S3Client;
  /** In their order; may be emptied. */
  requests: AskedS3[];
  /** Strikes once. @returns whether it has not yet */
  fail(when: (asked: AskedS3) => boolean, fault: Fault): () => boolean;
  close(): Promise<void>;
}

export async function faultyS3(bucket: string): Promise<FaultyS3> {
  const { url, credentials } = await shared('s3proxy');
  const upstream = new URL(url);
  const requests: AskedS3[] = [];
  let next: { when: (asked: AskedS3) => boolean; fault: Fault } | undefined;

  async function forward(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', headers } = asked;
    const seen = { method, url: new URL(asked.url ?? '', upstream), headers };
    requests.push(seen);
    const body = await buffer(asked);
    const fault = next?.when(seen) ? next.fault : undefined;
    if (fault) next = undefined;
    if (fault && !fault.isDone) {
      if (fault.answer === 'none') return void asked.socket.destroy();
      return void answer.writeHead(503, { 'content-type': 'application/xml' }).end(SLOW_DOWN);
    }
    const { hostname: host, port } = upstream;
    const forwarded = request({ host, port, method, headers, path: asked.url });
    const [came] = (await once(forwarded.end(body), 'response')) as [IncomingMessage];
    const bytes = await buffer(came);
    if (fault?.answer === 'none') return void asked.socket.destroy();
    answer.writeHead(came.statusCode ?? 500, came.headers);
    if (fault) return void answer.write(bytes.subarray(0, bytes.length / 2), () => asked.socket.destroy());
    answer.end(bytes);
  }

  const server = createServer((asked, answer) => {
    forward(asked, answer).catch(() => answer.destroy());
  }).listen(0, upstream.hostname);
  await once(server, 'listening');
  const endpoint = `http://${upstream.hostname}:${(server.address() as AddressInfo).port}`;
  const connection = { endpoint, credentials, region: 'eu-west-1', forcePathStyle: true };
  const client = new S3Client(connection);
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    connection,
    client,
    requests,
    fail(when, fault) {
      const own = { when, fault };
      next = own;
      return () => next === own;
    },
    async close() {
      client.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

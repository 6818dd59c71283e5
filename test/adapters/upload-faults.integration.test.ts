// Each request of an upload in parts fails once, in each way that a network has, between the client and a real S3 server.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { NewObject } from '../../adapters/ports.ts';
import { shared } from '../shared/shared.ts';
import { hashedObject } from './hashed-object.ts';

const BUCKET = 'upload-faults';
const PART_BYTES = 5 * 1024 ** 2;
const SLOW_DOWN = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Slow down</Message></Error>';

/** What S3 did, and what of its answer came through. */
const faults = {
  'is refused for now': { isDone: false, answer: 'refusal' },
  'is reset before S3 has it': { isDone: false, answer: 'none' },
  'is done, and its answer lost': { isDone: true, answer: 'none' },
  'is done, and half answered': { isDone: true, answer: 'half' },
} as const;
type Credentials = { accessKeyId: string; secretAccessKey: string };
type Fault = (typeof faults)[keyof typeof faults];
const REQUESTS = ['POST ?uploads', 'PUT 1', 'PUT 3', 'POST ?uploadId'] as const;

let server: Server;
let upstream: URL;
let connection: { endpoint: string; credentials: Credentials; region: string; forcePathStyle: true };
let client: S3Client;
const bytes = randomBytes(2 * PART_BYTES + 1);
let directory: string;
/** Of these bytes. */
let file: string;
/** For the next request of this name. */
let next: { name: string; fault: Fault } | undefined;
/** Session tokens, in the order of the requests. */
let tokens: unknown[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'upload-faults-'));
  file = join(directory, 'file');
  await writeFile(file, bytes);
  const { url, credentials } = await shared('s3proxy');
  upstream = new URL(url);
  server = createServer((asked, answer) => {
    forward(asked, answer).catch(() => answer.destroy());
  }).listen(0, upstream.hostname);
  await once(server, 'listening');
  const endpoint = `http://${upstream.hostname}:${(server.address() as AddressInfo).port}`;
  connection = { endpoint, credentials, region: 'eu-west-1', forcePathStyle: true };
  client = new S3Client(connection);
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  client.destroy();
  server.closeAllConnections();
  server.close();
});

function nameOf({ method, url = '' }: IncomingMessage): string {
  const { searchParams } = new URL(url, upstream);
  const what = searchParams.get('partNumber') ?? (searchParams.has('uploads') ? '?uploads' : '?uploadId');
  return `${method} ${what}`;
}

async function forward(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  tokens.push(asked.headers['x-amz-security-token']);
  const body = await buffer(asked);
  const fault = next?.name === nameOf(asked) ? next.fault : undefined;
  if (fault) next = undefined;
  if (fault && !fault.isDone) {
    if (fault.answer === 'none') return void asked.socket.destroy();
    return void answer.writeHead(503, { 'content-type': 'application/xml' }).end(SLOW_DOWN);
  }
  const { method, headers, url } = asked;
  const forwarded = request({ host: upstream.hostname, port: upstream.port, method, headers, path: url });
  const [came] = (await once(forwarded.end(body), 'response')) as [IncomingMessage];
  const bytes = await buffer(came);
  if (fault?.answer === 'none') return void asked.socket.destroy();
  answer.writeHead(came.statusCode ?? 500, came.headers);
  if (fault) return void answer.write(bytes.subarray(0, bytes.length / 2), () => asked.socket.destroy());
  answer.end(bytes);
}

const cases = ['a file', 'memory'].flatMap((from) =>
  REQUESTS.flatMap((name) => Object.entries(faults).map(([how, fault]) => ({ from, name, how, fault }))),
);

function objectOf(journal: { id?: string | undefined }): Omit<NewObject, 'body'> {
  return {
    ...hashedObject(bytes, PART_BYTES),
    key: randomBytes(8).toString('hex'),
    upload: {
      id: () => journal.id,
      async begun(id) {
        journal.id = id;
      },
      async ended() {
        journal.id = undefined;
      },
    },
  };
}

describe('an upload in parts is whole, and leaves no other behind', () => {
  afterEach(() => {
    next = undefined;
  });

  it.each(cases)('of $from, where $name $how', async ({ from, name, fault }) => {
    const store = s3ObjectStore({ bucket: BUCKET, client });
    const object = objectOf({});
    const put = () => store.putObject({ ...object, body: from === 'memory' ? bytes : file });
    next = { name, fault };
    // As the engine does, where an attempt fails.
    const outcome = await put().catch(put);
    expect(next).toBeUndefined();
    expect(['created', 'exists']).toContain(outcome);
    expect((await store.get(object.key))?.body.equals(bytes)).toBe(true);
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
    const left = Uploads.filter(({ Key }) => Key === object.key);
    // Nobody was told of the ID of one: the bucket's lifecycle rule ends it.
    const isUnknown = name === 'POST ?uploads' && fault.isDone;
    expect(left).toHaveLength(isUnknown ? 1 : 0);
  });
});

it('asks for credentials anew once they are about to expire, within one upload and one download', async () => {
  let asked = 0;
  const renewed = async () => {
    asked += 1;
    const expiration = new Date(Date.now() + 1_000);
    return { ...connection.credentials, sessionToken: `token-${asked}`, expiration };
  };
  const own = new S3Client({ ...connection, credentials: renewed });
  try {
    const store = s3ObjectStore({ bucket: BUCKET, client: own });
    tokens = [];
    const object = objectOf({});
    expect(await store.putObject({ ...object, body: file })).toBe('created');
    const uploads = new Set(tokens);
    tokens = [];
    for (const start of [0, 10]) {
      const got = await store.getStream(object.key, { start, end: start + 10 });
      expect(got && (await buffer(got.body))).toEqual(bytes.subarray(start, start + 10));
    }
    // Its beginning, its parts at once, its end; each range.
    expect([uploads.size, new Set(tokens).size]).toEqual([3, 2]);
  } finally {
    own.destroy();
  }
});

// Receiving from servers that answer in every way but the good one.
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, Socket } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { ObjectStore } from '../../adapters/ports.ts';

const body = randomBytes(700_000);
type Answer = (socket: Socket, request: string, from: number) => void;

let server: Server;
let store: ObjectStore;
let requests: string[];
let connections: Set<Socket>;
/** Of the requests in their order; the last one of all that follow. */
let answers: Answer[];
/** Before another connection, in milliseconds. */
let waits: number[];
beforeEach(async () => {
  [requests, connections, answers] = [[], new Set(), []];
  server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const request = data.toString('latin1');
      requests.push(request);
      const from = Number(/^range: bytes=(\d+)-/im.exec(request)?.[1] ?? 0);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      answer?.(socket, request, from);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    region: 'eu-west-1',
    forcePathStyle: true,
    maxAttempts: 3,
  });
  waits = [];
  const clock = { sleep: async (milliseconds: number) => void waits.push(milliseconds) };
  store = s3ObjectStore({ bucket: 'bucket', client, waiting: { clock, random: { next: () => 0.5 } } });
});
afterEach(async () => {
  for (const each of connections) each.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const head = (length: number, status = '200 OK') =>
  `HTTP/1.1 ${status}\r\ndate: Sun, 22 Nov 2026 02:00:00 GMT\r\netag: "tag"\r\ncontent-length: ${length}\r\n\r\n`;
const rest = (from: number) => body.subarray(from);
const partial = (request: string, from: number) =>
  /^range: /im.test(request) ? ranged(from) : head(body.length);
const ranged = (from: number) =>
  head(
    body.length - from,
    `206 Partial Content\r\ncontent-range: bytes ${from}-${body.length - 1}/${body.length}`,
  );
const well: Answer = (socket, request, from) => {
  socket.write(partial(request, from));
  socket.write(rest(from));
};
const cutAfter =
  (bytes: number): Answer =>
  (socket, request, from) => {
    socket.write(partial(request, from));
    socket.end(rest(from).subarray(0, bytes));
  };

async function receive(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const found = await store.receive('key', { take: (bytes) => void chunks.push(Buffer.from(bytes)) });
  expect(found).toBe(true);
  return Buffer.concat(chunks);
}

it('keeps a connection for the next request', async () => {
  answers = [well];
  for (let each = 0; each < 3; each += 1) expect((await receive()).equals(body)).toBe(true);
  expect(connections.size).toBe(1);
});

it('goes on where a body broke, at the same version of the object', async () => {
  answers = [cutAfter(100_000), cutAfter(0), cutAfter(250_000), well];
  expect((await receive()).equals(body)).toBe(true);
  expect(requests).toHaveLength(4);
  expect(requests[3]).toMatch(/^range: bytes=350000-699999\r$/im);
  expect(requests[3]).toMatch(/^if-match: "tag"\r$/im);
});

it('gives up where every connection breaks without a byte', async () => {
  answers = [cutAfter(0)];
  await expect(receive()).rejects.toMatchObject({
    name: 'VaultUnavailable',
    message: expect.stringContaining('got 0 of 700000 bytes'),
  });
  expect(waits).toEqual([25, 50, 100, 200, 400, 800, 1600, 3200]);
});

it('waits longer only for connections that break one after another without a byte', async () => {
  answers = [cutAfter(0), cutAfter(0), cutAfter(100), cutAfter(0), cutAfter(100), well];
  expect((await receive()).equals(body)).toBe(true);
  expect(waits).toEqual([25, 50, 25, 50, 25]);
});

it('waits before a stream is continued, too', async () => {
  answers = [cutAfter(100), cutAfter(0), well];
  expect((await store.get('key'))?.body.equals(body)).toBe(true);
  expect(waits).toEqual([25, 50]);
});

it.each<[string, (from: number) => string]>([
  ['all of it', () => head(body.length)],
  ['another range', (from) => ranged(from + 1)],
  ['a range without its place', (from) => head(body.length - from, '206 Partial Content')],
])('refuses %s where what is missing was asked for', async (_, answer) => {
  const other: Answer = (socket, __, from) => {
    socket.write(answer(from));
    socket.end(rest(from));
  };
  answers = [cutAfter(100), other];
  const refused = { name: 'VaultUnavailable', message: expect.stringContaining('bytes=100-699999') };
  await expect(receive()).rejects.toMatchObject(refused);
  answers = [cutAfter(100), other];
  await expect(store.get('key')).rejects.toMatchObject(refused);
});

it.each<[string, Answer]>([
  ['is closed before it answers', (socket) => socket.destroy()],
  ['answers half a head', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le')],
  ['asks to slow down', (socket) => socket.end('HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n')],
  ['has a head without end', (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`)],
])('tries again a server that %s', async (_, bad) => {
  // The SDK's own handler asks once more of what is no plain answer.
  answers = [bad, bad, well];
  expect((await receive()).equals(body)).toBe(true);
});

describe('a server that falls silent', () => {
  let spied: ReturnType<typeof vi.spyOn>;
  beforeEach(() => {
    const { setTimeout } = Socket.prototype;
    // The minute that is waited for is a tenth of a second here.
    spied = vi.spyOn(Socket.prototype, 'setTimeout').mockImplementation(function (
      this: Socket,
      ms,
      callback,
    ) {
      return setTimeout.call(this, ms === 60_000 ? 100 : ms, callback);
    });
  });
  afterEach(() => {
    spied.mockRestore();
    vi.unstubAllEnvs();
  });

  it.each<[string, Answer]>([
    ['before it answers', () => undefined],
    [
      'in the middle',
      (socket) =>
        void socket.write(Buffer.concat([Buffer.from(head(body.length)), rest(0).subarray(0, 5_000)])),
    ],
  ])('%s is asked again for what is missing', async (_, silent) => {
    answers = [silent, well];
    expect((await receive()).equals(body)).toBe(true);
    expect(connections.size).toBe(2);
  });

  it('is sent a body again', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    let silent: Socket | undefined;
    answers = [
      (socket, request) => {
        silent ??= socket;
        if (socket !== silent && request.startsWith('PUT')) socket.write(head(0));
      },
    ];
    // With the time-outs that hosts have.
    const own = s3ObjectStore({ bucket: 'bucket', region: 'eu-west-1' });
    expect(await own.put('key', 'body', 'overwrite')).toBe('created');
    expect(connections.size).toBe(2);
  });
});

it('leaves what is no answer to the SDK’s own handler', async () => {
  answers = [(socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n\r\n'), well];
  expect((await receive()).equals(body)).toBe(true);
});

it('takes a new connection where one that rested was closed', async () => {
  answers = [well];
  await receive();
  for (const each of connections) each.destroy();
  expect((await receive()).equals(body)).toBe(true);
  expect(connections.size).toBe(2);
});

it('reads a body of unknown length, too', async () => {
  answers = [
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\netag: "tag"\r\ntransfer-encoding: chunked\r\n\r\n');
      socket.end('3\r\nabc\r\n0\r\n\r\n');
    },
  ];
  // S3 says how long its objects are; who does not is not believed to be whole.
  await expect(receive()).rejects.toMatchObject({ name: 'VaultUnavailable' });
});

it('refuses bytes beyond the length that was said', async () => {
  answers = [
    (socket) => {
      socket.write(head(3));
      socket.write('abcdef');
    },
    (socket) => socket.end(head(3)),
  ];
  await expect(receive()).rejects.toMatchObject({ name: 'VaultUnavailable' });
});

it('takes bytes that come one by one, and waits where its receiver does', async () => {
  const few = body.subarray(0, 300);
  answers = [
    async (socket) => {
      for (const byte of Buffer.concat([Buffer.from(head(few.length)), few])) {
        socket.write(Buffer.of(byte));
        if (byte % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  ];
  const chunks: Buffer[] = [];
  let busy = false;
  await store.receive('key', {
    async take(bytes) {
      expect(busy).toBe(false);
      busy = true;
      chunks.push(Buffer.from(bytes));
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy = false;
    },
  });
  expect(Buffer.concat(chunks).equals(few)).toBe(true);
});

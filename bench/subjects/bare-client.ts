// The limit: a program that puts a tree's files into S3, or gets them back, eight at once over node:http, and hashes nothing.
//   node bare-client.ts put|get URL BUCKET DIRECTORY LIST-FILE      (credentials from AWS_ACCESS_KEY_ID and so on)
import { createHmac } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pMap from 'p-map';
import { filesOf } from '../data/files.ts';

const AT_ONCE = 8;
const CHUNK_BYTES = 1024 ** 2;
/** s3proxy now and then breaks small streamed PUTs over kept-alive sockets. */
const WHOLE_BYTES = 16 * 1024 ** 2;

const [verb, url = '', bucket = '', directory = '', list = ''] = process.argv.slice(2);
const { Agent, request } = url.startsWith('https:') ? https : http;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
const { AWS_ACCESS_KEY_ID: keyId = '', AWS_SECRET_ACCESS_KEY: secret = '' } = process.env;

/** Signed by version 2, which is a few bytes of HMAC. */
function open(method: 'PUT' | 'GET', path: string, headers: Record<string, string | number>) {
  const resource = `/${bucket}/${path.split('/').map(encodeURIComponent).join('/')}`;
  const date = new Date().toUTCString();
  const signature = createHmac('sha1', secret).update(`${method}\n\n\n${date}\n${resource}`).digest('base64');
  const answered = Promise.withResolvers<IncomingMessage>();
  const authorization = `AWS ${keyId}:${signature}`;
  const sent = request(url + resource, { method, agent, headers: { ...headers, date, authorization } });
  sent.on('response', answered.resolve).on('error', answered.reject);
  return { sent, answer: answered.promise };
}

function mustBeOk(path: string, response: IncomingMessage): void {
  if (response.statusCode !== 200)
    throw new Error(`${path}: got status ${response.statusCode}, expected 200`);
}

async function put(path: string, size: number): Promise<void> {
  const { sent, answer } = open('PUT', path, { 'content-length': size });
  const file = join(directory, path);
  if (size <= WHOLE_BYTES) sent.end(await readFile(file));
  else await pipeline(createReadStream(file, { highWaterMark: CHUNK_BYTES }), sent);
  const response = await answer;
  response.resume();
  mustBeOk(path, response);
}

async function get(path: string): Promise<void> {
  const { sent, answer } = open('GET', path, {});
  sent.end();
  const response = await answer;
  mustBeOk(path, response);
  const target = join(directory, path);
  await mkdir(dirname(target), { recursive: true });
  await pipeline(response, createWriteStream(target, { highWaterMark: CHUNK_BYTES }));
}

if (verb === 'put') {
  const files = [...(await filesOf(directory))];
  await pMap(files, ([path, { size }]) => put(path, size), { concurrency: AT_ONCE });
  await writeFile(list, JSON.stringify(files.map(([path]) => path)));
} else {
  const paths = JSON.parse(await readFile(list, 'utf8')) as string[];
  await pMap(paths, get, { concurrency: AT_ONCE });
}
agent.destroy();

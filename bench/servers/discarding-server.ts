// An S3 server that takes everything and keeps only small documents: what is left is the client's own cost.
//   node discarding-server.ts        prints its URL, then serves until its standard input ends
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** Action documents, results, progress, headers: all else is thrown away. */
const KEPT = /^\/[^/]+\/(?:actions|results|progress)\//;
const kept = new Map<string, Buffer>();
let uploads = 0;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://discarding');
  if (request.method === 'GET' || request.method === 'HEAD') return answerGet(pathname, response);
  if (KEPT.test(pathname)) kept.set(pathname, await buffer(request));
  else for await (const _ of request);
  // What S3 does with the checksums that it was sent.
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith('x-amz-checksum-') && value) response.setHeader(name, value);
  }
  response.setHeader('etag', '"0123456789abcdef0123456789abcdef"');
  if (request.method !== 'POST') response.end();
  else if (searchParams.has('uploads')) {
    uploads += 1;
    response.end(xml('InitiateMultipartUploadResult', `<UploadId>upload-${uploads}</UploadId>`));
  } else response.end(xml('CompleteMultipartUploadResult', '<ETag>"0-1"</ETag>'));
}

function answerGet(pathname: string, response: ServerResponse): void {
  const body = kept.get(pathname);
  response.writeHead(body ? 200 : 404, { 'content-length': body?.length ?? 0 }).end(body);
}

function xml(name: string, content: string): string {
  return `<?xml version="1.0"?><${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${name}>`;
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => response.destroy(error as Error));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();

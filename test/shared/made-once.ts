// What takes seconds to make and serves every test file that needs no Cassandra: made once a run in vitest's own process, when the first file
// asks for it (shared.ts), and ended with the run.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { COMPILE_CACHE } from '../../local/servers/cache-directory.ts';
import { startDynamoDbLocal } from '../../local/servers/dynamodb-local.ts';
import { startS3Proxy } from '../../local/servers/s3proxy.ts';

declare module 'vitest' {
  interface ProvidedContext {
    madeOnceUrl: string;
  }
}

const makers = { s3proxy, dynamoDb, assembly };
type Makers = typeof makers;
export type MadeName = keyof Makers;
export type Made<Name extends MadeName> = Awaited<ReturnType<Makers[Name]>>;

async function s3proxy(directory: string, atEnd: (stop: () => Promise<void>) => void) {
  const { stop, ...server } = await startS3Proxy(directory);
  atEnd(stop);
  return server;
}

async function dynamoDb(directory: string, atEnd: (stop: () => Promise<void>) => void) {
  const { stop, ...server } = await startDynamoDbLocal(directory);
  atEnd(stop);
  return server;
}

/** The example as `cdk synth` makes it: with no credentials, and past cdk-nag, whose findings are another exit code than 0. */
async function assembly(directory: string) {
  const { context } = JSON.parse(await readFile('cdk.json', 'utf8')) as { context: object };
  const env = {
    ...COMPILE_CACHE,
    PATH: process.env['PATH'],
    CDK_OUTDIR: directory,
    CDK_CONTEXT_JSON: JSON.stringify(context),
  };
  const { stderr } = await promisify(execFile)(process.execPath, ['infra/app.ts'], { env });
  return { directory, stderr };
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'ringvault-shared-'));
  const stops: Array<() => Promise<void>> = [];
  const made = new Map<string, Promise<unknown>>();
  async function make(name: string): Promise<unknown> {
    await mkdir(join(directory, name));
    return makers[name as MadeName](join(directory, name), (stop) => stops.push(stop));
  }
  const server = createServer(async (request, response) => {
    const name = request.url?.slice(1) ?? '';
    // A test that computes for seconds does not see that an idle connection was closed.
    response.shouldKeepAlive = false;
    if (!made.has(name)) made.set(name, make(name));
    try {
      response.end(JSON.stringify(await made.get(name)));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  project.provide('madeOnceUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.close();
    await Promise.allSettled(made.values());
    for (const stop of stops) await stop();
    await rm(directory, { recursive: true, force: true });
  };
}

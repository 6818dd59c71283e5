// The host program as it is shipped: bundled, started as a command, killed, started again. S3 is a real server; of Step
// Functions only the three task calls are played.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { ObjectStore } from '../../adapters/ports.ts';
import { type ActionDocument, actions } from '../../contracts/actions.ts';
import { HOST_PROGRAM } from '../../infra/bundling.ts';
import { COMPILE_CACHE } from '../../local/servers/cache-directory.ts';
import { isThere } from '../../node-scripts/durable-files.ts';
import { lockHolder } from '../../node-scripts/process-lock.ts';
import { isAlive } from '../../node-scripts/processes.ts';
import type { Made } from '../shared/made-once.ts';
import { shared } from '../shared/shared.ts';
import { fakeNode, ORDERS, TAG, tablePath, uploadInput, writeSnapshot } from './fake-node.ts';
import { CLUSTER, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const BUCKET = 'host-program-test';
const execute = promisify(execFile);
const RUN = '20261121t020000z-0a1b2c3d';

let directory: string;
let s3: Made<'s3proxy'>;
let store: ObjectStore;
let program: string;
let tokens: Server;
/** What was told of each token. */
let told: Map<string, { operation: string; [field: string]: unknown }>;
let host: HostUnderTest;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'host-program-'));
  program = join(directory, 'host.mjs');
  await build({ ...HOST_PROGRAM, outdir: directory });
  s3 = await shared('s3proxy');
  const client = new S3Client({
    endpoint: s3.url,
    credentials: s3.credentials,
    region: 'eu-west-1',
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  store = s3ObjectStore({ bucket: BUCKET, client });
  tokens = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { taskToken, ...said } = JSON.parse(body);
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    if (operation !== 'SendTaskHeartbeat') told.set(taskToken, { operation, ...said });
    response.setHeader('content-type', 'application/x-amz-json-1.0').end('{}');
  });
  await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
}, 120_000);
afterAll(async () => {
  tokens.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  told = new Map();
  host = await hostUnderTest({ store });
});
afterEach(() => host.remove());

async function start(document: ActionDocument, failPoint = ''): Promise<string> {
  const { stdout } = await execute(
    process.execPath,
    [
      program,
      'start',
      ...['--bucket', BUCKET, '--prefix', '', '--region', 'eu-west-1', '--instance-arn', host.instanceArn],
      ...['--run-id', document.runId, '--action-id', document.actionId],
    ],
    {
      env: {
        ...COMPILE_CACHE,
        PATH: process.env['PATH'],
        AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
        AWS_ENDPOINT_URL_S3: s3.url,
        AWS_ENDPOINT_URL_SFN: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}`,
        RINGVAULT_HOST_ROOT: host.root,
        RINGVAULT_FAIL_POINT: failPoint,
      },
    },
  );
  return stdout.trim();
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const holderOf = (document: ActionDocument) => lockHolder(host.paths.action(document.actionId));

async function uploadOf(run: string): Promise<ActionDocument> {
  const [data = ''] = await fakeNode(host);
  const sstables = Object.fromEntries(
    Array.from({ length: 6 }, (_, index) => [`nb-${index}-big`, Buffer.from(`orders of ${run}, ${index}`)]),
  );
  await writeSnapshot(
    data,
    ORDERS,
    sstables,
    Object.keys(sstables).map((name) => `${name}-Data.db`),
  );
  return host.document(run, 'upload', uploadInput(run, [ORDERS]));
}

describe('the host program', () => {
  it('returns as soon as it is started, and answers the token', async () => {
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    const document = await host.request(host.document(RUN, 'prepare', { architecture }));
    expect(await start(document)).toBe(`${document.actionId}: started`);
    await until(() => told.has(document.taskToken));
    expect(told.get(document.taskToken)).toMatchObject({ operation: 'SendTaskSuccess' });
    const readLog = () => readFile(host.paths.log(document.actionId), 'utf8');
    await until(async () => (await readLog()).includes('action succeeded'));
    const log = await readLog();
    expect(log).not.toContain(document.taskToken);
  }, 60_000);

  it('tells a failure by its name, with what to do', async () => {
    const document = await host.request(await uploadOf('20261121t020001z-0a1b2c3d'));
    await rm(join(host.root, 'data1'), { recursive: true });
    await rm(join(host.root, 'data2'), { recursive: true });
    await fakeNode(host);
    await start(document);
    await until(() => told.has(document.taskToken));
    expect(told.get(document.taskToken)).toMatchObject({
      operation: 'SendTaskFailure',
      error: 'SnapshotIncomplete',
      cause: expect.stringMatching(/^snapshot .*\nThe snapshot on disk /),
    });
  }, 60_000);

  it.each([
    ['upload.object', 1],
    ['upload.listing-put', 2],
    ['upload.header-put', 3],
  ] as const)(
    'goes on after kill -9 at %s, and stores nothing twice',
    async (point, second) => {
      const document = await uploadOf(`20261121t02000${second}z-0a1b2c3d`);
      const first = await host.request(document);
      await start(first, `${point}:kill`);
      await until(async () => (await holderOf(document)) === undefined);
      expect(told.size).toBe(0);
      const retry = await host.request(first);
      await start(retry, `${point}:kill`);
      await until(() => told.has(retry.taskToken));
      expect(told.get(retry.taskToken)).toMatchObject({ operation: 'SendTaskSuccess' });
    },
    60_000,
  );

  it('gives way to Cassandra, with each of its threads', async () => {
    const plain = await uploadOf('20261121t020010z-0a1b2c3d');
    const document = await host.request({ ...plain, limits: { ...plain.limits, niceness: 7 } });
    await start(document, 'upload.object:hang');
    const holder = await holderOf(document);
    const pid = holder?.pid ?? 0;
    const threads = () => readdir(`/proc/${pid}/task`);
    const nicenessOf = async (thread: string) => {
      const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    };
    try {
      const reached = join(host.paths.action(document.actionId), 'fail-point-upload.object');
      await until(() => isThere(reached));
      expect(new Set(await Promise.all((await threads()).map(nicenessOf)))).toEqual(new Set([7]));
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  }, 60_000);

  it('attaches where the action runs, and outlives who started it', async () => {
    const document = await host.request(await uploadOf('20261121t020005z-0a1b2c3d'));
    await start(document, 'upload.object:hang');
    const holder = await holderOf(document);
    expect(holder && (await isAlive(holder))).toBe(true);
    expect(await start(document)).toBe(`${document.actionId}: attached`);
    expect(await holderOf(document)).toEqual(holder);
    // Another run's host program ends it.
    const ending = '20261121t020006z-0a1b2c3d';
    const end = await host.request(
      host.document(ending, 'end-run', { endedRunId: document.runId, tags: [] }),
    );
    await host.carryOut(end);
    expect(host.callback.answers.get(end.taskToken)).toMatchObject({
      output: { swap: 'none', cassandra: 'down' },
    });
    expect(holder && (await isAlive(holder))).toBe(false);
    const late = await host.request(document);
    await start(late);
    await until(() => told.has(late.taskToken));
    expect(told.get(late.taskToken)).toMatchObject({ error: 'RunEnded' });
  }, 60_000);

  it('brings back what it uploaded, a large object and packs, by its worker threads', async () => {
    const run = '20261121t020008z-0a1b2c3d';
    const large = randomBytes(9_000_000);
    const upload = await uploadOf(run);
    const data = join(host.root, 'data1');
    await writeSnapshot(
      data,
      ORDERS,
      { 'nb-7-big': large },
      [0, 1, 2, 3, 4, 5, 7].map((each) => `nb-${each}-big-Data.db`),
    );
    const uploading = await host.request(upload);
    await start(uploading);
    await until(() => told.has(uploading.taskToken));
    const { headerSha256, listingSha256 } = actions.upload.output.parse(
      JSON.parse(String(told.get(uploading.taskToken)?.['output'])),
    );
    await host.allowRestore();
    // The snapshot's own files are not known, so that all is downloaded.
    await rm(host.paths.cache, { recursive: true, force: true });
    const { instanceArn } = host;
    const source = { clusterId: CLUSTER, backupId: run, instanceArn, headerSha256, listingSha256 };
    const restore = '20261121t020009z-0a1b2c3d';
    const download = await host.request(
      host.document(restore, 'download', { sources: [source], tables: [ORDERS] }),
    );
    await start(download);
    await until(() => told.has(download.taskToken));
    expect(told.get(download.taskToken)).toMatchObject({ operation: 'SendTaskSuccess' });
    const staged = join(data, '.ringvault', `${restore}.new`, tablePath(ORDERS));
    const snapshot = join(data, tablePath(ORDERS), 'snapshots', TAG);
    const names = (await readdir(snapshot)).filter((name) => name.startsWith('nb-'));
    expect((await readdir(staged)).sort()).toEqual(names.sort());
    for (const name of names) {
      expect((await readFile(join(staged, name))).equals(await readFile(join(snapshot, name)))).toBe(true);
    }
  }, 60_000);

  /** SIGKILL so many milliseconds after each start; then to its end. */
  async function throughKills(document: ActionDocument, kills: readonly number[]): Promise<unknown> {
    let current = await host.request(document);
    for (const delayMs of kills) {
      await start(current);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      const holder = await holderOf(current);
      if (holder) process.kill(holder.pid, 'SIGKILL');
      await until(async () => !holder || !(await isAlive(holder)));
      current = await host.request(current);
    }
    await start(current);
    await until(() => told.has(current.taskToken));
    expect(told.get(current.taskToken)).toMatchObject({ operation: 'SendTaskSuccess' });
    return JSON.parse(String(told.get(current.taskToken)?.['output']));
  }

  it('killed at any moment, and as often, it stores and brings back the same files', async () => {
    const kills = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 3 });
    let number = 10;
    const snapshotOf = (data: string) => join(data, tablePath(ORDERS), 'snapshots', TAG);
    await fc.assert(
      fc.asyncProperty(kills, kills, async (uploadKills, downloadKills) => {
        number += 2;
        const [run, restore] = [number, number + 1].map((each) => `20261121t0201${each}z-0a1b2c3d`) as [
          string,
          string,
        ];
        const upload = await uploadOf(run);
        const data = join(host.root, 'data1');
        const names = Array.from({ length: 30 }, (_, index) => `nb-${index + 10}-big`);
        const sstables = names.map((name, index) => [name, randomBytes(index === 0 ? 20_000_000 : 50_000)]);
        await writeSnapshot(
          data,
          ORDERS,
          Object.fromEntries(sstables),
          [...Array.from({ length: 6 }, (_, index) => `nb-${index}-big`), ...names].map(
            (each) => `${each}-Data.db`,
          ),
        );
        const { headerSha256, listingSha256 } = actions.upload.output.parse(
          await throughKills(upload, uploadKills),
        );
        await host.allowRestore();
        await rm(host.paths.cache, { recursive: true, force: true });
        const { instanceArn } = host;
        const source = { clusterId: CLUSTER, backupId: run, instanceArn, headerSha256, listingSha256 };
        await throughKills(
          host.document(restore, 'download', { sources: [source], tables: [ORDERS] }),
          downloadKills,
        );
        const staged = join(data, '.ringvault', `${restore}.new`, tablePath(ORDERS));
        const wanted = (await readdir(snapshotOf(data))).filter((name) => name.startsWith('nb-'));
        expect((await readdir(staged)).sort()).toEqual(wanted.sort());
        for (const name of wanted)
          expect(
            (await readFile(join(staged, name))).equals(await readFile(join(snapshotOf(data), name))),
          ).toBe(true);
      }),
      { numRuns: 3 },
    );
  }, 180_000);

  it('starts once where the same command is delivered twice at a time', async () => {
    const document = await host.request(await uploadOf('20261121t020007z-0a1b2c3d'));
    await Promise.all([start(document), start(document), start(document)]);
    await until(() => told.has(document.taskToken));
    await until(async () => (await holderOf(document)) === undefined);
    const log = await readFile(host.paths.log(document.actionId), 'utf8');
    expect(log.match(/"action begins"/g)).toHaveLength(1);
  }, 60_000);
});

// Each request that a backup and a restore of a node make of S3 fails once, in each way that a network has: both come to their end,
// and the files are the same.
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { BackupSource } from '../../contracts/actions.ts';
import { type AskedS3, FAULTS, type Fault, type FaultyS3, faultyS3 } from '../shared/faulty-s3.ts';
import { fakeNode, ORDERS, tablePath, uploadInput, writeSnapshot } from './fake-node.ts';
import { CLUSTER, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const BUCKET = 'faults';
let s3: FaultyS3;
beforeAll(async () => {
  s3 = await faultyS3(BUCKET);
});
afterAll(() => s3.close());

/** What is told of how far it is comes when it comes, and nothing depends on it. */
const counts = ({ url }: AskedS3) => !url.pathname.includes('/progress/');

interface Cycle {
  host: HostUnderTest;
  /** Of the snapshot, by name. */
  files: Record<string, string>;
  backUp(): Promise<BackupSource>;
  restore(source: BackupSource): Promise<Record<string, string>>;
}

let number = 0;
/** Of bytes that nobody has stored yet: an SSTable that is sent and fetched alone, and one that is packed. */
async function newCycle(): Promise<Cycle> {
  number += 1;
  const [run, restore] = ['02', '04'].map(
    (hour) => `20261121t${hour}${String(number).padStart(4, '0')}z-0a1b2c3d`,
  ) as [string, string];
  const store = s3ObjectStore({ bucket: BUCKET, client: s3.client });
  // One after another, so that the next is always the same one.
  const host = await hostUnderTest({ store, limits: { downloadsAtOnce: 1, uploadsAtOnce: 1 } });
  const [data = ''] = await fakeNode(host);
  const sstables = { 'nb-1-big': randomBytes(1_500_000), 'nb-2-big': randomBytes(400) };
  const snapshot = await writeSnapshot(data, ORDERS, sstables, ['nb-1-big-Data.db', 'nb-2-big-Data.db']);
  await host.allowRestore();
  const { instanceArn } = host;
  return {
    host,
    files: await filesIn(snapshot),
    async backUp() {
      const { headerSha256, listingSha256 } = await host.run(run, 'upload', uploadInput(run, [ORDERS]));
      return { clusterId: CLUSTER, backupId: run, instanceArn, headerSha256, listingSha256 };
    },
    async restore(source) {
      await rm(host.paths.cache, { recursive: true, force: true });
      await host.run(restore, 'download', { sources: [source], tables: [ORDERS] });
      return filesIn(join(data, '.ringvault', `${restore}.new`, tablePath(ORDERS)));
    },
  };
}

async function filesIn(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('nb-'));
  const hashed = names.map(async (name) => {
    const bytes = await readFile(join(directory, name));
    return [name, createHash('sha256').update(bytes).digest('hex')];
  });
  return Object.fromEntries(await Promise.all(hashed));
}

/** @returns how many requests it made, where none failed */
async function throughFault(
  index: number,
  fault: Fault | undefined,
  of: 'backUp' | 'restore',
): Promise<number> {
  const cycle = await newCycle();
  try {
    let source = of === 'restore' ? await cycle.backUp() : undefined;
    s3.requests.length = 0;
    const isIt = () => s3.requests.filter(counts).length === index + 1;
    const isLeft = fault && s3.fail((asked) => counts(asked) && isIt(), fault);
    source ??= await cycle.backUp();
    const found = of === 'restore' ? await cycle.restore(source) : undefined;
    const made = s3.requests.filter(counts).length;
    expect(isLeft?.() ?? false).toBe(false);
    expect(found ?? (await cycle.restore(source))).toEqual(cycle.files);
    return made;
  } finally {
    await cycle.host.remove();
  }
}

it.each([
  ['as many as it may', false, 8, 8],
  // One more for each sixteen of the forty that went through.
  ['half as many, and then more again, where S3 asks to slow down', true, 4, 6],
])('sends %s at once', async (_, slowsDown, least, most) => {
  const client = new S3Client(s3.connection);
  const store = s3ObjectStore({ bucket: BUCKET, client });
  let isAsked = !slowsDown;
  const listen = store.onFailedAttempt.bind(store);
  store.onFailedAttempt = (listener) =>
    listen((why) => {
      isAsked ||= why === 'throttled';
      listener(why);
    });
  let under = 0;
  const atOnce: number[] = [];
  client.middlewareStack.add(
    (next) => async (args) => {
      const { Key } = args.input as { Key?: string };
      if (!Key?.includes('/objects/')) return next(args);
      under += 1;
      if (isAsked) atOnce.push(under);
      try {
        return await next(args);
      } finally {
        under -= 1;
      }
    },
    { step: 'initialize' },
  );
  const host = await hostUnderTest({ store, limits: { uploadsAtOnce: 8 } });
  try {
    const [data = ''] = await fakeNode(host);
    const stems = Array.from({ length: 40 }, (_, index) => `nb-${index + 1}-big`);
    const names = stems.map((stem) => `${stem}-Data.db`);
    await writeSnapshot(
      data,
      ORDERS,
      Object.fromEntries(stems.map((each) => [each, randomBytes(50)])),
      names,
    );
    const isObject = ({ method, url }: AskedS3) => method === 'PUT' && url.pathname.includes('/objects/');
    if (slowsDown) s3.fail(isObject, FAULTS['is refused for now']);
    const run = `20261121t03000${slowsDown ? 1 : 0}z-0a1b2c3d`;
    await host.run(run, 'upload', uploadInput(run, [ORDERS]));
    expect(Math.max(...atOnce)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...atOnce)).toBeLessThanOrEqual(most);
    const told = await store.get(host.layout.progress(host.instanceArn, `${run}.upload`));
    expect(JSON.parse(String(told?.body)).requestsRetried).toBe(slowsDown ? 1 : 0);
  } finally {
    await host.remove();
    client.destroy();
  }
});

it.each(['backUp', 'restore'] as const)(
  '%s: whichever request fails once, in whichever way, the files are the same',
  async (of) => {
    const requests = await throughFault(0, undefined, of);
    expect(requests).toBeGreaterThan(5);
    for (let index = 0; index < requests; index += 1)
      for (const fault of Object.values(FAULTS)) await throughFault(index, fault, of);
  },
  180_000,
);

// Each request of an upload in parts fails once, in each way that a network has, between the client and a real S3 server.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { NewObject, ObjectStore } from '../../adapters/ports.ts';
import { type AskedS3, FAULTS, type FaultyS3, faultyS3 } from '../shared/faulty-s3.ts';
import { hashedObject } from './hashed-object.ts';

const BUCKET = 'upload-faults';
const PART_BYTES = 5 * 1024 ** 2;
/** Ends nowhere in particular. */
const READ_BYTES = 300_001;
const REQUESTS = ['POST ?uploads', 'PUT 1', 'PUT 3', 'POST ?uploadId'] as const;

let s3: FaultyS3;
const bytes = randomBytes(2 * PART_BYTES + 1);
let directory: string;
/** Of these bytes. */
let file: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'upload-faults-'));
  file = join(directory, 'file');
  await writeFile(file, bytes);
  s3 = await faultyS3(BUCKET);
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await s3.close();
});

function nameOf({ method, url: { searchParams } }: AskedS3): string {
  const what = searchParams.get('partNumber') ?? (searchParams.has('uploads') ? '?uploads' : '?uploadId');
  return `${method} ${what}`;
}

/** Of its three parts the last lies where the first lay. */
const STREAMS = {
  'a stream in memory': () => [Buffer.alloc(PART_BYTES), Buffer.alloc(PART_BYTES)] as const,
  'a stream in files': () => [join(directory, 'part-1'), join(directory, 'part-2')] as const,
};
async function* stream() {
  for (let at = 0; at < bytes.length; at += READ_BYTES) yield bytes.subarray(at, at + READ_BYTES);
}

function put(store: ObjectStore, object: Omit<NewObject, 'body'>, from: string) {
  if (from === 'a file') return store.putObject({ ...object, body: file });
  if (from === 'memory') return store.putObject({ ...object, body: bytes });
  return store.putStream({ ...object, body: stream, parts: STREAMS[from as keyof typeof STREAMS]() });
}

const cases = ['a file', 'memory', ...Object.keys(STREAMS)].flatMap((from) =>
  REQUESTS.flatMap((name) => Object.entries(FAULTS).map(([how, fault]) => ({ from, name, how, fault }))),
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
  it.each(cases)('of $from, where $name $how', async ({ from, name, fault }) => {
    const { client } = s3;
    const store = s3ObjectStore({ bucket: BUCKET, client });
    const object = objectOf({});
    const attempt = () => put(store, object, from);
    const isLeft = s3.fail((asked) => nameOf(asked) === name, fault);
    // As the engine does, where an attempt fails.
    const outcome = await attempt().catch(attempt);
    expect(isLeft()).toBe(false);
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
    return { ...s3.connection.credentials, sessionToken: `token-${asked}`, expiration };
  };
  const own = new S3Client({ ...s3.connection, credentials: renewed });
  try {
    const store = s3ObjectStore({ bucket: BUCKET, client: own });
    const tokens = () => new Set(s3.requests.splice(0).map(({ headers }) => headers['x-amz-security-token']));
    tokens();
    const object = objectOf({});
    expect(await store.putObject({ ...object, body: file })).toBe('created');
    const uploads = tokens();
    for (const start of [0, 10]) {
      const got = await store.getStream(object.key, { start, end: start + 10 });
      expect(got && (await buffer(got.body))).toEqual(bytes.subarray(start, start + 10));
    }
    // Its beginning, its parts at once, its end; each range.
    expect([uploads.size, tokens().size]).toEqual([3, 2]);
  } finally {
    own.destroy();
  }
});

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListPartsCommandOutput,
  S3Client,
  type UploadPartCommandInput,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { NewObject, ObjectStore } from '../../adapters/ports.ts';
import { shared } from '../shared/shared.ts';
import { hashedObject } from './hashed-object.ts';
import { objectStoreSuite } from './object-store.suite.ts';

const PART_BYTES = 5 * 1024 ** 2;

async function clientOf(bucket: string): Promise<S3Client> {
  const { url: endpoint, credentials } = await shared('s3proxy');
  const client = new S3Client({ endpoint, credentials, region: 'eu-west-1', forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return client;
}

/** s3proxy forgets the parts' checksums, S3 lists them. */
function withPartChecksums(client: S3Client): S3Client {
  const checksums = new Map<number | undefined, string | undefined>();
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { PartNumber, ChecksumCRC32 } = args.input as UploadPartCommandInput;
        const result = await next(args);
        if (commandName === 'UploadPartCommand') checksums.set(PartNumber, ChecksumCRC32);
        for (const part of (result.output as ListPartsCommandOutput).Parts ?? []) {
          Object.assign(part, { ChecksumCRC32: checksums.get(part.PartNumber) });
        }
        return result;
      },
    { step: 'initialize' },
  );
  return client;
}

objectStoreSuite('S3', PART_BYTES, async () =>
  s3ObjectStore({ bucket: 'object-store-suite', client: await clientOf('object-store-suite') }),
);

const NO_UPLOAD = { id: () => undefined, begun: async () => undefined, ended: async () => undefined };
let directory: string;

describe('a multipart upload', () => {
  let client: S3Client;
  let store: ObjectStore;
  beforeAll(async () => {
    client = await clientOf('multipart');
    store = s3ObjectStore({ bucket: 'multipart', client });
    directory = await mkdtemp(join(tmpdir(), 'multipart-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('goes on with the parts that an attempt before has sent', async () => {
    const bytes = randomBytes(3 * PART_BYTES);
    let id: string | undefined;
    let sent = 0;
    const object = await objectOf('resumed', bytes, {
      id: () => id,
      begun: async (uploadId) => {
        id = uploadId;
      },
      ended: async () => undefined,
    });
    const onBytes = (more: number) => {
      sent += more;
    };
    let slots = 0;
    const dies = async <Value>(send: () => Promise<Value>) => {
      slots += 1;
      if (slots === 2) throw new Error('killed');
      return send();
    };
    const store = s3ObjectStore({ bucket: 'multipart', client: withPartChecksums(client) });
    await expect(store.putObject({ ...object, onBytes, slot: dies })).rejects.toThrow('killed');
    expect(sent).toBe(2 * PART_BYTES);
    expect(await store.putObject({ ...object, onBytes })).toBe('created');
    expect(sent).toBe(3 * PART_BYTES);
    expect((await store.get('resumed'))?.body.equals(bytes)).toBe(true);
  });

  it.each(['a file', 'memory'])('sends %s in small slices, each when its pace lets it', async (from) => {
    const bytes = randomBytes(PART_BYTES);
    const object = await objectOf(`paced-${from}`, bytes, NO_UPLOAD);
    const slices: number[] = [];
    const pace = { isLimited: () => true, take: async (slice: number) => void slices.push(slice) };
    const body = from === 'memory' ? bytes : object.body;
    expect(await store.putObject({ ...object, body, pace })).toBe('created');
    expect(slices.reduce((sum, slice) => sum + slice, 0)).toBe(bytes.length);
    expect(Math.max(...slices)).toBeLessThanOrEqual(64 * 1024);
    expect((await store.get(object.key))?.body.equals(bytes)).toBe(true);
  });

  it('holds a part of a file to a limit that is set while it is sent', async () => {
    const object = await objectOf('limited-meanwhile', randomBytes(PART_BYTES), NO_UPLOAD);
    const slices: number[] = [];
    let asked = 0;
    const pace = {
      isLimited: () => {
        asked += 1;
        return asked > 2;
      },
      take: async (slice: number) => void slices.push(slice),
    };
    expect(await store.putObject({ ...object, pace })).toBe('created');
    const [first] = slices;
    expect(first).toBe(64 * 1024);
    expect(slices.reduce((sum, slice) => sum + slice, 0)).toBeLessThan(PART_BYTES);
  });

  it('ends what it had begun of a stream that fails, and what an attempt before had left', async () => {
    const left = new Set<string>();
    const ids: string[] = [];
    const upload = {
      id: () => [...left][0],
      async begun(id: string) {
        left.add(id);
        ids.push(id);
      },
      ended: async () => left.clear(),
    };
    const slot = <Value>(send: () => Promise<Value>) => send();
    const parts = [Buffer.alloc(PART_BYTES), Buffer.alloc(PART_BYTES)] as const;
    const failing = async function* () {
      yield randomBytes(2 * PART_BYTES + 1);
      throw new Error('the disk is gone');
    };
    const stream = { key: 'stream', partBytes: PART_BYTES, slot, upload, body: failing, parts };
    await expect(store.putStream(stream)).rejects.toThrow('the disk is gone');
    expect(left.size).toBe(0);
    const isKnown = async (UploadId: string | undefined) => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: 'multipart' }));
      return Uploads.some((each) => each.UploadId === UploadId);
    };
    expect(await isKnown(ids[0])).toBe(false);
    const begin = new CreateMultipartUploadCommand({ Bucket: 'multipart', Key: 'stream' });
    const { UploadId = '' } = await client.send(begin);
    await upload.begun(UploadId);
    expect(await isKnown(UploadId)).toBe(true);
    const bytes = randomBytes(PART_BYTES + 1);
    const body = async function* () {
      yield bytes;
    };
    expect(await store.putStream({ ...stream, body })).toBe('created');
    expect(await isKnown(UploadId)).toBe(false);
    expect((await store.get('stream'))?.body.equals(bytes)).toBe(true);
  });

  it.each(['putObject', 'putStream'] as const)('stops %s when it is told to', async (how) => {
    const bytes = randomBytes(3 * PART_BYTES);
    const stop = new AbortController();
    const object = await objectOf(`stopped-${how}`, bytes, NO_UPLOAD);
    let sent = 0;
    const onBytes = (more: number) => {
      sent += more;
      stop.abort(new Error('told to stop'));
    };
    let slots = Promise.resolve<unknown>(undefined);
    // One part at a time.
    const slot = <Value>(send: () => Promise<Value>): Promise<Value> => {
      const result = slots.then(send);
      slots = result.catch(() => undefined);
      return result;
    };
    const common = { ...object, slot, onBytes, signal: stop.signal };
    const body = async function* () {
      yield bytes;
    };
    const parts = [Buffer.alloc(PART_BYTES), Buffer.alloc(PART_BYTES)] as const;
    const putting =
      how === 'putObject' ? store.putObject(common) : store.putStream({ ...common, body, parts });
    await expect(putting).rejects.toThrow('told to stop');
    expect(sent).toBe(PART_BYTES);
    expect(await store.attributes(object.key)).toBeUndefined();
  });

  it('begins anew where S3 does not know the earlier one any more', async () => {
    const bytes = randomBytes(2 * PART_BYTES);
    const object = await objectOf('forgotten', bytes, {
      id: () => 'unknown-upload',
      begun: async () => undefined,
      ended: async () => undefined,
    });
    expect(await store.putObject(object)).toBe('created');
    expect((await store.get('forgotten'))?.body.equals(bytes)).toBe(true);
  });
});

async function objectOf(key: string, bytes: Buffer, upload: NewObject['upload']): Promise<NewObject> {
  const path = join(directory, key);
  await writeFile(path, bytes);
  return { ...hashedObject(bytes, PART_BYTES), key, body: path, upload };
}

// Two hosts that store the same object at the same moment: S3 says 412 to who comes late, 409 to who comes while the other writes.
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { ObjectStore } from '../../adapters/ports.ts';
import { refusal, ScriptedS3 } from './scripted-s3.ts';

const conflict = () => refusal('ConditionalRequestConflict', 409);
const body = Buffer.from('the same bytes');

let s3: ScriptedS3;
let store: ObjectStore;
beforeEach(() => {
  // Waits are drawn between 0 and something.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  s3 = new ScriptedS3();
  store = s3ObjectStore({ bucket: 'bucket', client: s3.client });
});
afterEach(() => vi.restoreAllMocks());

const isUnderWayElsewhere = () => {
  s3.objects.add('same');
  throw conflict();
};
const own = crc32(body);
const upload = { id: () => undefined, begun: async () => undefined, ended: async () => undefined };
const object = {
  ...{ key: 'same', body, sizeBytes: body.length, sha256: '00'.repeat(32), crc32: own, partCrc32: [own] },
  ...{ partBytes: 64, slot: <Value>(send: () => Promise<Value>) => send(), upload },
};

describe.each([
  ['a document', () => store.put('same', body, 'create')],
  ['an object', () => store.putObject(object)],
])('%s that another host stores at the same moment', (_, put) => {
  it('exists, where the other was there first', async () => {
    s3.objects.add('same');
    expect(await put()).toBe('exists');
    expect(s3.count('PutObject')).toBe(1);
  });

  it('exists, where the other was under way', async () => {
    s3.next('PutObject', isUnderWayElsewhere);
    expect(await put()).toBe('exists');
  });

  it('is created, where the other failed', async () => {
    s3.next('PutObject', conflict());
    expect(await put()).toBe('created');
    expect(s3.count('PutObject')).toBe(2);
  });

  it('is a failure that passes, where conflicts do not end', async () => {
    for (let attempt = 0; attempt < 5; attempt += 1) s3.next('PutObject', conflict());
    await expect(put()).rejects.toMatchObject({ name: 'VaultUnavailable', retryable: true });
    expect(s3.count('PutObject')).toBe(5);
  });
});

it('sends an object no second time that is there after a conflict', async () => {
  s3.next('PutObject', isUnderWayElsewhere);
  expect(await store.putObject(object)).toBe('exists');
  expect(s3.count('PutObject')).toBe(1);
});

it('overwrites also where a conflict was with what is there', async () => {
  s3.next('PutObject', isUnderWayElsewhere);
  expect(await store.put('same', body, 'overwrite')).toBe('created');
  expect(s3.count('PutObject')).toBe(2);
});

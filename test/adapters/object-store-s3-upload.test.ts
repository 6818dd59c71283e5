// Uploads in many parts, where S3 refuses some request of theirs: nothing good is sent again, and nothing is left behind.
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import type { NewObject, NewStream, ObjectStore } from '../../adapters/ports.ts';
import { refusal, ScriptedS3 } from './scripted-s3.ts';

const PARTS = 10;
const PART_BYTES = 16;

let s3: ScriptedS3;
let store: ObjectStore;
/** The upload that the journal names. */
let journalled: string | undefined;
let object: NewObject;

beforeEach(() => {
  // Waits are drawn between 0 and something.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  s3 = new ScriptedS3();
  store = s3ObjectStore({ bucket: 'bucket', client: s3.client });
  journalled = undefined;
  const body = randomBytes(PARTS * PART_BYTES);
  const parts = Array.from({ length: PARTS }, (_, index) =>
    crc32(body.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)),
  );
  object = {
    ...{ key: 'large', body, sizeBytes: body.length, sha256: '00'.repeat(32), crc32: crc32(body) },
    ...{ partCrc32: parts, partBytes: PART_BYTES, slot: (send) => send() },
    upload: {
      id: () => journalled,
      async begun(id) {
        journalled = id;
      },
      async ended() {
        journalled = undefined;
      },
    },
  };
});
afterEach(() => vi.restoreAllMocks());

describe('an upload that is refused', () => {
  it.each([
    ['ExpiredToken', 400],
    ['RequestTimeout', 400],
    ['KMS.DisabledException', 400],
    ['SlowDown', 503],
  ])('for now, with %s, is gone on with by the next attempt', async (name, status) => {
    for (let part = 1; part < PARTS; part += 1) s3.next('UploadPart', (_, own) => own());
    s3.next('UploadPart', refusal(name, status));
    await expect(store.putObject(object)).rejects.toThrow(name);
    expect([journalled, s3.count('AbortMultipartUpload')]).toEqual(['u1', 0]);
    expect(await store.putObject(object)).toBe('created');
    expect([s3.count('UploadPart'), s3.count('CreateMultipartUpload')]).toEqual([PARTS + 1, 1]);
  });

  it('for a clock that is off says so', async () => {
    s3.next('CreateMultipartUpload', refusal('RequestTimeTooSkewed', 403));
    await expect(store.putObject(object)).rejects.toMatchObject({
      name: 'VaultDenied',
      message: expect.stringMatching(/RequestTimeTooSkewed.*this host's clock is more than 15 minutes off/),
    });
  });

  it.each([
    'InvalidPart',
    'InvalidPartOrder',
    'EntityTooSmall',
    'EntityTooLarge',
    'BadDigest',
    'XAmzContentChecksumMismatch',
    'InvalidRequest',
  ])('for good, with %s, is aborted and forgotten', async (name) => {
    s3.next('CompleteMultipartUpload', refusal(name, 400));
    await expect(store.putObject(object)).rejects.toThrow(name);
    expect([journalled, s3.uploads.size]).toEqual([undefined, 0]);
  });

  it('is remembered where its abort fails, so that the next attempt finds it', async () => {
    s3.next('CompleteMultipartUpload', refusal('BadDigest', 400));
    s3.next('AbortMultipartUpload', refusal('SlowDown', 503));
    await expect(store.putObject(object)).rejects.toThrow('BadDigest');
    expect([journalled, s3.uploads.size]).toEqual(['u1', 1]);
    s3.next('CompleteMultipartUpload', refusal('BadDigest', 400));
    await expect(store.putObject(object)).rejects.toThrow('BadDigest');
    expect([journalled, s3.uploads.size]).toEqual([undefined, 0]);
  });

  it('is forgotten where S3 has forgotten it', async () => {
    s3.next('CompleteMultipartUpload', refusal('BadDigest', 400));
    s3.next('AbortMultipartUpload', refusal('NoSuchUpload', 404));
    await expect(store.putObject(object)).rejects.toThrow('BadDigest');
    expect(journalled).toBeUndefined();
  });
});

describe('an object in parts whose outcome is not known', () => {
  const lostAnswer = (_: unknown, own: () => object): never => {
    own();
    // What the SDK's next attempt at the same request meets.
    throw refusal('NoSuchUpload', 404);
  };

  const streamed = (): NewStream => ({
    ...object,
    async *body() {
      yield Buffer.from(object.body);
    },
    parts: [Buffer.alloc(PART_BYTES), Buffer.alloc(PART_BYTES)],
  });

  it('is looked for before anything is sent again', async () => {
    s3.next('CompleteMultipartUpload', lostAnswer);
    expect(await store.putObject(object)).toBe('exists');
    expect([s3.count('UploadPart'), s3.count('CreateMultipartUpload'), journalled]).toEqual([
      PARTS,
      1,
      undefined,
    ]);
  });

  it('is looked for by the next attempt, too', async () => {
    s3.next('CompleteMultipartUpload', (_, own) => {
      own();
      throw refusal('InternalError', 500);
    });
    await expect(store.putObject(object)).rejects.toThrow('InternalError');
    expect(await store.putObject(object)).toBe('exists');
    expect([s3.count('UploadPart'), journalled]).toEqual([PARTS, undefined]);
  });

  it('is not sent again where another host has stored it', async () => {
    s3.next('CompleteMultipartUpload', () => {
      s3.objects.add('large');
      throw refusal('ConditionalRequestConflict', 409);
    });
    expect(await store.putObject(object)).toBe('exists');
    expect([s3.count('UploadPart'), s3.uploads.size, journalled]).toEqual([PARTS, 0, undefined]);
  });

  it('is begun anew after each conflict, once the upload before is aborted', async () => {
    for (let conflict = 1; conflict <= 2; conflict += 1) {
      s3.next('CompleteMultipartUpload', refusal('ConditionalRequestConflict', 409));
    }
    expect(await store.putObject(object)).toBe('created');
    expect(s3.calls.filter((call) => /^(Create|Complete|Abort|Head)/.test(call))).toEqual([
      ...['CreateMultipartUpload', 'CompleteMultipartUpload u1', 'AbortMultipartUpload u1', 'HeadObject'],
      ...['CreateMultipartUpload', 'CompleteMultipartUpload u2', 'AbortMultipartUpload u2', 'HeadObject'],
      ...['CreateMultipartUpload', 'CompleteMultipartUpload u3'],
    ]);
    expect(s3.uploads.size).toBe(0);
  });

  it.each(['putObject', 'putStream'] as const)(
    'is left to the next %s where the abort fails',
    async (how) => {
      const put = () => (how === 'putObject' ? store.putObject(object) : store.putStream(streamed()));
      s3.next('CompleteMultipartUpload', refusal('ConditionalRequestConflict', 409));
      s3.next('AbortMultipartUpload', refusal('SlowDown', 503));
      await expect(put()).rejects.toMatchObject({ name: 'VaultUnavailable', retryable: true });
      expect(journalled).toBe('u1');
      expect(await put()).toBe('created');
      expect(s3.uploads.size).toBe(0);
    },
  );

  it('is aborted by who remembers none, too', async () => {
    const upload = { ...object.upload, id: () => undefined };
    s3.next('CompleteMultipartUpload', refusal('ConditionalRequestConflict', 409));
    expect(await store.putObject({ ...object, upload })).toBe('created');
    expect(s3.uploads.size).toBe(0);
    expect(await store.putObject({ ...object, upload })).toBe('exists');
    expect(s3.uploads.size).toBe(0);
  });

  it('is sent by a host that is denied to look, as of what is missing', async () => {
    s3.next('CompleteMultipartUpload', refusal('ConditionalRequestConflict', 409));
    s3.next('HeadObject', refusal('AccessDenied', 403));
    expect(await store.putObject(object)).toBe('created');
  });

  it('is looked for where it is a stream, too', async () => {
    s3.next('CompleteMultipartUpload', lostAnswer);
    expect(await store.putStream(streamed())).toBe('exists');
    expect([s3.count('UploadPart'), journalled]).toEqual([PARTS, undefined]);
  });
});

describe('a HEAD that is refused, to which S3 does not say why', () => {
  it.each([
    ['ExpiredToken', 'VaultUnavailable', true],
    ['KMS.DisabledException', 'EncryptionKeyDenied', false],
  ])('with %s is told as what a GET says that it is', async (said, name, retryable) => {
    s3.next('HeadObject', refusal('400', 400));
    s3.next('GetObject', refusal(said, 400));
    await expect(store.attributes('object')).rejects.toMatchObject({
      ...{ name, retryable, message: expect.stringContaining(said) },
    });
  });

  it('is a failure that passes where the GET goes through', async () => {
    s3.next('HeadObject', refusal('400', 400));
    s3.next('GetObject', () => ({}));
    await expect(store.attributes('object')).rejects.toMatchObject({ name: 'VaultUnavailable' });
  });
});

// Data keys from KMS and from memory: the same promises.
import { randomBytes } from 'node:crypto';
import { KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kmsDataKeys } from '../../adapters/data-keys-kms.ts';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import type { DataKeys } from '../../adapters/ports.ts';
import { Keys } from '../../local/services/kms/keys.ts';
import { kmsService } from '../../local/services/kms/kms.ts';
import { startTestServer, type TestServer } from '../local/endpoint/endpoint.ts';

const roleArn = 'arn:aws:iam::111122223333:role/host';
let server: TestServer;
let keys: Keys;
let arn: string;
let operator: KMSClient;

beforeAll(async () => {
  server = await startTestServer();
  keys = new Keys();
  server.register(kmsService(keys));
  ({ arn } = keys.create('the backups of demo'));
  operator = new KMSClient(server.configuration());
  const ofDemo = { StringEquals: { 'kms:EncryptionContext:ringvault:cluster': 'demo' } };
  const statement = (Action: string[]) => ({ Effect: 'Allow', Action, Resource: arn, Condition: ofDemo });
  server.authorizer.putRole({
    arn: roleArn,
    name: 'host',
    inlinePolicies: {
      keys: { Version: '2012-10-17', Statement: [statement(['kms:GenerateDataKey', 'kms:Decrypt'])] },
    },
    managedPolicies: {},
    trust: { Version: '2012-10-17', Statement: [] },
  });
});
afterAll(async () => {
  operator.destroy();
  await server.close();
});

const memory = new Map();
const kinds: Array<[string, (clusterId: string) => DataKeys]> = [
  ['KMS', (clusterId) => kmsDataKeys({ clusterId, clients: [operator] })],
  ['memory', (clusterId) => memoryDataKeys(clusterId, memory)],
];

describe.each(kinds)('data keys of %s', (_, of) => {
  it('come back as they were, for their cluster alone', async () => {
    const { plaintext, wrapped } = await of('demo').generate(arn);
    expect(plaintext).toHaveLength(32);
    expect(wrapped.includes(plaintext)).toBe(false);
    // What the header of an encrypted object has room for.
    expect(wrapped.length).toBeLessThanOrEqual(470);
    expect(await of('demo').unwrap(wrapped)).toMatchObject({ plaintext, kmsKeyArn: arn });
    expect(await of('other').unwrap(wrapped)).toBeUndefined();
  });

  it('are others each time, and nothing else is one', async () => {
    const [one, other] = [await of('demo').generate(arn), await of('demo').generate(arn)];
    expect(one.plaintext.equals(other.plaintext)).toBe(false);
    // KMS does not tell keys that are not there from those of strangers.
    const stranger = await of('demo')
      .unwrap(randomBytes(184))
      .catch((error: Error) => error.name);
    expect([undefined, 'EncryptionKeyDenied']).toContain(stranger);
    expect(await of('demo').unwrap(one.wrapped.subarray(0, -1))).toBeUndefined();
  });
});

describe('KMS', () => {
  const host = () => new KMSClient(server.configuration({ arn: `${roleArn}/i-1`, roleArn }));

  it('is asked once for a key, however often it is needed', async () => {
    const { wrapped } = await kmsDataKeys({ clusterId: 'demo', clients: [operator] }).generate(arn);
    const calls: string[] = [];
    const client = new KMSClient(server.configuration());
    client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          calls.push(String(commandName));
          return next(args);
        },
      { step: 'initialize' },
    );
    const once = kmsDataKeys({ clusterId: 'demo', clients: [client] });
    await Promise.all([once.unwrap(wrapped), once.unwrap(Buffer.from(wrapped)), once.unwrap(wrapped)]);
    expect(calls).toEqual(['DecryptCommand']);
  });

  it('lets a host use its key for its cluster, and for no other', async () => {
    const own = kmsDataKeys({ clusterId: 'demo', clients: [host()] });
    const { wrapped } = await own.generate(arn);
    expect(await own.unwrap(wrapped)).toBeDefined();
    const other = kmsDataKeys({ clusterId: 'other', clients: [host()] });
    await expect(other.generate(arn)).rejects.toMatchObject({ name: 'EncryptionKeyDenied' });
  });

  it('is asked where else the key may be, where one knows nothing of it', async () => {
    const { wrapped } = await kmsDataKeys({ clusterId: 'demo', clients: [operator] }).generate(arn);
    const refusing = (name: string) => {
      const client = new KMSClient({ ...server.configuration(), maxAttempts: 1 });
      client.middlewareStack.add(() => () => Promise.reject(Object.assign(new Error('not here'), { name })), {
        step: 'initialize',
      });
      return client;
    };
    const [denied, wrong] = [refusing('AccessDeniedException'), refusing('InvalidCiphertextException')];
    const of = (clients: [KMSClient, ...KMSClient[]]) => kmsDataKeys({ clusterId: 'demo', clients });
    expect(await of([denied, wrong, operator]).unwrap(wrapped)).toBeDefined();
    await expect(of([wrong, denied]).unwrap(wrapped)).rejects.toMatchObject({ name: 'EncryptionKeyDenied' });
    expect(await of([wrong]).unwrap(wrapped)).toBeUndefined();
  });

  it('gives up where it never answers whole keys', async () => {
    const client = new KMSClient(server.configuration());
    client.middlewareStack.add(() => async () => ({ output: { $metadata: {} }, response: {} }) as never, {
      step: 'initialize',
    });
    const hollow = kmsDataKeys({ clusterId: 'demo', clients: [client] });
    await expect(hollow.generate(arn)).rejects.toMatchObject({ name: 'AwsCallFailed' });
    await expect(hollow.unwrap(Buffer.alloc(10))).rejects.toMatchObject({ name: 'AwsCallFailed' });
  });

  it('names a key that is disabled or gone, and unwraps again when it is back', async () => {
    const own = kmsDataKeys({ clusterId: 'demo', clients: [host()] });
    const { wrapped } = await own.generate(arn);
    const later = kmsDataKeys({ clusterId: 'demo', clients: [host()] });
    keys.setEnabled(arn, false);
    try {
      await expect(own.generate(arn)).rejects.toMatchObject({
        name: 'EncryptionKeyDenied',
        message: expect.stringContaining('DisabledException'),
      });
      await expect(later.unwrap(wrapped)).rejects.toMatchObject({ name: 'EncryptionKeyDenied' });
    } finally {
      keys.setEnabled(arn, true);
    }
    expect(await later.unwrap(wrapped)).toBeDefined();
    await expect(own.generate(`${arn}0`)).rejects.toMatchObject({ name: 'EncryptionKeyDenied' });
  });
});

// Whether an object of the vault is what its name says.
import { createHash } from 'node:crypto';
import type { DataKeys, ObjectAttributes, ObjectStore } from '../../adapters/ports.ts';
import { storedSha256 } from '../../adapters/stored-sha256.ts';
import { EncryptionKeyDenied, VaultDenied } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import type { Hashed } from '../hashing/messages.ts';
import { decoded, isEncoded, isUndecodable } from './encoding.ts';
import { HEADER_BYTES, openHeader } from './encryption.ts';
import type { StoreContext } from './store-object.ts';
import { objectKey, type StoredObject } from './stored-objects.ts';

/** To a host, which may not list, S3 says that it is denied what is missing. */
export async function attributesIfThere(
  store: ObjectStore,
  key: string,
): Promise<ObjectAttributes | undefined> {
  try {
    return await store.attributes(key);
  } catch (error) {
    if (error instanceof VaultDenied) return undefined;
    throw error;
  }
}

/** What was found to be right. */
export type Found = Pick<StoredObject, 'encryptionKey'>;

/**
 * Reads it where S3's hash is not that of its plain bytes, nor of the same bytes encoded.
 * @param known bytes: what encoding the file has made of it just now, by the key; attributes: what S3 said just now
 * @returns undefined where it is other bytes
 */
export async function findRight(
  context: StoreContext,
  object: StoredObject,
  file: Hashed,
  known: {
    bytes?: Buffer | undefined;
    encryptionKey?: string | undefined;
    attributes?: ObjectAttributes | undefined;
  } = {},
): Promise<Found | undefined> {
  const { store, signal } = context.action;
  const key = objectKey(context.action, object);
  const beforeBytes = async (bytes: number) => {
    signal.throwIfAborted();
    await context.pace.take(bytes, signal);
  };
  const { bytes, encryptionKey, attributes = await store.attributes(key) } = known;
  if (bytes && attributes?.sha256 === createHash('sha256').update(bytes).digest('hex'))
    return keyed(encryptionKey);
  if (isEncoded(object.variant)) return context.slot(() => decodesTo(context, object, file, beforeBytes));
  if (attributes?.sizeBytes !== file.sizeBytes) return undefined;
  const got = await context.slot(() => storedSha256(store, key, attributes, beforeBytes));
  return got === file.sha256 ? {} : undefined;
}

export function keyed(encryptionKey: string | undefined): Found {
  return encryptionKey === undefined ? {} : { encryptionKey };
}

/** Whether what a host encrypted once can be decrypted still. */
export async function canBeOpened(
  { store, dataKeys, signal, log, layout, document }: ActionContext,
  object: StoredObject,
): Promise<boolean> {
  const key = objectKey({ layout, document }, object);
  const header: Buffer[] = [];
  const take = (bytes: Buffer) => void header.push(Buffer.from(bytes));
  try {
    const isFound = await store.receive(key, { signal, range: { start: 0, end: HEADER_BYTES }, take });
    if (isFound) {
      await openHeader(Buffer.concat(header), dataKeys, object.sha256);
      return true;
    }
    log.error({ key }, 'an object is gone');
  } catch (error) {
    // To a host, which may not list, S3 says that it is denied what is missing.
    const isNamed = error instanceof EncryptionKeyDenied || error instanceof VaultDenied;
    if (!isNamed && !isUndecodable(error)) throw error;
    log.error({ err: error, key }, 'an object cannot be decrypted');
  }
  return false;
}

async function decodesTo(
  { action }: StoreContext,
  object: StoredObject,
  { sha256, sizeBytes }: Hashed,
  beforeBytes: (bytes: number) => Promise<void>,
): Promise<Found | undefined> {
  const stored = await action.store.getStream(objectKey(action, object));
  if (!stored) return undefined;
  let encryptionKey: string | undefined;
  const keys: DataKeys = {
    ...action.dataKeys,
    async unwrap(wrapped) {
      const key = await action.dataKeys.unwrap(wrapped);
      encryptionKey = key?.kmsKeyArn;
      return key;
    },
  };
  const received = async function* () {
    for await (const chunk of stored.body) {
      await beforeBytes((chunk as Buffer).length);
      yield chunk as Buffer;
    }
  };
  const hash = createHash('sha256');
  let got = 0;
  try {
    for await (const chunk of decoded(received(), object, keys)) {
      got += chunk.length;
      if (got > sizeBytes) return undefined;
      hash.update(chunk);
    }
  } catch (error) {
    if (isUndecodable(error)) return undefined;
    if (error instanceof EncryptionKeyDenied) {
      // A stranger's key, or one that is gone: what nobody here can read is not what is wanted.
      action.log.error({ err: error, key: objectKey(action, object) }, 'an object cannot be decrypted');
      return undefined;
    }
    throw error;
  }
  return hash.digest('hex') === sha256 ? keyed(encryptionKey) : undefined;
}

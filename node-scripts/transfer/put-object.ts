// Puts an object that was hashed into the vault under its name, and sees to it that what lies there is what its name says.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { streamPartBytesFor } from '../../adapters/part-size.ts';
import type { DataKey, ObjectAttributes } from '../../adapters/ports.ts';
import { FileUnstable, FileVanished, ObjectTampered, UnexpectedError } from '../../contracts/errors.ts';
import { isMissingFile } from '../durable-files.ts';
import type { Hashed } from '../hashing/messages.ts';
import { compressedIfSmaller, shrinks } from './compression.ts';
import { type Encoding, encoded, variantOf } from './encoding.ts';
import { encrypted } from './encryption.ts';
import { attributesIfThere, type Found, findRight, keyed } from './right-object.ts';
import type { StoreContext, Stored } from './store-object.ts';
import { objectKey, type StoredObject } from './stored-objects.ts';

/** Read from the disk at once. */
const READ_BYTES = 1024 ** 2;

/** S3 says only at the end of what it is sent that it has it already. Of what is larger it is asked before. */
const ASKED_BEFORE_BYTES = 64 * 1024 ** 2;

/** What is put: the bytes that were hashed, or what is made of them. */
interface Content extends Encoding {
  path: string;
  hashed: Hashed;
  dataKey: DataKey | undefined;
  /** What was made of small ones. */
  bytes?: Buffer;
}

/** Under its own name or, where other bytes have taken it, beside. @throws FileVanished FileUnstable VaultUnavailable ObjectTampered */
export async function putRight(
  context: StoreContext,
  path: string,
  hashed: Hashed,
): Promise<Pick<Stored, 'object' | 'outcome' | 'tampered'>> {
  const { action, stored } = context;
  const { sha256 } = hashed;
  const content = await contentOf(context, path, hashed);
  const own: StoredObject = { sha256, variant: variantOf(content, false) };
  const put = await putUnder(context, own, content);
  if (put) return remember(stored, own, put);
  const tampered = objectKey(action, own);
  const beside: StoredObject = { sha256, variant: variantOf(content, true) };
  const putBeside = await putUnder(context, beside, content);
  if (!putBeside)
    throw new ObjectTampered(
      `${objectKey(action, beside)} and ${tampered} both hold other bytes than ${path}`,
    );
  action.log.error({ key: tampered }, 'an object holds other bytes than its name says');
  return { ...(await remember(stored, beside, putBeside)), tampered };
}

async function remember(stored: StoreContext['stored'], name: StoredObject, { outcome, ...found }: Put) {
  const object = { ...name, ...found };
  await stored.add(object);
  return { object, outcome };
}

async function contentOf(context: StoreContext, path: string, hashed: Hashed): Promise<Content> {
  const { sha256, sizeBytes, body } = hashed;
  const dataKey = await context.dataKey?.();
  const content = { path, hashed, dataKey, isEncrypted: dataKey !== undefined };
  const mayCompress = context.action.document.compression !== 'none';
  if (!body)
    return {
      ...content,
      isCompressed: mayCompress && (await context.compressing(() => shrinks(path, sizeBytes))),
    };
  const plain = new Uint8Array(body);
  const smaller = mayCompress ? await context.compressing(() => compressedIfSmaller(plain)) : undefined;
  const isCompressed = smaller !== undefined;
  if (!dataKey) return { ...content, isCompressed, ...(smaller && { bytes: smaller }) };
  const bytes = await buffer(encrypted(Readable.from([smaller ?? plain]), dataKey, sha256));
  return { ...content, isCompressed, bytes };
}

type Put = Found & Pick<Stored, 'outcome'>;

/** @returns undefined where other bytes have the name */
async function putUnder(
  context: StoreContext,
  object: StoredObject,
  content: Content,
): Promise<Put | undefined> {
  const { action } = context;
  const { hashed, bytes, isCompressed, isEncrypted } = content;
  const key = objectKey(action, object);
  const encryptionKey = content.dataKey?.kmsKeyArn;
  const lookAt = async (attributes?: ObjectAttributes): Promise<Put | undefined> => {
    const found = await findRight(context, object, hashed, { bytes, encryptionKey, attributes });
    return found && { ...found, outcome: 'already-stored' };
  };
  const isAsked = hashed.sizeBytes > ASKED_BEFORE_BYTES;
  const found = isAsked ? await attributesIfThere(action.store, key) : undefined;
  if (found) return lookAt(found);
  const put = () => putContent(context, key, content);
  // A large file that is encoded has two parts in memory.
  const outcome = await ((isCompressed || isEncrypted) && !bytes
    ? context.encoding(hashed.sizeBytes, put)
    : put());
  return outcome === 'created' ? { ...keyed(encryptionKey), outcome: 'uploaded' } : lookAt();
}

function putContent(
  { action, stored, slot, pace }: StoreContext,
  key: string,
  { path, hashed, isCompressed, isEncrypted, dataKey, bytes }: Content,
): Promise<'created' | 'exists'> {
  const { sha256, sizeBytes, crc32: whole, partCrc32, partBytes, body } = hashed;
  const sending = {
    ...{ key, partBytes, slot, upload: stored.uploadOf(key), signal: action.signal },
    pace: { isLimited: pace.isLimited, take: (bytes: number) => pace.take(bytes, action.signal) },
    onBytes: (transferred: number) => action.progress.add({ transferred }),
  };
  if (bytes) {
    const own = crc32(bytes);
    const hash = createHash('sha256').update(bytes).digest('hex');
    return action.store.putObject({
      ...sending,
      ...{ body: bytes, sizeBytes: bytes.length, sha256: hash, crc32: own, partCrc32: [own] },
    });
  }
  if (isCompressed || isEncrypted) {
    return action.store.putStream({
      ...sending,
      partBytes: streamPartBytesFor(sizeBytes),
      body: () => encoded(plainBytes(path, hashed), { sha256, sizeBytes, isCompressed, dataKey }),
    });
  }
  return action.store.putObject({
    ...sending,
    ...{ body: body ? new Uint8Array(body) : path, sizeBytes, sha256, crc32: whole, partCrc32 },
  });
}

/** S3 checks what is sent; that it was made of what was hashed is checked here. */
async function* plainBytes(path: string, { sha256, sizeBytes }: Hashed): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { end: sizeBytes - 1, highWaterMark: READ_BYTES })) {
      hash.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  } catch (error) {
    if (isMissingFile(error)) throw new FileVanished(`${path}: it is gone, while it was encoded`);
    throw new UnexpectedError(`${path}: it cannot be read: ${error}`, { cause: error });
  }
  const got = hash.digest('hex');
  if (got !== sha256)
    throw new FileUnstable(`${path}: got SHA-256 ${got}, expected ${sha256} as it was hashed`);
}

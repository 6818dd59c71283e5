// Puts an object that was hashed into the vault under its name, and sees to it that what lies there is what its name says.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FilePart } from '../../adapters/file-part.ts';
import { streamPartBytesFor } from '../../adapters/part-size.ts';
import type { DataKey, NewStream, ObjectAttributes } from '../../adapters/ports.ts';
import { FileUnstable, ObjectTampered } from '../../contracts/errors.ts';
import type { Hashed } from '../hashing/messages.ts';
import { shrinks } from './compression.ts';
import { type Encoding, encoded, encodedInto, variantOf } from './encoding.ts';
import { sealedBytes } from './encryption.ts';
import { attributesIfThere, type Found, findRight, keyed } from './right-object.ts';
import type { StoreContext, Stored } from './store-object.ts';
import { objectKey, type StoredObject } from './stored-objects.ts';

/** S3 says only at the end of what it is sent that it has it already. Of what is larger it is asked before. */
const ASKED_BEFORE_BYTES = 64 * 1024 ** 2;

/** What is put: the bytes that were hashed, or what is made of them. */
interface Content extends Encoding {
  path: string;
  hashed: Hashed;
  dataKey: DataKey | undefined;
  /** What was made of small ones, which are themselves not in memory any more then. */
  bytes?: Buffer;
}

/** The memory of a small object, from its hash to the end of its PUT. */
export interface Room {
  plain: Buffer;
  /** For what is made of it. */
  encoded: Buffer;
  /** What is not sent is others' again. */
  keepOnly(bytes: Uint8Array): void;
}

export function withRoom<Value>(
  { action, dataKey, memory }: StoreContext,
  sizeBytes: number,
  use: (room: Room) => Promise<Value>,
): Promise<Value> {
  const isCompressing = action.document.compression !== 'none';
  const encodedBytes = dataKey ? sealedBytes(sizeBytes) : isCompressing ? sizeBytes : 0;
  return memory.lend(encodedBytes + sizeBytes, ({ bytes, keepOnly }) =>
    use({ encoded: bytes.subarray(0, encodedBytes), plain: bytes.subarray(encodedBytes), keepOnly }),
  );
}

/** Under its own name or, where other bytes have taken it, beside. @throws FileVanished FileUnstable VaultUnavailable ObjectTampered */
export async function putRight(
  context: StoreContext,
  path: string,
  hashed: Hashed,
  room: Room | undefined,
): Promise<Pick<Stored, 'object' | 'outcome' | 'tampered'>> {
  const { action, stored } = context;
  const { sha256 } = hashed;
  const content = await contentOf(context, path, hashed, room);
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

async function contentOf(
  context: StoreContext,
  path: string,
  hashed: Hashed,
  room: Room | undefined,
): Promise<Content> {
  const { sha256, sizeBytes, body } = hashed;
  const dataKey = await context.dataKey?.();
  const content = { path, hashed, dataKey, isEncrypted: dataKey !== undefined };
  const mayCompress = context.action.document.compression !== 'none';
  if (!body || !room)
    return {
      ...content,
      isCompressed: mayCompress && (await context.compressing(() => shrinks(path, sizeBytes))),
    };
  const encode = (isCompressed: boolean) =>
    encodedInto(room.encoded, body, { sha256, sizeBytes, isCompressed, dataKey });
  const smaller = mayCompress ? await context.compressing(() => encode(true)) : undefined;
  const bytes = smaller ?? (dataKey && (await encode(false)));
  room.keepOnly(bytes ?? body);
  return { ...content, isCompressed: smaller !== undefined, ...(bytes && { bytes }) };
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
  const outcome = await ((isCompressed || isEncrypted) && !bytes
    ? context.withParts(hashed.sizeBytes, (parts) => putEncoded(context, key, content, parts))
    : putContent(context, key, content));
  return outcome === 'created' ? { ...keyed(encryptionKey), outcome: 'uploaded' } : lookAt();
}

function putContent(
  context: StoreContext,
  key: string,
  { path, hashed, bytes }: Content,
): Promise<'created' | 'exists'> {
  const { sha256, sizeBytes, crc32: whole, partCrc32, partBytes, body } = hashed;
  const { store } = context.action;
  const sending = sendingOf(context, key);
  if (bytes) {
    const own = crc32(bytes);
    const hash = createHash('sha256').update(bytes).digest('hex');
    return store.putObject({
      ...{ ...sending, partBytes, body: bytes, sizeBytes: bytes.length },
      ...{ sha256: hash, crc32: own, partCrc32: [own] },
    });
  }
  return store.putObject({
    ...{ ...sending, partBytes, body: body ?? path, sizeBytes, sha256, crc32: whole, partCrc32 },
  });
}

/** Of a large file, as it is sent. */
async function putEncoded(
  context: StoreContext,
  key: string,
  { path, hashed, isCompressed, dataKey }: Content,
  parts: NewStream['parts'],
): Promise<'created' | 'exists'> {
  const { sha256, sizeBytes } = hashed;
  const files: FilePart[] = [];
  const body = () => {
    const file = new FilePart(path, { at: 0, length: sizeBytes });
    files.push(file);
    return encoded(plainBytes(file, path, hashed), { sha256, sizeBytes, isCompressed, dataKey });
  };
  const partBytes = streamPartBytesFor(sizeBytes);
  try {
    return await context.action.store.putStream({ ...sendingOf(context, key), partBytes, parts, body });
  } finally {
    for (const file of files) file.destroy();
  }
}

function sendingOf({ action, stored, slot, pace }: StoreContext, key: string) {
  return {
    ...{ key, slot, upload: stored.uploadOf(key), signal: action.signal },
    pace: { isLimited: pace.isLimited, take: (bytes: number) => pace.take(bytes, action.signal) },
    onBytes: (transferred: number) => action.progress.add({ transferred }),
  };
}

/** S3 checks what is sent; that it was made of what was hashed is checked here. */
async function* plainBytes(file: FilePart, path: string, { sha256 }: Hashed): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of file) {
    hash.update(chunk as Buffer);
    yield chunk as Buffer;
  }
  const got = hash.digest('hex');
  if (got !== sha256)
    throw new FileUnstable(`${path}: got SHA-256 ${got}, expected ${sha256} as it was hashed`);
}

// Puts an object that was hashed into the vault under its name, and sees to it that what lies there is what its name says.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import { streamPartBytesFor } from '../../adapters/part-size.ts';
import { FileUnstable, FileVanished, UnexpectedError } from '../../contracts/errors.ts';
import { isMissingFile } from '../durable-files.ts';
import type { Hashed } from '../hashing/messages.ts';
import { compressed, compressedIfSmaller, isCompressed, shrinks } from './compression.ts';
import { isRight, isThere } from './right-object.ts';
import type { StoreContext, Stored } from './store-object.ts';
import { objectKey, type StoredObject } from './stored-objects.ts';

/** Read from the disk at once. */
const READ_BYTES = 1024 ** 2;

/** What is put: the bytes that were hashed, or what was made of them. */
interface Content {
  path: string;
  hashed: Hashed;
  isCompressed: boolean;
  /** Of small ones that are compressed. */
  bytes?: Buffer;
}

/** Under its own name or, where other bytes have taken it, beside. @throws FileVanished FileUnstable VaultUnavailable */
export async function putRight(
  context: StoreContext,
  path: string,
  hashed: Hashed,
): Promise<Pick<Stored, 'object' | 'outcome' | 'tampered'>> {
  const { action, stored } = context;
  const { sha256 } = hashed;
  const content = await contentOf(context, path, hashed);
  const own: StoredObject = { sha256, variant: content.isCompressed ? 'zst' : 'plain' };
  const outcome = await putUnder(context, own, content);
  if (outcome !== 'other-bytes') {
    await stored.add(own);
    return { object: own, outcome };
  }
  const tampered = objectKey(action, own);
  const beside: StoredObject = { sha256, variant: content.isCompressed ? 'zst.2' : '2' };
  const besideOutcome = await putUnder(context, beside, content);
  if (besideOutcome === 'other-bytes')
    throw new FileUnstable(`${objectKey(action, beside)} and ${tampered} both hold other bytes than ${path}`);
  action.log.error({ key: tampered }, 'an object holds other bytes than its name says');
  await stored.add(beside);
  return { object: beside, outcome: besideOutcome, tampered };
}

async function contentOf({ action }: StoreContext, path: string, hashed: Hashed): Promise<Content> {
  const plain = { path, hashed, isCompressed: false };
  if (action.document.compression === 'none') return plain;
  if (!hashed.body) return { ...plain, isCompressed: await shrinks(path, hashed.sizeBytes) };
  const bytes = await compressedIfSmaller(new Uint8Array(hashed.body));
  return bytes ? { ...plain, isCompressed: true, bytes } : plain;
}

async function putUnder(
  context: StoreContext,
  object: StoredObject,
  content: Content,
): Promise<'uploaded' | 'already-stored' | 'other-bytes'> {
  const { action } = context;
  const { hashed, bytes } = content;
  const key = objectKey(action, object);
  const isOurs = async () =>
    (await isRight(context, object, hashed, bytes)) ? 'already-stored' : 'other-bytes';
  // Many parts are not sent for nothing: S3 says only at their end that the object is there.
  if (hashed.partCrc32.length > 1 && (await isThere(action.store, key))) return isOurs();
  const put = () => putContent(context, key, content);
  // A large file that is compressed has two parts in memory.
  const outcome = await (isCompressed(object.variant) && !bytes ? context.compressing(put) : put());
  return outcome === 'created' ? 'uploaded' : isOurs();
}

function putContent(
  { action, stored, slot, pace }: StoreContext,
  key: string,
  { path, hashed, isCompressed, bytes }: Content,
): Promise<'created' | 'exists'> {
  const { sha256, sizeBytes, crc32: whole, partCrc32, partBytes, body } = hashed;
  const sending = {
    ...{ key, partBytes, slot, upload: stored.uploadOf(key), signal: action.signal },
    ...(pace && { pace: (bytes: number) => pace.take(bytes, action.signal) }),
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
  if (isCompressed) {
    return action.store.putStream({
      ...sending,
      partBytes: streamPartBytesFor(sizeBytes),
      body: () => compressed(plainBytes(path, hashed), sizeBytes),
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
    if (isMissingFile(error)) throw new FileVanished(`${path}: it is gone, while it was compressed`);
    throw new UnexpectedError(`${path}: it cannot be read: ${error}`, { cause: error });
  }
  const got = hash.digest('hex');
  if (got !== sha256)
    throw new FileUnstable(`${path}: got SHA-256 ${got}, expected ${sha256} as it was hashed`);
}

// Puts one object, a file or a pack of small ones, into the vault under its SHA-256, and sees to it that what lies there is
// what its name says.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { streamPartBytesFor } from '../../adapters/part-size.ts';
import { FileUnstable, FileVanished } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { isMissingFile } from '../durable-files.ts';
import type { Hasher } from '../hashing/hasher.ts';
import type { Hashed } from '../hashing/messages.ts';
import { compressed, isCompressed, shrinks } from './compression.ts';
import type { HashCache } from './hash-cache.ts';
import type { Pace } from './pace.ts';
import { PACK_MOST_BYTES, type PlannedObject } from './plan-objects.ts';
import { isRight, isThere } from './right-object.ts';
import { type Member, objectKey, type StoredObject, type StoredObjects } from './stored-objects.ts';

/** Read from the disk at once. */
const READ_BYTES = 1024 ** 2;

export interface StoreContext {
  action: ActionContext;
  stored: StoredObjects;
  cache: HashCache;
  hasher: Hasher;
  /** Lets so many requests with bodies be under way at once. */
  slot<Value>(send: () => Promise<Value>): Promise<Value>;
  /** Lets so many large files be compressed at once: each holds two parts in memory. */
  compressing<Value>(put: () => Promise<Value>): Promise<Value>;
  pace: Pace | undefined;
}

export interface Stored {
  object: StoredObject;
  /** Of each planned file. */
  members: Member[];
  outcome: 'uploaded' | 'already-stored';
  /** The key under which other bytes were found. */
  tampered?: string;
}

/** @throws FileVanished FileUnstable DataRot VaultUnavailable VaultDenied */
export async function storeObject(context: StoreContext, planned: PlannedObject): Promise<Stored> {
  const known = knownByCache(context, planned);
  if (known) return known;
  try {
    return await hashAndPut(context, planned);
  } catch (error) {
    if (!(error instanceof FileUnstable)) throw error;
    // It changed between its hashing and its upload; once more, and then it is told.
    return await hashAndPut(context, planned);
  }
}

/** Not read at all: its files are as they were when they were hashed, and a backup before holds them. */
function knownByCache({ action, cache, stored }: StoreContext, planned: PlannedObject): Stored | undefined {
  if (isSampled(action, planned)) return undefined;
  const members: Member[] = [];
  for (const { identity } of planned) {
    const sha256 = cache.get(identity);
    if (sha256 === undefined) return undefined;
    members.push({ sha256, sizeBytes: Number(identity.size) });
  }
  const object = stored.findByMembers(members);
  return object && { object, members, outcome: 'already-stored' };
}

/** Other objects in each backup, the same ones in each attempt at it. */
function isSampled({ document }: ActionContext, [{ identity }]: PlannedObject): boolean {
  const { dev, ino } = identity;
  const chance = createHash('sha256').update(`${document.actionId} ${dev} ${ino}`).digest().readUInt32LE();
  return chance < (document.limits.rehashPercent / 100) * 2 ** 32;
}

async function hashAndPut(context: StoreContext, planned: PlannedObject): Promise<Stored> {
  const { action, cache, hasher, stored } = context;
  const startedMs = action.clock.now().getTime();
  const paths = planned.map((file) => file.source);
  const hashed = await hasher.hash({ paths, keepUpTo: PACK_MOST_BYTES });
  action.progress.add({ hashed: hashed.sizeBytes });
  if (paths.length > 1 && !hashed.body) {
    throw new FileUnstable(`${paths[0]} and others: they grew to ${hashed.sizeBytes} bytes`);
  }
  for (const [index, { identity, sha256 }] of hashed.files.entries()) {
    const cached = cache.get(identity);
    if (cached !== undefined && cached !== sha256) {
      action.log.error({ path: paths[index], cached, sha256 }, 'a file changed though its times did not');
    }
    if (cached !== sha256) cache.set(identity, sha256, startedMs);
  }
  const members = hashed.files.map(({ sha256, identity }) => ({ sha256, sizeBytes: Number(identity.size) }));
  const known = stored.find(hashed.sha256);
  // Of a sampled object S3 is asked, too.
  if (known && (!isSampled(action, planned) || (await isStillThere(context, known, hashed)))) {
    return { object: known, members, outcome: 'already-stored' };
  }
  return { members, ...(await putRight(context, paths[0] ?? '', hashed)) };
}

async function isStillThere(context: StoreContext, object: StoredObject, hashed: Hashed): Promise<boolean> {
  const key = objectKey(context.action, object);
  const there = await isThere(context.action.store, key);
  // One that is compressed would have to be fetched to know more.
  if (there && (isCompressed(object.variant) || (await isRight(context, object, hashed)))) return true;
  context.action.log.error({ key }, 'an object of the backup before is gone, or other than its name says');
  return false;
}

/** Under its own name or, where other bytes have taken it, beside. */
async function putRight(
  context: StoreContext,
  path: string,
  hashed: Hashed,
): Promise<Pick<Stored, 'object' | 'outcome' | 'tampered'>> {
  const { action } = context;
  const { sha256, sizeBytes, body } = hashed;
  const isWorth = action.document.compression === 'zstd' && (await shrinks(body ?? path, sizeBytes));
  const own: StoredObject = { sha256, variant: isWorth ? 'zst' : 'plain' };
  const outcome = await putUnder(context, own, path, hashed);
  if (outcome !== 'other-bytes') return { object: await remember(context, own), outcome };
  const tampered = objectKey(action, own);
  const beside: StoredObject = { sha256, variant: isWorth ? 'zst.2' : '2' };
  const besideOutcome = await putUnder(context, beside, path, hashed);
  if (besideOutcome === 'other-bytes')
    throw new FileUnstable(`${objectKey(action, beside)} and ${tampered} both hold other bytes than ${path}`);
  action.log.error({ key: tampered }, 'an object holds other bytes than its name says');
  return { object: await remember(context, beside), outcome: besideOutcome, tampered };
}

async function remember({ stored }: StoreContext, object: StoredObject): Promise<StoredObject> {
  await stored.add(object);
  return object;
}

async function putUnder(
  context: StoreContext,
  object: StoredObject,
  path: string,
  hashed: Hashed,
): Promise<'uploaded' | 'already-stored' | 'other-bytes'> {
  const { action, stored, slot, pace } = context;
  const key = objectKey(action, object);
  const isOurs = async () => ((await isRight(context, object, hashed)) ? 'already-stored' : 'other-bytes');
  // Many parts are not sent for nothing: S3 says only at their end that the object is there.
  if (hashed.partCrc32.length > 1 && (await isThere(action.store, key))) return isOurs();
  const sending = {
    ...{ key, slot, upload: stored.uploadOf(key), signal: action.signal },
    ...(pace && { pace: (bytes: number) => pace.take(bytes, action.signal) }),
    onBytes: (transferred: number) => action.progress.add({ transferred }),
  };
  const { sha256, sizeBytes, crc32, partCrc32, partBytes, body } = hashed;
  const put = () =>
    isCompressed(object.variant)
      ? action.store.putStream({
          ...sending,
          partBytes: streamPartBytesFor(sizeBytes),
          body: () => compressed(plainBytes(path, hashed), sizeBytes),
        })
      : action.store.putObject({
          ...sending,
          ...{ sha256, sizeBytes, crc32, partCrc32, partBytes },
          body: body ? new Uint8Array(body) : path,
        });
  const outcome = await (isCompressed(object.variant) && !body ? context.compressing(put) : put());
  return outcome === 'created' ? 'uploaded' : isOurs();
}

/** S3 checks what is sent; that it was made of what was hashed is checked here. */
async function* plainBytes(path: string, { body, sha256, sizeBytes }: Hashed): AsyncGenerator<Uint8Array> {
  if (body) {
    yield new Uint8Array(body);
    return;
  }
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { end: sizeBytes - 1, highWaterMark: READ_BYTES })) {
      hash.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  } catch (error) {
    if (isMissingFile(error)) throw new FileVanished(`${path}: it is gone, while it was compressed`);
    throw error;
  }
  const got = hash.digest('hex');
  if (got !== sha256)
    throw new FileUnstable(`${path}: got SHA-256 ${got}, expected ${sha256} as it was hashed`);
}

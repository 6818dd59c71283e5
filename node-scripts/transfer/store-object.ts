// Puts one object, a file or a pack of small ones, into the vault under its SHA-256, and sees to it that what lies there is
// what its name says.
import { createHash } from 'node:crypto';
import type { ObjectStore } from '../../adapters/ports.ts';
import { storedSha256 } from '../../adapters/stored-sha256.ts';
import { FileUnstable, VaultDenied } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import type { Hasher } from '../hashing/hasher.ts';
import type { Hashed } from '../hashing/messages.ts';
import type { HashCache } from './hash-cache.ts';
import type { Pace } from './pace.ts';
import { PACK_MOST_BYTES, type PlannedObject } from './plan-objects.ts';
import {
  type Member,
  objectKey,
  type StoredObject,
  type StoredObjects,
  type Variant,
} from './stored-objects.ts';

export interface StoreContext {
  action: ActionContext;
  stored: StoredObjects;
  cache: HashCache;
  hasher: Hasher;
  /** Lets so many requests with bodies be under way at once. */
  slot<Value>(send: () => Promise<Value>): Promise<Value>;
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
  const there = (await isThere(context.action.store, key)) && (await holds(context, key, hashed));
  if (!there)
    context.action.log.error({ key }, 'an object of the backup before is gone, or other than its name says');
  return there;
}

/** Under the plain name or, where other bytes have taken it, beside. */
async function putRight(
  context: StoreContext,
  path: string,
  hashed: Hashed,
): Promise<Pick<Stored, 'object' | 'outcome' | 'tampered'>> {
  const { action } = context;
  const { sha256 } = hashed;
  const plainKey = objectKey(action, { sha256, variant: 'plain' });
  const plain = await putUnder(context, plainKey, path, hashed);
  if (plain !== 'other-bytes') return { object: await remember(context, sha256, 'plain'), outcome: plain };
  const besideKey = objectKey(action, { sha256, variant: '2' });
  const beside = await putUnder(context, besideKey, path, hashed);
  if (beside === 'other-bytes')
    throw new FileUnstable(`${besideKey} and ${plainKey} both hold other bytes than ${path}`);
  action.log.error({ key: plainKey }, 'an object holds other bytes than its name says');
  return { object: await remember(context, sha256, '2'), outcome: beside, tampered: plainKey };
}

async function remember({ stored }: StoreContext, sha256: string, variant: Variant): Promise<StoredObject> {
  await stored.add({ sha256, variant });
  return { sha256, variant };
}

async function putUnder(
  context: StoreContext,
  key: string,
  path: string,
  hashed: Hashed,
): Promise<'uploaded' | 'already-stored' | 'other-bytes'> {
  const { action, stored, slot, pace } = context;
  const { sha256, sizeBytes, crc32, partCrc32, partBytes, body } = hashed;
  // Many parts are not sent for nothing: S3 says only at their end that the object is there.
  if (partCrc32.length > 1 && (await isThere(action.store, key))) {
    return (await holds(context, key, hashed)) ? 'already-stored' : 'other-bytes';
  }
  const outcome = await action.store.putObject({
    ...{ key, sha256, sizeBytes, crc32, partCrc32, partBytes, slot },
    body: body ? new Uint8Array(body) : path,
    upload: stored.uploadOf(key),
    signal: action.signal,
    ...(pace && { pace: (bytes) => pace.take(bytes, action.signal) }),
    onBytes: (transferred) => action.progress.add({ transferred }),
  });
  if (outcome === 'created') return 'uploaded';
  return (await holds(context, key, hashed)) ? 'already-stored' : 'other-bytes';
}

/** To a host, which may not list, S3 says that it is denied what is missing. */
async function isThere(store: ObjectStore, key: string): Promise<boolean> {
  try {
    return (await store.attributes(key)) !== undefined;
  } catch (error) {
    if (error instanceof VaultDenied) return false;
    throw error;
  }
}

/** Whether an object is what its name says. */
async function holds({ action, slot, pace }: StoreContext, key: string, file: Hashed): Promise<boolean> {
  const { store, signal } = action;
  const attributes = await store.attributes(key);
  if (attributes?.sizeBytes !== file.sizeBytes) return false;
  const beforeBytes = async (bytes: number) => {
    signal.throwIfAborted();
    await pace?.take(bytes, signal);
  };
  return (await slot(() => storedSha256(store, key, attributes, beforeBytes))) === file.sha256;
}

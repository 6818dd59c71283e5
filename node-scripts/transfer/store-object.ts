// Sees to it that the vault has one object, a file or a pack of small ones: known already, or hashed, found or put.
import { createHash } from 'node:crypto';
import type { DataKey, ObjectAttributes } from '../../adapters/ports.ts';
import { DataRot, FileUnstable } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import type { Hasher } from '../hashing/hasher.ts';
import type { Hashed } from '../hashing/messages.ts';
import type { BodyMemory } from './body-memory.ts';
import { encodingOf, isEncoded } from './encoding.ts';
import type { HashCache } from './hash-cache.ts';
import type { Pace } from './pace.ts';
import { PACK_MOST_BYTES, type PlannedObject } from './plan-objects.ts';
import { putRight, type Room, withRoom } from './put-object.ts';
import { attributesIfThere, canBeOpened, findRight } from './right-object.ts';
import { type Member, objectKey, type StoredObject, type StoredObjects } from './stored-objects.ts';
import type { WithParts } from './stream-parts.ts';

/** On average. */
const ASKED_OF_S3 = 2;

export interface StoreContext {
  action: ActionContext;
  stored: StoredObjects;
  cache: HashCache;
  hasher: Hasher;
  /** Lets so many requests with bodies be under way at once. */
  slot<Value>(send: () => Promise<Value>): Promise<Value>;
  /** Lets so many large files be encoded at once, and gives each room for two parts. */
  withParts: WithParts;
  /** For small objects, and for parts. */
  memory: BodyMemory;
  /** Lets so many small files, and samples of large ones, be compressed at once: each takes a core. */
  compressing<Value>(compress: () => Promise<Value>): Promise<Value>;
  /** What is newly stored is encrypted with; the same one for all of the action. */
  dataKey: (() => Promise<DataKey>) | undefined;
  pace: Pace;
  /** Puts that are under way, by SHA-256. */
  putting: Map<string, ReturnType<typeof putRight>>;
  /** Whether what has rotted on the disk is stored, marked. */
  storesDamaged: boolean;
}

interface StoredMember extends Member {
  isDamaged: boolean;
}

export interface Stored {
  object: StoredObject;
  /** Of each planned file. */
  members: StoredMember[];
  outcome: 'uploaded' | 'already-stored';
  /** What is wrong with a file that has rotted on the disk, and what was done. */
  rot?: string;
  /** The key under which other bytes were found. */
  tampered?: string;
}

/** @throws FileVanished FileUnstable DataRot VaultUnavailable VaultDenied */
export async function storeObject(context: StoreContext, planned: PlannedObject): Promise<Stored> {
  const known = isSampled(context.action, planned) ? undefined : knownByCache(context, planned);
  if (known) return known;
  try {
    return await hashAndPut(context, planned);
  } catch (error) {
    if (!(error instanceof FileUnstable)) throw error;
    // It changed between its hashing and its upload; once more, and then it is told.
    return await hashAndPut(context, planned);
  }
}

/** Its files are as they were when they were hashed, and a backup before holds them. */
function knownByCache({ cache, stored }: StoreContext, planned: PlannedObject): Stored | undefined {
  const members: StoredMember[] = [];
  for (const { identity } of planned) {
    const sha256 = cache.get(identity);
    if (sha256 === undefined) return undefined;
    members.push({ sha256, sizeBytes: Number(identity.size), isDamaged: false });
  }
  const object = stored.findByMembers(members);
  return object && { object, members, outcome: 'already-stored' };
}

/** Other objects in each backup, the same ones in each attempt at it. */
function isSampled(action: ActionContext, planned: PlannedObject): boolean {
  return chanceOf(action, planned) < action.document.limits.rehashPercent / 100;
}

/** S3 is asked about a few of the sample, however many the vault has: a request each. Where all are wanted, about all. */
function isAskedOf({ action, stored }: StoreContext, planned: PlannedObject): boolean {
  if (action.document.limits.rehashPercent === 100) return true;
  return isSampled(action, planned) && chanceOf(action, planned) < ASKED_OF_S3 / stored.knownBefore;
}

/** 0 to 1. */
function chanceOf({ document }: ActionContext, [{ identity }]: PlannedObject): number {
  const { dev, ino } = identity;
  return createHash('sha256').update(`${document.actionId} ${dev} ${ino}`).digest().readUInt32LE() / 2 ** 32;
}

function hashAndPut(context: StoreContext, planned: PlannedObject): Promise<Stored> {
  const sizeBytes = planned.reduce((sum, { identity }) => sum + Number(identity.size), 0);
  return sizeBytes > PACK_MOST_BYTES
    ? hashAndPutIn(undefined, context, planned)
    : withRoom(context, sizeBytes, (room) => hashAndPutIn(room, context, planned));
}

async function hashAndPutIn(
  room: Room | undefined,
  context: StoreContext,
  planned: PlannedObject,
): Promise<Stored> {
  const { action, cache, hasher, stored } = context;
  const startedMs = action.clock.now().getTime();
  const paths = planned.map((file) => file.source);
  const hashed = await hasher.hash({ paths, ...(room && { into: room.plain }) });
  // It grew: it is sent as a large one.
  if (!hashed.body) room?.keepOnly(room.plain.subarray(0, 0));
  action.progress.add({ hashed: hashed.sizeBytes });
  if (paths.length > 1 && !hashed.body) {
    throw new FileUnstable(`${paths[0]} and others: they grew to ${hashed.sizeBytes} bytes`);
  }
  const rot = hashed.files.find((file) => file.rot !== undefined)?.rot;
  const kept = rot === undefined ? undefined : await keptBeforeRot(context, planned, hashed, rot);
  if (kept) return kept;
  if (rot !== undefined && !context.storesDamaged) throw new DataRot(rot);
  for (const [index, file] of hashed.files.entries()) {
    const { identity, sha256 } = file;
    // Not remembered, so that each backup sees it.
    if (file.rot !== undefined) continue;
    const cached = cache.get(identity);
    if (cached !== undefined && cached !== sha256) {
      action.log.error({ path: paths[index], cached, sha256 }, 'a file changed though its times did not');
    }
    if (cached !== sha256) cache.set(identity, sha256, startedMs);
  }
  const members = hashed.files.map(({ sha256, identity, rot }) => ({
    ...{ sha256, sizeBytes: Number(identity.size) },
    isDamaged: rot !== undefined,
  }));
  const asItIs = rot === undefined ? {} : { rot: `${rot}; it is stored as it is` };
  const known = stored.find(hashed.sha256);
  if (known && (!isAskedOf(context, planned) || (await isSaidToBe(context, known, hashed)))) {
    return { object: known, members, outcome: 'already-stored', ...asItIs };
  }
  return { members, ...asItIs, ...(await putOnce(context, paths[0] ?? '', hashed, room)) };
}

/** Of several with the same bytes at the same moment one is put: two uploads of one object would end each other. */
async function putOnce(
  context: StoreContext,
  path: string,
  hashed: Hashed,
  room: Room | undefined,
): ReturnType<typeof putRight> {
  const { putting } = context;
  const { sha256 } = hashed;
  const first = putting.get(sha256);
  if (first) return { ...(await first), outcome: 'already-stored' };
  const put = putRight(context, path, hashed, room).finally(() => putting.delete(sha256));
  putting.set(sha256, put);
  return put;
}

/** What has rotted since a backup before is named as it was then. */
async function keptBeforeRot(
  context: StoreContext,
  planned: PlannedObject,
  hashed: Hashed,
  rot: string,
): Promise<Stored | undefined> {
  const before = knownByCache(context, planned);
  if (!before || before.object.sha256 === hashed.sha256) return undefined;
  if (!(await isStillThere(context, before.object, { ...hashed, sha256: before.object.sha256 })))
    return undefined;
  context.action.log.error(
    { key: objectKey(context.action, before.object) },
    `the vault has it as it was: ${rot}`,
  );
  return { ...before, rot: `${rot}; the backup has it as it was` };
}

/** By what S3 says: one that was sent in parts is not read whole for a sample. */
function isSaidToBe(context: StoreContext, object: StoredObject, hashed: Hashed): Promise<boolean> {
  return isStillThere(context, object, hashed, async (attributes) => {
    const { sizeBytes, sha256, crc32 } = attributes;
    if (sizeBytes !== hashed.sizeBytes) return false;
    if (sha256 !== undefined) return sha256 === hashed.sha256;
    if (crc32 !== undefined) return crc32 === hashed.crc32;
    // Hosts put nothing without one of them: somebody else has.
    return (await findRight(context, object, hashed, { attributes })) !== undefined;
  });
}

async function isStillThere(
  context: StoreContext,
  object: StoredObject,
  hashed: Hashed,
  isWanted: (attributes: ObjectAttributes) => Promise<boolean> = async (attributes) =>
    (await findRight(context, object, hashed, { attributes })) !== undefined,
): Promise<boolean> {
  const key = objectKey(context.action, object);
  const look = async () => {
    if (encodingOf(object.variant).isEncrypted) return canBeOpened(context.action, object);
    const attributes = await attributesIfThere(context.action.store, key);
    if (!attributes) return false;
    // One that is encoded would have to be fetched to know more than this.
    return isEncoded(object.variant) || isWanted(attributes);
  };
  if (await look()) return true;
  context.action.log.error({ key }, 'an object of the backup before is gone, or other than its name says');
  return false;
}

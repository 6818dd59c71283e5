// Puts one snapshot file into the vault under its SHA-256, and sees to it that what lies there is what its name says.
import { createHash } from 'node:crypto';
import { FileUnstable, FileVanished } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { isMissingFile } from '../durable-files.ts';
import { type HashedFile, type HashOptions, hashFile } from './hash-file.ts';
import type { StoredObjects, Variant } from './stored-objects.ts';

export interface StoreContext {
  action: ActionContext;
  stored: StoredObjects;
  hashing: HashOptions;
  /** Lets so many files be hashed at once. */
  hashSlot<Value>(work: () => Promise<Value>): Promise<Value>;
  onTransferred(bytes: number): void;
}

export interface StoredFile extends HashedFile {
  outcome: 'uploaded' | 'already-stored';
  variant: Variant;
  /** The key under which other bytes were found. */
  tampered?: string;
}

/** @throws FileVanished FileUnstable DataRot VaultUnavailable VaultDenied */
export async function storeFile(context: StoreContext, path: string): Promise<StoredFile> {
  const hash = () => context.hashSlot(() => hashFile(path, context.hashing));
  try {
    return await storeHashed(context, path, await hash());
  } catch (error) {
    if (isMissingFile(error)) throw new FileVanished(`${path}: it is gone`, { cause: error });
    if (!(error instanceof FileUnstable)) throw error;
    // It changed between its hashing and its upload; once more, and then it is told.
    return await storeHashed(context, path, await hash());
  }
}

async function storeHashed(context: StoreContext, path: string, file: HashedFile): Promise<StoredFile> {
  const known = context.stored.has(file.sha256);
  if (known) return { ...file, outcome: 'already-stored', variant: known };
  const { layout, document } = context.action;
  const plainKey = layout.object(document.clusterId, file.sha256);
  const plain = await putUnder(context, plainKey, path, file);
  if (plain !== 'other-bytes') {
    await context.stored.add(file.sha256, 'plain');
    return { ...file, outcome: plain, variant: 'plain' };
  }
  const besideKey = layout.objectBesideTampered(document.clusterId, file.sha256);
  const beside = await putUnder(context, besideKey, path, file);
  if (beside === 'other-bytes')
    throw new FileUnstable(`${besideKey} and ${plainKey} both hold other bytes than ${path}`);
  await context.stored.add(file.sha256, '2');
  context.action.log.error({ key: plainKey }, 'an object holds other bytes than its name says');
  return { ...file, outcome: beside, variant: '2', tampered: plainKey };
}

async function putUnder(
  context: StoreContext,
  key: string,
  path: string,
  file: HashedFile,
): Promise<'uploaded' | 'already-stored' | 'other-bytes'> {
  const { store } = context.action;
  const outcome = await store.putFile({ key, path, ...file, onBytes: context.onTransferred });
  if (outcome === 'created') return 'uploaded';
  return (await holds(context, key, file)) ? 'already-stored' : 'other-bytes';
}

/** Whether an object is what its name says: by S3's own checksum, or by reading it where S3 has none of the whole. */
async function holds(context: StoreContext, key: string, file: HashedFile): Promise<boolean> {
  const { store } = context.action;
  const attributes = await store.attributes(key);
  if (attributes?.sizeBytes !== file.sizeBytes) return false;
  if (attributes.sha256) return attributes.sha256 === file.sha256;
  const stored = await store.getStream(key);
  if (!stored) return false;
  const sha256 = createHash('sha256');
  for await (const chunk of stored.body) sha256.update(chunk as Buffer);
  return sha256.digest('hex') === file.sha256;
}

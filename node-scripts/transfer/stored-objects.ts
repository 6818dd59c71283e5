// Which objects the vault holds for sure: those of the newest sealed backup, and those that this action stored itself.
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnfinishedUpload } from '../../adapters/ports.ts';
import type { BackupSource } from '../../contracts/actions.ts';
import {
  BackupDamaged,
  EncryptionKeyDenied,
  InvalidDocument,
  NewerFormat,
  VaultDenied,
} from '../../contracts/errors.ts';
import { type ListedFile, type ObjectVariant, objectVariant } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import { makeDirectory, readIfThere } from '../durable-files.ts';
import { CompactTable } from './compact-table.ts';
import { encodingOf } from './encoding.ts';
import { readNodeBackup } from './read-backup.ts';
import { canBeOpened } from './right-object.ts';

/** Where an object's bytes are. */
export interface StoredObject {
  sha256: string;
  variant: ObjectVariant;
}

export function objectKey(
  { layout, document }: Pick<ActionContext, 'layout' | 'document'>,
  { sha256, variant }: StoredObject,
): string {
  return layout.object(document.clusterId, sha256, variant);
}

/** One file of an object, in the order in which they lie in it. */
export interface Member {
  sha256: string;
  sizeBytes: number;
}

export interface StoredObjects {
  /** By the hash of its bytes. */
  find(sha256: string): StoredObject | undefined;
  /** By its files, of which a pack's own hash is not known before they are read. */
  findByMembers(members: readonly Member[]): StoredObject | undefined;
  /** Call when the object is durable. A lost entry costs one refused PUT. */
  add(object: StoredObject): Promise<void>;
  /** The multipart upload of an object that an attempt before left unfinished. */
  uploadOf(key: string): UnfinishedUpload;
  close(): Promise<void>;
}

/**
 * @param previous this host's part of backups that were sealed when the run claimed its lock
 * @param onlyEncrypted what was stored before the cluster's hosts encrypted is stored anew
 */
export async function openStoredObjects(
  context: ActionContext,
  previous: readonly BackupSource[],
  { onlyEncrypted }: { onlyEncrypted: boolean },
): Promise<StoredObjects> {
  const objects = new CompactTable(32, 1);
  const packs = new CompactTable(32, 33);
  const uploads = new Map<string, string>();
  const isWanted = (variant: ObjectVariant) => !onlyEncrypted || encodingOf(variant).isEncrypted;
  for (const each of previous) await addSealed(context, { objects, packs, isWanted }, each);
  await makeDirectory(context.directory);
  const path = join(context.directory, 'stored-objects');
  for (const line of ((await readIfThere(path)) ?? '').split('\n')) {
    const [, sha256 = '', named] = /^([0-9a-f]{64}) (\S+)$/.exec(line) ?? [];
    const variant = VARIANTS.find((each) => each === named);
    if (variant) putObject(objects, { sha256, variant });
    const [, id = '', key] = /^upload (\S+) (.+)$/.exec(line) ?? [];
    if (key) uploads.set(key, id);
    const [, endedKey] = /^ended (.+)$/.exec(line) ?? [];
    if (endedKey) uploads.delete(endedKey);
  }
  // A line that was torn by a crash is ended, so that the next one is whole.
  const journal: FileHandle = await open(path, 'a', 0o600);
  await journal.write('\n');
  const find = (sha256: string) => {
    const value = objects.get(Buffer.from(sha256, 'hex'));
    return value && { sha256, variant: variantOf(value[0]) };
  };
  return {
    find,
    findByMembers(members) {
      const [only, ...more] = members;
      if (only && more.length === 0) return find(only.sha256);
      const recipe = createHash('sha256');
      for (const member of members) addMember(recipe, member);
      const value = packs.get(recipe.digest());
      return value && { sha256: value.subarray(1).toString('hex'), variant: variantOf(value[0]) };
    },
    async add(object) {
      putObject(objects, object);
      await journal.write(`${object.sha256} ${object.variant}\n`);
    },
    uploadOf: (key) => ({
      id: () => uploads.get(key),
      async begun(id) {
        uploads.set(key, id);
        await journal.write(`upload ${id} ${key}\n`);
      },
      async ended() {
        uploads.delete(key);
        await journal.write(`ended ${key}\n`);
      },
    }),
    close: () => journal.close(),
  };
}

interface Sealed {
  objects: CompactTable;
  packs: CompactTable;
  isWanted(variant: ObjectVariant): boolean;
}

async function addSealed(
  context: ActionContext,
  { objects, packs, isWanted }: Sealed,
  previous: BackupSource,
): Promise<void> {
  try {
    const backup = await readNodeBackup(context, previous);
    const recipes = new PackRecipes(packs);
    let canOpen: boolean | undefined;
    for await (const file of backup.files()) {
      const object: StoredObject = { sha256: file.pack ?? file.sha256, variant: file.variant ?? 'plain' };
      if (!isWanted(object.variant)) continue;
      if (encodingOf(object.variant).isEncrypted) {
        // A backup that names what nobody can decrypt any more would be none.
        canOpen ??= await canBeOpened(context, object);
        if (!canOpen) continue;
      }
      putObject(objects, object);
      recipes.add(file);
    }
    recipes.finish();
  } catch (error) {
    // S3 says "denied" of what is missing, too, to a host, which may not list.
    const passed = [BackupDamaged, VaultDenied, NewerFormat, InvalidDocument, EncryptionKeyDenied];
    if (!passed.some((each) => error instanceof each)) throw error;
    // Its objects are found one by one, when their PUT is refused.
    context.log.warn(
      { err: error, backupId: previous.backupId },
      'the backup before cannot be read; what it holds is looked for one by one',
    );
  }
}

/** Collects the files of each pack as they pass by; a pack's are near each other. */
class PackRecipes {
  readonly #packs: CompactTable;
  readonly #open = new Map<string, OpenPack>();

  constructor(packs: CompactTable) {
    this.#packs = packs;
  }

  add({ pack: sha256, offset, dataDirectory, variant, ...member }: ListedFile): void {
    if (sha256 === undefined) return;
    // Data directories may have SSTables of the same name, whose files are listed in turn.
    const key = `${dataDirectory} ${sha256}`;
    if (offset !== this.#open.get(key)?.nextOffset) {
      this.#close(key);
      // Without its first file nothing is learnt of it.
      if (offset === 0)
        this.#open.set(key, {
          ...{ sha256, variant: variant ?? 'plain', nextOffset: 0 },
          recipe: createHash('sha256'),
        });
    }
    const pack = this.#open.get(key);
    if (!pack) return;
    addMember(pack.recipe, member);
    pack.nextOffset += member.sizeBytes;
    const [oldest] = this.#open.keys();
    if (this.#open.size > MOST_OPEN_PACKS && oldest) this.#close(oldest);
  }

  finish(): void {
    for (const key of [...this.#open.keys()]) this.#close(key);
  }

  #close(key: string): void {
    const pack = this.#open.get(key);
    if (!pack) return;
    this.#open.delete(key);
    const value = Buffer.concat([Buffer.from([variantByte(pack.variant)]), Buffer.from(pack.sha256, 'hex')]);
    this.#packs.set(pack.recipe.digest(), value);
  }
}

interface OpenPack extends StoredObject {
  recipe: Hash;
  nextOffset: number;
}
const MOST_OPEN_PACKS = 256;

function addMember(recipe: Hash, { sha256, sizeBytes }: Member): void {
  recipe.update(`${sha256} ${sizeBytes}\n`);
}

function putObject(objects: CompactTable, { sha256, variant }: StoredObject): void {
  objects.set(Buffer.from(sha256, 'hex'), Buffer.from([variantByte(variant)]));
}

/** By the byte that stands for each in memory. */
const VARIANTS: readonly ObjectVariant[] = ['plain', ...objectVariant.options];
const variantByte = (variant: ObjectVariant) => VARIANTS.indexOf(variant);
const variantOf = (byte = 0): ObjectVariant => VARIANTS[byte] ?? 'plain';

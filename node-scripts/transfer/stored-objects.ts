// Which objects the vault holds for sure: those of the newest sealed backup, and those that this action stored itself.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { UnfinishedUpload } from '../../adapters/ports.ts';
import type { BackupSource } from '../../contracts/actions.ts';
import { jsonIfAny } from '../../contracts/documents.ts';
import {
  BackupDamaged,
  EncryptionKeyDenied,
  InvalidDocument,
  NewerFormat,
  VaultDenied,
} from '../../contracts/errors.ts';
import { kmsKeyArn, sha256 } from '../../contracts/identifiers.ts';
import { type ListedFile, type ObjectVariant, objectVariant } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import { isThere, makeDirectory } from '../durable-files.ts';
import { CompactTable } from './compact-table.ts';
import { encodingOf } from './encoding.ts';
import { linesOf } from './lines.ts';
import { readNodeBackup } from './read-backup.ts';
import { canBeOpened } from './right-object.ts';

/** Where an object's bytes are. */
export interface StoredObject {
  sha256: string;
  variant: ObjectVariant;
  /** ARN of the KMS key that wrapped the data key of what the host encrypted. */
  encryptionKey?: string | undefined;
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
  /** How many objects the backups before hold. */
  readonly knownBefore: number;
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
  const keys = new KeyNames();
  const objects = new CompactTable(32, PLACE_BYTES);
  const packs = new CompactTable(32, PLACE_BYTES + 32);
  const uploads = new Map<string, string>();
  const isWanted = (variant: ObjectVariant) => !onlyEncrypted || encodingOf(variant).isEncrypted;
  for (const each of previous) await addSealed(context, { objects, packs, keys, isWanted }, each);
  const knownBefore = objects.size;
  await makeDirectory(context.directory);
  const path = join(context.directory, 'stored-objects');
  for await (const line of journalLines(path)) {
    if ('stored' in line) putObject(objects, keys, line.stored);
    else if ('begun' in line) uploads.set(line.key, line.begun);
    else uploads.delete(line.ended);
  }
  const journal: FileHandle = await open(path, 'a', 0o600);
  // A line that was torn by a crash is ended, so that the next one is whole.
  const note = (line: JournalLine) => journal.appendFile(`${JSON.stringify(line)}\n`);
  await journal.appendFile('\n');
  const find = (sha256: string) => {
    const place = objects.get(Buffer.from(sha256, 'hex'));
    return place && { sha256, ...placed(place, keys) };
  };
  return {
    find,
    knownBefore,
    findByMembers(members) {
      const [only, ...more] = members;
      if (only && more.length === 0) return find(only.sha256);
      const recipe = createHash('sha256');
      for (const member of members) addMember(recipe, member);
      const value = packs.get(recipe.digest());
      return value && { sha256: value.toString('hex', PLACE_BYTES), ...placed(value, keys) };
    },
    async add({ sha256, variant, encryptionKey }) {
      putObject(objects, keys, { sha256, variant, encryptionKey });
      await note({ stored: { sha256, variant, encryptionKey } });
    },
    uploadOf: (key) => ({
      id: () => uploads.get(key),
      async begun(id) {
        uploads.set(key, id);
        await note({ begun: id, key });
      },
      async ended() {
        uploads.delete(key);
        await note({ ended: key });
      },
    }),
    close: () => journal.close(),
  };
}

/** Of this action's own journal. JSON, of which nothing that is cut short is taken for a line. */
const journalLine = z.union([
  z.strictObject({
    stored: z.strictObject({
      sha256,
      variant: z.enum(['plain', ...objectVariant.options]),
      encryptionKey: kmsKeyArn.optional(),
    }),
  }),
  z.strictObject({ begun: z.string(), key: z.string() }),
  z.strictObject({ ended: z.string() }),
]);
type JournalLine = z.infer<typeof journalLine>;

async function* journalLines(path: string): AsyncGenerator<JournalLine> {
  if (!(await isThere(path))) return;
  for await (const text of linesOf(createReadStream(path))) {
    const line = journalLine.safeParse(jsonIfAny(text));
    if (line.success) yield line.data;
  }
}

interface Sealed {
  objects: CompactTable;
  packs: CompactTable;
  keys: KeyNames;
  isWanted(variant: ObjectVariant): boolean;
}

async function addSealed(
  context: ActionContext,
  { objects, packs, keys, isWanted }: Sealed,
  previous: BackupSource,
): Promise<void> {
  try {
    const backup = await readNodeBackup(context, previous);
    const recipes = new PackRecipes(packs, keys);
    /** By KMS key. */
    const canOpen = new Map<string, boolean>();
    for await (const file of backup.files()) {
      const { encryptionKey } = file;
      const object: StoredObject = {
        ...{ sha256: file.pack ?? file.sha256, variant: file.variant ?? 'plain', encryptionKey },
      };
      if (!isWanted(object.variant)) continue;
      if (encryptionKey !== undefined) {
        // A backup that names what nobody can decrypt any more would be none.
        const isOpen = canOpen.get(encryptionKey) ?? (await canBeOpened(context, object));
        canOpen.set(encryptionKey, isOpen);
        if (!isOpen) continue;
      }
      putObject(objects, keys, object);
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
  readonly #keys: KeyNames;
  readonly #open = new Map<string, OpenPack>();

  constructor(packs: CompactTable, keys: KeyNames) {
    this.#packs = packs;
    this.#keys = keys;
  }

  add({ pack: sha256, offset, dataDirectory, variant, encryptionKey, ...member }: ListedFile): void {
    if (sha256 === undefined) return;
    // Data directories may have SSTables of the same name, whose files are listed in turn.
    const key = `${dataDirectory} ${sha256}`;
    if (offset !== this.#open.get(key)?.nextOffset) {
      this.#close(key);
      // Without its first file nothing is learnt of it.
      if (offset === 0)
        this.#open.set(key, {
          ...{ sha256, variant: variant ?? 'plain', encryptionKey, nextOffset: 0 },
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
    const value = Buffer.concat([placeOf(pack, this.#keys), Buffer.from(pack.sha256, 'hex')]);
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

function putObject(objects: CompactTable, keys: KeyNames, object: StoredObject): void {
  objects.set(Buffer.from(object.sha256, 'hex'), placeOf(object, keys));
}

/** How an object is stored, in memory: a byte for its variant, two for its key. */
const PLACE_BYTES = 3;
const VARIANTS: readonly ObjectVariant[] = ['plain', ...objectVariant.options];

function placeOf({ variant, encryptionKey }: StoredObject, keys: KeyNames): Buffer {
  const place = Buffer.alloc(PLACE_BYTES);
  place.writeUInt8(VARIANTS.indexOf(variant));
  place.writeUInt16LE(encryptionKey === undefined ? 0 : keys.numberOf(encryptionKey), 1);
  return place;
}

function placed(place: Buffer, keys: KeyNames): Pick<StoredObject, 'variant' | 'encryptionKey'> {
  const encryptionKey = keys.named(place.readUInt16LE(1));
  return { variant: VARIANTS[place.readUInt8()] ?? 'plain', ...(encryptionKey && { encryptionKey }) };
}

/** A few names, each for a number from 1. */
class KeyNames {
  readonly #names: string[] = [];

  numberOf(name: string): number {
    const at = this.#names.indexOf(name);
    return at === -1 ? this.#names.push(name) : at + 1;
  }

  named(number: number): string | undefined {
    return this.#names[number - 1];
  }
}

// Uploads what a snapshot holds, SSTable after SSTable, several at once, and lists its files in order.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { FileVanished } from '../../contracts/errors.ts';
import type { ListedFile, TableTotals } from '../../contracts/manifests.ts';
import { isSystemKeyspace } from '../../contracts/ring.ts';
import {
  checkComponents,
  type SnapshotSSTable,
  type SnapshotTable,
  sstablesOf,
} from '../cassandra/snapshot-files.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import type { ActionContext } from '../context.ts';
import type { Hasher } from '../hashing/hasher.ts';
import type { FileIdentity } from '../hashing/messages.ts';
import { openRateLimit } from '../host-limits.ts';
import { adaptiveSlots } from './adaptive-slots.ts';
import { BodyMemory, bodyBytes } from './body-memory.ts';
import { openHashCache } from './hash-cache.ts';
import { inOrder } from './in-order.ts';
import type { ListingWriter } from './listing-writer.ts';
import { paceOf, paceUntil } from './pace.ts';
import { type PlannedObject, planObjects } from './plan-objects.ts';
import { type StoreContext, type Stored, storeObject } from './store-object.ts';
import { partsIn } from './stream-parts.ts';

/** Each has some MiB of its own. */
const MOST_COMPRESSING = 2;
/** Of many more nobody reads the names. */
const ROTTEN_NAMED = 10;

export interface UploadTotals {
  tables: TableTotals[];
  formats: Set<string>;
  files: number;
  bytes: number;
  systemBytes: number;
  uploadedFiles: number;
  uploadedBytes: number;
  systemUploadedBytes: number;
  tampered: string[];
  damagedFiles: number;
  /** Files that have rotted on the disk, marked or named as they were. */
  rottenFiles: number;
  /** What is wrong with the first of them. */
  rotten: string[];
}

/** Where an upload's results go. */
export interface UploadTarget extends Pick<StoreContext, 'stored' | 'hasher' | 'storesDamaged' | 'dataKey'> {
  listing: ListingWriter;
  /** Whether the tables are all that the node has: hashes of other files are forgotten then. */
  isAll: boolean;
  /** When it should be done: until then as slowly as will do. */
  until: Date | undefined;
}

export async function uploadTables(
  action: ActionContext,
  tables: SnapshotTable[],
  { stored, hasher, listing, isAll, until, storesDamaged, dataKey }: UploadTarget,
): Promise<UploadTotals> {
  const cache = await openHashCache(action.paths.cache);
  const { uploadsAtOnce, hashesAtOnce } = action.document.limits;
  const slots = adaptiveSlots(uploadsAtOnce, action.clock);
  action.store.onFailedAttempt((why) => {
    slots.failed(why);
    action.progress.add({ retried: 1 });
  });
  const { clock, progress } = action;
  const rate = await openRateLimit(action, 'uploadBytesPerSecond');
  const pace = until
    ? paceUntil(until, progress.bytesLeft, rate.bytesPerSecond, clock)
    : paceOf(rate.bytesPerSecond, clock);
  const stop = new AbortController();
  const signal = AbortSignal.any([action.signal, stop.signal]);
  stop.signal.addEventListener('abort', () => hasher.stop(), { once: true });
  const slot: StoreContext['slot'] = (send) =>
    slots.run(() => {
      signal.throwIfAborted();
      return send();
    });
  const memory = new BodyMemory(bodyBytes(hashesAtOnce));
  const withParts = partsIn(memory, { directory: action.directory, threads: hashesAtOnce, signal });
  const context: StoreContext = {
    ...{ action: { ...action, signal }, stored, cache, hasher, pace },
    ...{ putting: new Map(), slot, withParts, memory, storesDamaged, dataKey },
    compressing: pLimit(Math.min(hashesAtOnce, MOST_COMPRESSING)),
  };
  const totals: UploadTotals = {
    tables: [],
    formats: new Set(),
    files: 0,
    bytes: 0,
    systemBytes: 0,
    uploadedFiles: 0,
    uploadedBytes: 0,
    systemUploadedBytes: 0,
    tampered: [],
    damagedFiles: 0,
    rottenFiles: 0,
    rotten: [],
  };
  const measuring = tellTotals(action, tables, hasher);
  let isWhole = false;
  try {
    // While as many as may are sent, the next ones are hashed.
    const atOnce = uploadsAtOnce + 2 * hashesAtOnce;
    const uploaded = inOrder(namesakesOf(tables, totals), atOnce, (each) => upload(context, each), stop);
    for await (const each of uploaded) await list(action, each, listing, totals);
    isWhole = true;
  } finally {
    rate.close();
    await cache.close(isWhole && isAll);
    await measuring;
  }
  return totals;
}

/** For people who watch: the upload does not wait for it. */
async function tellTotals(
  { progress, log }: ActionContext,
  tables: SnapshotTable[],
  hasher: Hasher,
): Promise<void> {
  const directories = tables.flatMap(({ parts }) => parts.map(({ snapshot }) => snapshot));
  try {
    const { files, bytes } = await hasher.measure({ directories });
    progress.set({ filesTotal: files, bytesTotal: bytes });
  } catch (error) {
    log.warn({ err: error }, 'the snapshot was not measured');
  }
}

/** The SSTables of one name in all data directories: their files are listed in turn. */
interface Namesakes {
  table: SnapshotTable;
  own: TableTotals;
  sstables: SnapshotSSTable[];
}

async function* namesakesOf(tables: SnapshotTable[], totals: UploadTotals): AsyncGenerator<Namesakes> {
  for (const table of tables) {
    const { keyspace, table: name, tableId } = table;
    const own: TableTotals = { keyspace, table: name, tableId, files: 0, bytes: 0, sstables: 0 };
    totals.tables.push(own);
    let sstables: SnapshotSSTable[] = [];
    for (const sstable of await sstablesOf(table)) {
      if (sstables[0] && sstables[0].stem !== sstable.stem) {
        yield { table, own, sstables };
        sstables = [];
      }
      sstables.push(sstable);
    }
    if (sstables.length > 0) yield { table, own, sstables };
  }
}

interface Uploaded extends Namesakes {
  objects: Array<Stored & { planned: PlannedObject }>;
}

async function upload(context: StoreContext, namesakes: Namesakes): Promise<Uploaded> {
  const { action } = context;
  const objects: Uploaded['objects'] = [];
  for (const sstable of namesakes.sstables) {
    action.signal.throwIfAborted();
    checkComponents(namesakes.table, sstable);
    for (const planned of planObjects(sstable, identitiesOf(sstable))) {
      const stored = await storeObject(context, planned);
      if (stored.outcome === 'uploaded') await action.failPoint('upload.object');
      objects.push({ planned, ...stored });
    }
  }
  return { ...namesakes, objects };
}

function identitiesOf({ directory, stem, components }: SnapshotSSTable): FileIdentity[] {
  return components.map((component) => {
    const path = join(directory, stem + component);
    const identity = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (!identity) throw new FileVanished(`${path}: it is gone`);
    return identity;
  });
}

async function list(
  { progress }: ActionContext,
  { table, own, objects }: Uploaded,
  listing: ListingWriter,
  totals: UploadTotals,
): Promise<void> {
  const isSystem = isSystemKeyspace(table.keyspace);
  for (const object of objects) {
    count(totals, object, isSystem);
    if (object.outcome === 'already-stored') progress.add({ skipped: sizeOf(object) });
  }
  const lines = objects.flatMap((object) => linesOf(table, object));
  lines.sort((one, other) =>
    one.path === other.path ? one.dataDirectory - other.dataDirectory : one.path < other.path ? -1 : 1,
  );
  for (const line of lines) {
    await listing.add(line);
    own.files += 1;
    own.bytes += line.sizeBytes;
    if (line.path.endsWith('-Data.db')) own.sstables += 1;
    if (line.damaged) totals.damagedFiles += 1;
    const parsed = parseFileName(line.path.slice(line.path.lastIndexOf('/') + 1));
    if (parsed) totals.formats.add(parsed.format);
    progress.add({ files: 1, bytes: line.sizeBytes });
  }
}

function linesOf(
  table: SnapshotTable,
  { planned, members, object }: Uploaded['objects'][number],
): ListedFile[] {
  let offset = 0;
  return planned.map(({ name, dataDirectory }, index) => {
    const { sha256, sizeBytes, isDamaged } = members[index] ?? { sha256: '', sizeBytes: 0, isDamaged: false };
    const line: ListedFile = {
      path: `${table.path}/${name}`,
      dataDirectory,
      sizeBytes,
      sha256,
      ...(planned.length > 1 && { pack: object.sha256, offset }),
      ...(isDamaged && { damaged: true }),
      ...(object.variant !== 'plain' && { variant: object.variant }),
      ...(object.encryptionKey && { encryptionKey: object.encryptionKey }),
    };
    offset += sizeBytes;
    return line;
  });
}

function sizeOf({ members }: Pick<Stored, 'members'>): number {
  return members.reduce((sum, member) => sum + member.sizeBytes, 0);
}

function count(totals: UploadTotals, { members, outcome, tampered, rot }: Stored, isSystem: boolean): void {
  const bytes = sizeOf({ members });
  totals.files += members.length;
  totals.bytes += bytes;
  if (isSystem) totals.systemBytes += bytes;
  if (tampered) totals.tampered.push(tampered);
  if (rot) totals.rottenFiles += 1;
  if (rot && totals.rotten.length < ROTTEN_NAMED) totals.rotten.push(rot);
  if (outcome !== 'uploaded') return;
  totals.uploadedFiles += members.length;
  totals.uploadedBytes += bytes;
  if (isSystem) totals.systemUploadedBytes += bytes;
}

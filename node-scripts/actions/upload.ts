// upload: what the snapshot holds, or what was collected, goes to the vault; then the listing; then the header. Each is durable before it is named.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { DataKey } from '../../adapters/ports.ts';
import { type ActionInput, type ActionOutput, actions } from '../../contracts/actions.ts';
import { FORMAT_VERSION, parseDocument } from '../../contracts/documents.ts';
import { FileUnstable, ManifestConflict, SnapshotIncomplete } from '../../contracts/errors.ts';
import { type NodeHeader, nodeHeader } from '../../contracts/manifests.ts';
import { isSystemKeyspace } from '../../contracts/ring.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { type SnapshotTable, snapshotTables } from '../cassandra/snapshot-files.ts';
import type { ActionContext } from '../context.ts';
import { makeDirectory, readIfThere, writeDurably } from '../durable-files.ts';
import { type Hasher, openHasher } from '../hashing/hasher.ts';
import { rememberBase } from '../increments/note-before.ts';
import { tablesAt } from '../increments/places.ts';
import { giveWay } from '../priority.ts';
import { createListing, type WrittenListing } from '../transfer/listing-writer.ts';
import { tablePath } from '../transfer/placement.ts';
import { openStoredObjects } from '../transfer/stored-objects.ts';
import { type UploadTotals, uploadTables } from '../transfer/upload-tables.ts';

type Input = ActionInput<'upload'>;
type Output = ActionOutput<'upload'>;

/** What is to be put last, kept so that a retry puts the very same bytes. */
const prepared = z.strictObject({
  header: z.string(),
  listing: nodeHeader.shape.listing,
  output: actions.upload.output,
});
type Prepared = z.infer<typeof prepared>;

export async function upload(given: ActionContext, input: Input): Promise<Output> {
  const { serverSideKeyArn } = input.encryption;
  const context = serverSideKeyArn ? { ...given, store: given.store.encryptedWith(serverSideKeyArn) } : given;
  const hasher = openHasher(context.document.limits.hashesAtOnce, context.signal);
  try {
    const ready = (await readPrepared(context)) ?? (await uploadObjects(context, input, hasher));
    await putManifests(context, input, ready, hasher);
    return ready.output;
  } finally {
    await hasher.close();
  }
}

const preparedPath = (context: ActionContext) => join(context.directory, 'manifests.json');
const listingPath = (context: ActionContext) => join(context.directory, 'files.gz');

async function readPrepared(context: ActionContext): Promise<Prepared | undefined> {
  const content = await readIfThere(preparedPath(context));
  return content === undefined ? undefined : parseDocument(prepared, content, preparedPath(context));
}

async function uploadObjects(context: ActionContext, input: Input, hasher: Hasher): Promise<Prepared> {
  await giveWay(context);
  await makeDirectory(context.directory);
  const { data } = await nodeDirectories(context);
  const tables = await tablesOf(data, input);
  const dataKey = dataKeyOf(context, input);
  const stored = await openStoredObjects(context, input.previous, { onlyEncrypted: dataKey !== undefined });
  const listing = createListing(listingPath(context));
  const until = uploadUntil(context, input);
  const totals = await uploadTables(context, tables, {
    isAll: input.kind !== 'incremental' && input.scope === 'cluster',
    ...{ stored, hasher, listing, until, dataKey },
    storesDamaged: input.damagedFiles === 'store',
  })
    .catch(async (error: unknown) => {
      await listing.abandon();
      throw error;
    })
    .finally(() => stored.close());
  const written = await listing.close();
  if (totals.files === 0 && input.kind !== 'incremental')
    throw new SnapshotIncomplete(`snapshot ${input.tag} has no files in ${data.join(', ')}`);
  if (input.kind !== 'incremental') await rememberBase(context, input, tables);
  const header = JSON.stringify(headerOf(context, input, data, totals, written));
  const ready: Prepared = { header, listing: written, output: outputOf(header, written, totals) };
  await writeDurably(preparedPath(context), JSON.stringify(ready));
  return ready;
}

/** KMS is asked when the first object is to be encrypted. */
function dataKeyOf({ dataKeys }: ActionContext, { encryption }: Input) {
  const { clientSideKeyArn } = encryption;
  if (clientSideKeyArn === undefined) return undefined;
  let asked: Promise<DataKey> | undefined;
  return () => {
    asked ??= dataKeys.generate(clientSideKeyArn);
    return asked;
  };
}

function uploadUntil({ document }: ActionContext, { times }: Input): Date | undefined {
  const { finishWithinMinutes: minutes } = document.limits;
  return minutes === undefined ? undefined : new Date(Date.parse(times.doneAt) + minutes * 60_000);
}

/** Of the snapshot; or of what was collected, where a table of which there is nothing is told as well. */
async function tablesOf(data: string[], input: Input): Promise<SnapshotTable[]> {
  if (input.kind !== 'incremental') return wantedTables(await snapshotTables(data, input.tag), input);
  const collected = new Map((await tablesAt('collected', data)).map((table) => [table.path, table]));
  return input.tables
    .map((table) => ({ ...table, path: tablePath(table), parts: [], ...collected.get(tablePath(table)) }))
    .map((table) => ({ ...table, isIncrement: true as const }))
    .sort((one, other) => (`${one.path}/` < `${other.path}/` ? -1 : 1));
}

/** A snapshot is of whole keyspaces. @throws SnapshotIncomplete where it lacks a table */
function wantedTables(tables: SnapshotTable[], input: Input): SnapshotTable[] {
  const nameOf = ({ keyspace, tableId }: Pick<SnapshotTable, 'keyspace' | 'tableId'>) =>
    `${keyspace}/${tableId}`;
  const held = new Set(tables.map(nameOf));
  const missing = input.tables.filter((table) => !held.has(nameOf(table)));
  if (missing.length > 0) {
    const names = missing.slice(0, 5).map((table) => `${table.keyspace}.${table.table} (${table.tableId})`);
    throw new SnapshotIncomplete(
      `snapshot ${input.tag}: got ${tables.length} tables, expected also ${names.join(', ')}${missing.length > 5 ? ', …' : ''}`,
    );
  }
  const wanted = new Set(input.tables.map(nameOf));
  return tables.filter((table) => isSystemKeyspace(table.keyspace) || wanted.has(nameOf(table)));
}

function headerOf(
  context: ActionContext,
  input: Input,
  dataDirectories: string[],
  totals: UploadTotals,
  listing: WrittenListing,
): NodeHeader {
  const order = (table: NodeHeader['tables'][number]) =>
    `${table.keyspace}\0${table.table}\0${table.tableId}`;
  return nodeHeader.parse({
    formatVersion: FORMAT_VERSION,
    backupId: input.backupId,
    clusterId: context.document.clusterId,
    hostId: input.hostId,
    instanceArn: context.instanceArn,
    datacenter: input.datacenter,
    rack: input.rack,
    cassandraVersion: input.cassandraVersion,
    sstableFormats: [...totals.formats].sort(),
    dataDirectories,
    schemaVersion: input.schemaVersion,
    snapshotTag: input.tag,
    snapshot: input.times,
    incrementalBackups: input.incrementalBackups,
    tables: totals.tables.sort((one, other) => (order(one) < order(other) ? -1 : 1)),
    files: totals.files,
    bytes: totals.bytes,
    damagedFiles: totals.damagedFiles,
    listing,
  } satisfies NodeHeader);
}

function outputOf(header: string, listing: WrittenListing, totals: UploadTotals): Output {
  // The header has these.
  const { tables: _tables, formats: _formats, damagedFiles: _damagedFiles, ...told } = totals;
  return {
    headerSha256: createHash('sha256').update(header).digest('hex'),
    listingSha256: listing.sha256,
    ...told,
  };
}

async function putManifests(
  context: ActionContext,
  input: Input,
  ready: Prepared,
  hasher: Hasher,
): Promise<void> {
  const { layout, document, store, instanceArn } = context;
  const { sha256 } = ready.listing;
  const listingKey = layout.nodeListing(document.clusterId, input.backupId, instanceArn);
  if ((await putListing(context, listingKey, ready.listing, hasher)) === 'exists') {
    await mustBeOurs(context, listingKey, sha256);
  }
  await context.failPoint('upload.listing-put');
  const headerKey = layout.nodeHeader(document.clusterId, input.backupId, instanceArn);
  if ((await store.put(headerKey, ready.header, 'create')) === 'exists') {
    await mustBeOurs(context, headerKey, ready.output.headerSha256);
  }
  await context.failPoint('upload.header-put');
}

async function putListing(
  context: ActionContext,
  key: string,
  written: WrittenListing,
  hasher: Hasher,
): Promise<'created' | 'exists'> {
  const path = listingPath(context);
  const hashed = await hasher.hash({ paths: [path] });
  const { sha256, sizeBytes, crc32, partCrc32, partBytes } = hashed;
  if (sha256 !== written.sha256) {
    throw new FileUnstable(`${path}: got SHA-256 ${sha256}, expected ${written.sha256}`);
  }
  return context.store.putObject({
    ...{ key, body: path, sizeBytes, sha256, crc32, partCrc32, partBytes },
    slot: (send) => send(),
    upload: NO_UPLOAD_BEFORE,
    signal: context.signal,
  });
}

/** A listing is sent anew by each attempt. */
const NO_UPLOAD_BEFORE = { id: () => undefined, begun: async () => undefined, ended: async () => undefined };

/** A manifest that stands already is this run's own where its bytes are the same. */
async function mustBeOurs({ store, log }: ActionContext, key: string, sha256: string): Promise<void> {
  const stored = await store.getStream(key);
  const hash = createHash('sha256');
  for await (const chunk of stored?.body ?? []) hash.update(chunk as Buffer);
  const got = hash.digest('hex');
  if (got !== sha256) throw new ManifestConflict(`${key}: got SHA-256 ${got}, expected ${sha256}`);
  log.info({ key }, 'manifest stood there already');
}

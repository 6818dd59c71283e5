// load: streams nodes' parts of a backup to whichever nodes the rows belong to now, while these serve. Batch by batch: each is
// fetched, streamed, noted and deleted, so that a retry goes on with the next. What is streamed twice is there once.
import { mkdir, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { ActionInput, ActionOutput, LoadedTable } from '../../contracts/actions.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { LoadIncomplete } from '../../contracts/errors.ts';
import { byteCount, count } from '../../contracts/identifiers.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { bulkLoad } from '../cassandra/bulk-loader.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import type { ActionContext } from '../context.ts';
import { readIfThere, writeDurably } from '../durable-files.ts';
import { mustBeAllowed } from '../guard.ts';
import { openRateLimit, type RateLimit } from '../host-limits.ts';
import { giveWay } from '../priority.ts';
import { fetchFiles } from '../transfer/fetch-files.ts';
import type { FetchFile } from '../transfer/fetch-object.ts';
import { inOrder } from '../transfer/in-order.ts';
import { filesOfTables, stagingRoot, tablePath, totalsOfTables } from '../transfer/placement.ts';
import type { NodeBackup } from '../transfer/read-backup.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { removeTree } from '../transfer/remove-tree.ts';
import { openReserve, type Reserve } from '../transfer/reserve.ts';
import { inVaultOf } from '../transfer/source-vault.ts';
import { batchesOf, isLoaded, type SSTableBatch } from '../transfer/sstable-batches.ts';
import { openStagingRoot, type StagingRoot } from '../transfer/staging-root.ts';

/** One is streamed while the next is fetched. */
const BATCHES_AT_ONCE = 2;

/** Before a batch is streamed again. */
const PAUSES_MS = [5_000, 60_000];

/** How far the load is: the chain that is at work, its SSTables that are loaded, and what is loaded of all. */
const position = z.strictObject({
  chain: count,
  sstablesOfChain: count,
  sstables: count,
  files: count,
  bytes: byteCount,
});
type Position = z.infer<typeof position>;

/** Of one node, in the vault that it lies in. */
interface Part {
  source: ActionContext;
  backup: NodeBackup;
  /** Of a base and what goes on from it. */
  isChain: boolean;
}

interface Work {
  tables: LoadedTable[];
  /** Of this run, on the data directory with most room. */
  staging: StagingRoot;
  rate: RateLimit;
  reserve: Reserve;
}

interface Staged extends SSTableBatch {
  /** As this process goes into it. */
  root: string;
  /** `<keyspace>/<table>` in there, as the loader finds it. */
  directory: string;
  /** Data.db of each. */
  names: string[];
  files: number;
}

export async function load(
  context: ActionContext,
  { chains, tables }: ActionInput<'load'>,
): Promise<ActionOutput<'load'>> {
  await mustBeAllowed(context);
  await giveWay(context);
  const parts: Part[] = [];
  for (const sources of chains) {
    const source = inVaultOf(context, sources);
    parts.push({ source, backup: await readNodeChain(source, sources), isChain: sources.length > 1 });
  }
  const expected = headerTotals(parts, tables);
  // What indexes are made of is not loaded.
  context.progress.set({ filesTotal: expected.files, bytesTotal: expected.bytes });
  const { forTables } = await nodeDirectories(context);
  const reserve = openReserve(context.document.limits.reserveBytes);
  const journal = join(context.directory, 'loaded');
  const noted = await readIfThere(journal);
  let at: Position = noted
    ? parseDocument(position, noted, journal)
    : { chain: 0, sstablesOfChain: 0, sstables: 0, files: 0, bytes: 0 };
  // What an attempt before has fetched and not loaded.
  await removeStaging(context, forTables);
  const staging = await openStagingRoot(await roomiest(forTables), context.document.runId);
  const rate = await openRateLimit(context, 'downloadBytesPerSecond');
  const work = { tables, staging, rate, reserve };
  try {
    for (const [chain, part] of parts.entries()) {
      if (chain < at.chain) continue;
      if (chain > at.chain) at = { ...at, chain, sstablesOfChain: 0 };
      at = await loadChain(context, part, work, at, (next) => writeDurably(journal, JSON.stringify(next)));
    }
  } finally {
    rate.close();
    await staging.close();
  }
  await mustHaveLoadedAll(parts, tables, at, expected.bytes);
  await removeStaging(context, forTables);
  return { tables: tables.length, sstables: at.sstables, files: at.files, bytes: at.bytes };
}

function headerTotals(parts: Part[], tables: LoadedTable[]): { files: number; bytes: number } {
  const totals = parts.map(({ backup }) => totalsOfTables(backup.header, tables));
  const sum = (field: 'files' | 'bytes') => totals.reduce((total, each) => total + each[field], 0);
  return { files: sum('files'), bytes: sum('bytes') };
}

/** On all: which one has most room may have been another one for an attempt before. */
async function removeStaging({ document }: ActionContext, directories: string[]): Promise<void> {
  for (const path of directories) await removeTree(stagingRoot(path, document.runId));
}

/** Counted anew, from the listings. @param bytes as the headers have it @throws LoadIncomplete */
async function mustHaveLoadedAll(
  parts: Part[],
  tables: LoadedTable[],
  at: Position,
  bytes: number,
): Promise<void> {
  let listedBytes = 0;
  const wanted = { files: 0, bytes: 0 };
  for (const { backup } of parts) {
    for await (const { path, sizeBytes } of filesOfTables(backup.files(), tables)) {
      listedBytes += sizeBytes;
      if (!isLoaded(path)) continue;
      wanted.files += 1;
      wanted.bytes += sizeBytes;
    }
  }
  // What two of a chain have is listed once.
  const isAll = parts.some(({ isChain }) => isChain) ? listedBytes <= bytes : listedBytes === bytes;
  if (isAll && wanted.files === at.files && wanted.bytes === at.bytes) return;
  throw new LoadIncomplete(
    `got ${at.files} files of ${at.bytes} bytes loaded, expected ${wanted.files} of ${wanted.bytes}, of ${listedBytes} bytes listed and ${bytes} in the headers`,
  );
}

async function roomiest(directories: string[]): Promise<string> {
  const free = await Promise.all(
    directories.map(async (path) => {
      const { bavail, bsize } = await statfs(path);
      return { path, bytes: bavail * bsize };
    }),
  );
  return free.reduce((one, other) => (other.bytes > one.bytes ? other : one)).path;
}

async function loadChain(
  context: ActionContext,
  { source, backup }: Part,
  work: Work,
  from: Position,
  note: (position: Position) => Promise<void>,
): Promise<Position> {
  let at = from;
  let number = 0;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const wanted = batchesOf(filesOfTables(backup.files(), work.tables), from.sstablesOfChain);
  const fetched = inOrder(
    wanted,
    1,
    (batch) => {
      number += 1;
      return fetch({ ...source, signal }, backup, batch, work, `${at.chain}-${number}`);
    },
    stop,
    BATCHES_AT_ONCE,
  );
  for await (const { root, directory, names, sstables, files, bytes } of fetched) {
    await context.beforeDestroying(`load ${names.length} SSTables of ${directory}`);
    await loadBatch(context, directory, names);
    await context.failPoint('load.batch');
    at = {
      chain: at.chain,
      sstablesOfChain: at.sstablesOfChain + sstables.length,
      sstables: at.sstables + sstables.length,
      files: at.files + files,
      bytes: at.bytes + bytes,
    };
    await note(at);
    await removeTree(root);
  }
  return at;
}

/** A node that was restarted, or a connection that broke, does not end it all. */
async function loadBatch(context: ActionContext, directory: string, names: string[]): Promise<void> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await bulkLoad(context, directory, names);
    } catch (error) {
      if (!(error instanceof LoadIncomplete)) throw error;
      context.log.warn({ err: error }, 'the batch is loaded once more');
    }
    await context.clock.sleep(pauseMs, context.signal);
    context.signal.throwIfAborted();
  }
  await bulkLoad(context, directory, names);
}

/** Under names that are unique in the batch: SSTables of several data directories may have one. */
async function fetch(
  context: ActionContext,
  { header }: NodeBackup,
  batch: SSTableBatch,
  { tables, staging, rate, reserve }: Work,
  label: string,
): Promise<Staged> {
  const table = tables.find((each) => tablePath(each) === batch.tablePath);
  if (!table) throw new Error(`${batch.tablePath} is not loaded`);
  const below = join('load', label, table.as.keyspace, table.as.table);
  const [held, directory] = [join(staging.held, below), join(staging.path, below)];
  await mkdir(held, { recursive: true });
  const targets = new Map<ListedFile, string>();
  const names: string[] = [];
  for (const [index, sstable] of batch.sstables.entries()) {
    for (const file of sstable) {
      const parsed = parseFileName(basename(file.path));
      const name = `${parsed?.format}-${index + 1}-${parsed?.kind}-${parsed?.component}`;
      targets.set(file, join(held, name));
      if (parsed?.component === 'Data.db') names.push(name);
    }
  }
  const { downloadsAtOnce: atOnce, hashesAtOnce: threads } = context.document.limits;
  const placeOf = async (file: ListedFile): Promise<FetchFile> => {
    const { path, sha256, sizeBytes, offset = 0 } = file;
    return { path, target: targets.get(file) ?? '', sha256, sizeBytes, offset };
  };
  const files = async function* () {
    for (const sstable of batch.sstables) yield* sstable;
  };
  const { clusterId } = header;
  const options = { clusterId, atOnce, threads, rate, reserve, placeOf };
  const { files: count } = await fetchFiles(context, files(), options);
  return { ...batch, root: join(staging.held, 'load', label), directory, names, files: count };
}

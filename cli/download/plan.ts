// What a download will do, from listings alone: how much it is, whether it fits, and whether anything is in its way.
import { stat } from 'node:fs/promises';
import { FileInTheWay, InsufficientSpace } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { isMissingFile } from '../../node-scripts/durable-files.ts';
import type { ReadContext } from '../../node-scripts/transfer/read-backup.ts';
import { readNodeChain } from '../../node-scripts/transfer/read-chain.ts';
import type { ChosenFiles, ChosenNode } from './chosen.ts';
import { type DownloadDirectory, placesOf } from './directory.ts';

/** So many are named. */
const MOST_NAMED = 10;

export interface PlannedNode extends ChosenNode {
  /** As the node has them, in the order of the directories `data1`, `data2` …; one has none of its own. */
  dataDirectories: string[];
  files: number;
  bytes: number;
  /** Of `bytes`, what is not there yet. */
  missingBytes: number;
  /** That had rotted when they were stored. */
  damagedFiles: number;
  /** Of other size, at their places: the first ones, and how many. */
  inTheWay: { named: string[]; files: number };
  listed(): AsyncGenerator<ListedFile>;
  /** Absolute. */
  placeOf(file: ListedFile): string;
}

/** @throws BackupDamaged IncrementsDiffer */
export async function planNode(
  context: ReadContext & { signal: AbortSignal },
  node: ChosenNode,
  chosen: ChosenFiles,
  directory: DownloadDirectory,
): Promise<PlannedNode> {
  const backup = await readNodeChain(context, node.sources);
  const { dataDirectories } = backup.header;
  const placeOf = placesOf(directory.path, node.hostId, dataDirectories);
  const listed = () => chosen.of(backup);
  const totals = { files: 0, bytes: 0, missingBytes: 0, damagedFiles: 0 };
  const inTheWay: PlannedNode['inTheWay'] = { named: [], files: 0 };
  for await (const file of listed()) {
    context.signal.throwIfAborted();
    totals.files += 1;
    totals.bytes += file.sizeBytes;
    if (file.damaged) totals.damagedFiles += 1;
    const place = placeOf(file);
    const found = await sizeAt(place);
    if (found === undefined) totals.missingBytes += file.sizeBytes;
    if (found === undefined || found === file.sizeBytes) continue;
    inTheWay.files += 1;
    if (inTheWay.files <= MOST_NAMED) inTheWay.named.push(place);
  }
  return { ...node, ...totals, dataDirectories, inTheWay, listed, placeOf };
}

/** One of the same size is read, and compared, when its turn has come. @throws FileInTheWay */
export function mustBeFree(nodes: readonly PlannedNode[]): void {
  const files = nodes.reduce((sum, { inTheWay }) => sum + inTheWay.files, 0);
  const named = nodes.flatMap(({ inTheWay }) => inTheWay.named).slice(0, MOST_NAMED);
  if (files === 0) return;
  const more = files > named.length ? ` and ${files - named.length} more` : '';
  throw new FileInTheWay(`${named.join(', ')}${more}: there already, of other size than in the backup`);
}

/** @throws InsufficientSpace */
export async function mustFit(nodes: readonly PlannedNode[], directory: DownloadDirectory): Promise<void> {
  const needed = nodes.reduce((sum, { missingBytes }) => sum + missingBytes, 0);
  const free = await directory.freeBytes();
  if (needed <= free) return;
  throw new InsufficientSpace(
    `${directory.path}: got ${free} bytes free, expected ${needed} for the download`,
  );
}

/** @returns -1 for what is no file, undefined where nothing is */
async function sizeAt(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : -1;
  } catch (error) {
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}

// Arithmetic with positions in a node's commit log: they only grow, whatever is restarted.
import { readFile } from 'node:fs/promises';
import { parseFileName } from '../cassandra/sstable-files.ts';
import { type Interval, originOf } from '../cassandra/statistics-file.ts';
import { isMissingFile } from '../durable-files.ts';
import { fileOf, type PlacedSSTable } from './places.ts';

/** Undefined where it cannot be told, or where the SSTable is another node's. */
export async function readOrigin(sstable: PlacedSSTable, hostId: string): Promise<Interval[] | undefined> {
  const name = `${sstable.stem.slice(sstable.stem.lastIndexOf('/') + 1)}Data.db`;
  const format = parseFileName(name)?.format;
  if (format === undefined) return undefined;
  try {
    const origin = originOf(format, await readFile(fileOf(sstable, 'Statistics.db')));
    return origin?.hostId === hostId ? origin.intervals : undefined;
  } catch (error) {
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}

export function upToOf(known: string | undefined, intervals: readonly Interval[]): string {
  let most = BigInt(known ?? -1);
  for (const { to } of intervals) if (to > most) most = to;
  return String(most);
}

/** What of the first is neither up to a position nor in the others. */
export function uncovered(
  intervals: readonly Interval[],
  upTo: bigint,
  others: readonly Interval[],
): Interval[] {
  const covering = [{ from: -1n, to: upTo }, ...others];
  return covering.reduce<Interval[]>(
    (left, cover) =>
      left.flatMap(({ from, to }) =>
        [
          { from, to: to < cover.from ? to : cover.from },
          { from: from > cover.to ? from : cover.to, to },
        ].filter((part) => part.from < part.to),
      ),
    [...intervals],
  );
}

// The commit log positions that an SSTable covers, from its Statistics.db: a flush has the interval of its memtable, a
// compaction's output the union of its inputs'. Formats nb, oa and da (org.apache.cassandra.io.sstable.metadata).
import { crc32 } from 'node:zlib';

/** After `from`, up to and with `to`; a segment's ID times 2^32 plus the position in it. */
export interface Interval {
  from: bigint;
  to: bigint;
}

export interface Origin {
  intervals: Interval[];
  /** Of the node whose commit log it was. */
  hostId: string | undefined;
}

const STATS = 2;
const KNOWN_FORMATS: readonly string[] = ['nb', 'oa', 'da'];
const POSITION_BYTES = 12;
const HISTOGRAMS = 2;
/** Minimum and maximum of columns lie in between, whose length only the table's types tell: the rest is looked for. */
const MOST_INTERVALS = 100_000;

/** Undefined where it cannot be told: another format, or other bytes than Cassandra writes. */
export function originOf(format: string, file: Buffer): Origin | undefined {
  if (!KNOWN_FORMATS.includes(format)) return undefined;
  try {
    const stats = statsOf(file);
    return stats && readStats(stats);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Count, its CRC32, type and position of each component, their CRC32; then the components, each with its CRC32. */
function statsOf(file: Buffer): Buffer | undefined {
  const count = file.readInt32BE(0);
  const positions = Array.from({ length: count }, (_, index) => ({
    type: file.readInt32BE(8 + index * 8),
    start: file.readInt32BE(12 + index * 8),
  }));
  const index = positions.findIndex(({ type }) => type === STATS);
  const start = positions[index]?.start;
  if (start === undefined) return undefined;
  const end = (positions[index + 1]?.start ?? file.length) - 4;
  const stats = file.subarray(start, end);
  return crc32(stats) === file.readUInt32BE(end) ? stats : undefined;
}

function readStats(stats: Buffer): Origin | undefined {
  let at = 0;
  for (let histogram = 0; histogram < HISTOGRAMS; histogram += 1) at += 4 + 16 * stats.readInt32BE(at);
  const upper = stats.subarray(at, at + POSITION_BYTES);
  at += POSITION_BYTES;
  const found: Origin[] = [];
  for (; at + POSITION_BYTES + 4 <= stats.length; at += 1) {
    const origin = originAt(stats, at, upper);
    if (origin) found.push(origin);
  }
  // Nothing else looks like it; where two places do, it is not told.
  return found.length === 1 ? found[0] : undefined;
}

/** Lower bound, number of intervals, each one's bounds; then flags with a UUID each, and one without. */
function originAt(stats: Buffer, at: number, upper: Buffer): Origin | undefined {
  const count = stats.readInt32BE(at + POSITION_BYTES);
  if (count < 0 || count > MOST_INTERVALS) return undefined;
  const first = at + POSITION_BYTES + 4;
  const end = first + count * 2 * POSITION_BYTES;
  if (end + 3 > stats.length) return undefined;
  const lower = stats.subarray(at, at + POSITION_BYTES);
  const bounds =
    count === 0
      ? lower.equals(upper) && lower.readBigInt64BE(0) === -1n
      : lower.equals(stats.subarray(first, first + POSITION_BYTES)) &&
        upper.equals(stats.subarray(end - POSITION_BYTES, end));
  if (!bounds) return undefined;
  const pendingRepair = flagAt(stats, end, 16);
  const isTransient = pendingRepair && flagAt(stats, pendingRepair.end, 0);
  const host = isTransient && flagAt(stats, isTransient.end, 16);
  if (!host) return undefined;
  const intervals = Array.from({ length: count }, (_, index) => ({
    from: positionAt(stats, first + index * 2 * POSITION_BYTES),
    to: positionAt(stats, first + (index * 2 + 1) * POSITION_BYTES),
  }));
  return { intervals, hostId: host.value && uuidOf(host.value) };
}

function flagAt(stats: Buffer, at: number, length: number) {
  const flag = stats.readUInt8(at);
  if (flag > 1) return undefined;
  const end = at + 1 + flag * length;
  if (end > stats.length) return undefined;
  return { end, value: flag === 1 && length > 0 ? stats.subarray(at + 1, end) : undefined };
}

function positionAt(stats: Buffer, at: number): bigint {
  return (stats.readBigInt64BE(at) << 32n) + BigInt(stats.readInt32BE(at + 8));
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

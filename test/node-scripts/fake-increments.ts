// SSTables as Cassandra leaves them, live and linked under backups/, one component after another, for a node without Cassandra.
import { link, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Table, tablePath } from './fake-node.ts';

export const HOST_ID = '93654103-2d22-4cc2-99ef-2a36e09d4b93';

export interface Span {
  from: number;
  to: number;
}

const int = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const position = (at: number) => {
  const bytes = Buffer.alloc(12);
  bytes.writeBigInt64BE(BigInt(at));
  bytes.writeInt32BE(at < 0 ? 0 : 7, 8);
  return bytes;
};
const withCrc = (bytes: Buffer) => {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return Buffer.concat([bytes, sum]);
};

/** Format nb, with what is read of it, and other bytes in between. */
export function statisticsFile(spans: readonly Span[], hostId: string | undefined = HOST_ID): Buffer {
  const [lower, upper] = [spans[0]?.from ?? -1, spans.at(-1)?.to ?? -1];
  const histogram = Buffer.concat([int(2), Buffer.alloc(32, 1)]);
  const stats = Buffer.concat([
    ...[histogram, histogram, position(upper), Buffer.alloc(61, 2)],
    ...[position(lower), int(spans.length)],
    ...spans.flatMap(({ from, to }) => [position(from), position(to)]),
    ...[
      Buffer.from([0, 0]),
      hostId ? Buffer.from(`01${hostId.replaceAll('-', '')}`, 'hex') : Buffer.from([0]),
    ],
  ]);
  const other = withCrc(Buffer.from('validation'));
  const start = 8 + 8 * 2 + 4;
  const toc = Buffer.concat([int(0), int(start), int(2), int(start + other.length)]);
  return Buffer.concat([withCrc(int(2)), withCrc(toc), other, withCrc(stats)]);
}

export interface FakeSSTable {
  /** `nb-1-big`, or `.index/nb-1-big`. */
  name: string;
  spans?: Span[];
  hostId?: string;
  /** Received whole by streaming: without Digest.crc32 and TOC.txt. */
  streamed?: boolean;
  content?: string;
}

/** Writes a live SSTable. @returns its components, in the order in which they are to be linked */
export async function writeLive(root: string, table: Table, sstable: FakeSSTable): Promise<string[]> {
  const { name, spans = [], hostId = HOST_ID, streamed = false, content = `data of ${name}` } = sstable;
  const components: Record<string, string | Buffer> = {
    'Filter.db': 'filter',
    'Data.db': content,
    ...(!streamed && { 'Digest.crc32': String(crc32(content)) }),
    'Index.db': `index of ${name}`,
    'Statistics.db': statisticsFile(spans, hostId),
  };
  if (!streamed) components['TOC.txt'] = `${[...Object.keys(components), 'TOC.txt'].join('\n')}\n`;
  const live = join(root, tablePath(table));
  for (const [component, bytes] of Object.entries(components)) {
    const path = join(live, `${name}-${component}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
  return Object.keys(components);
}

/** As Cassandra does after a flush. */
export async function linkComponent(root: string, table: Table, { name }: FakeSSTable, component: string) {
  const live = join(root, tablePath(table));
  const target = join(live, 'backups', `${name}-${component}`);
  await mkdir(dirname(target), { recursive: true });
  await link(join(live, `${name}-${component}`), target);
}

export async function flushed(root: string, table: Table, sstable: FakeSSTable): Promise<void> {
  for (const component of await writeLive(root, table, sstable)) {
    await linkComponent(root, table, sstable, component);
  }
}

// Snapshots that no Cassandra made: many small files, and big files whose every block is another. Sparse, so that 20 GiB take
// 80 MiB of the disk.
import { randomFillSync } from 'node:crypto';
import { type FileHandle, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { TableRef } from '../../contracts/actions.ts';

export const GENERATED_TAG = 'bench-generated';
const BLOCK_BYTES = 1024 ** 2;
const BLOCKS_PER_FILE = 256;
const SSTABLES_PER_TABLE = 1_000;
const KEYSPACE = 'generated';

export interface Generated {
  dataDirectory: string;
  tables: TableRef[];
  files: number;
  bytes: number;
}

/** An SSTable of eight components, a counter in each of them. */
export async function generateSmallFiles(root: string, files: number): Promise<Generated> {
  const components = [
    'Data.db',
    'Index.db',
    'Statistics.db',
    'Filter.db',
    'Summary.db',
    'CompressionInfo.db',
  ];
  const generator = new Generator(root);
  const count = Math.ceil(files / (components.length + 2));
  await generator.write(count, async (prefix, number) => {
    for (const component of components) {
      const content = `${component} of SSTable ${number}\n`.repeat(8);
      await writeFile(`${prefix}${component}`, content);
      generator.bytes += content.length;
      if (component === 'Data.db') generator.digest = crc32(content);
    }
    return components;
  });
  return generator.result();
}

/** SSTables whose Data.db has 256 blocks of 1 MiB, each with its own number at its start. */
export async function generateBlocks(root: string, gib: number): Promise<Generated> {
  const generator = new Generator(root);
  const count = Math.ceil((gib * 1024 ** 3) / (BLOCK_BYTES * BLOCKS_PER_FILE));
  await generator.write(count, async (prefix, number) => {
    const file = await open(`${prefix}Data.db`, 'w');
    generator.digest = await writeBlocks(file, number).finally(() => file.close());
    generator.bytes += BLOCK_BYTES * BLOCKS_PER_FILE;
    for (const component of ['Index.db', 'Statistics.db']) {
      await writeFile(`${prefix}${component}`, `${component} of SSTable ${number}\n`);
    }
    return ['Data.db', 'Index.db', 'Statistics.db'];
  });
  return generator.result();
}

/** SSTables whose Data.db is of so many MiB, four fifths of each random, so that compression takes a little from it. */
export async function generateFiles(root: string, files: number, mib: number): Promise<Generated> {
  const generator = new Generator(root);
  const sizeBytes = Math.floor(mib * BLOCK_BYTES);
  await generator.write(files, async (prefix, number) => {
    const file = await open(`${prefix}Data.db`, 'w');
    generator.digest = await writeRandom(file, sizeBytes).finally(() => file.close());
    generator.bytes += sizeBytes;
    for (const component of ['Index.db', 'Statistics.db']) {
      await writeFile(`${prefix}${component}`, `${component} of SSTable ${number}\n`);
    }
    return ['Data.db', 'Index.db', 'Statistics.db'];
  });
  return generator.result();
}

/** Answers the CRC32 of the whole. */
async function writeRandom(file: FileHandle, sizeBytes: number): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES, 'what shrinks ');
  let checksum = 0;
  for (let left = sizeBytes; left > 0; left -= block.length) {
    randomFillSync(block, 0, Math.floor(block.length * 0.8));
    const own = block.subarray(0, left);
    await file.appendFile(own);
    checksum = crc32(own, checksum);
  }
  return checksum;
}

/** Answers the CRC32 of the whole. */
async function writeBlocks(file: FileHandle, number: number): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES);
  let checksum = 0;
  await file.truncate(BLOCK_BYTES * BLOCKS_PER_FILE);
  for (let index = 0; index < BLOCKS_PER_FILE; index += 1) {
    block.writeBigUInt64BE(BigInt(number * BLOCKS_PER_FILE + index + 1));
    await file.write(block, 0, 8, index * BLOCK_BYTES);
    checksum = crc32(block, checksum);
  }
  return checksum;
}

class Generator {
  readonly #dataDirectory: string;
  readonly #tables: TableRef[] = [];
  #files = 0;
  bytes = 0;
  /** Of the SSTable's Data.db, as Cassandra keeps it. */
  digest = 0;

  constructor(root: string) {
    this.#dataDirectory = join(root, 'data');
  }

  /** @param writeComponents answers the names of what it wrote */
  async write(
    count: number,
    writeComponents: (prefix: string, number: number) => Promise<string[]>,
  ): Promise<void> {
    await rm(this.#dataDirectory, { recursive: true, force: true });
    for (let first = 0; first < count; first += SSTABLES_PER_TABLE) {
      const last = Math.min(count, first + SSTABLES_PER_TABLE);
      await this.#writeTable(first, last, writeComponents);
    }
  }

  async #writeTable(
    first: number,
    last: number,
    writeComponents: (prefix: string, number: number) => Promise<string[]>,
  ): Promise<void> {
    const index = this.#tables.length + 1;
    const table = { keyspace: KEYSPACE, table: `table${index}`, tableId: String(index).padStart(32, '0') };
    this.#tables.push(table);
    const name = `${table.table}-${table.tableId}`;
    const snapshot = join(this.#dataDirectory, KEYSPACE, name, 'snapshots', GENERATED_TAG);
    await mkdir(snapshot, { recursive: true });
    const listed: string[] = [];
    for (let number = first; number < last; number += 1) {
      const prefix = `nb-${number + 1}-big-`;
      const written = await writeComponents(join(snapshot, prefix), number);
      const toc = [...written, 'Digest.crc32', 'TOC.txt'];
      await writeFile(join(snapshot, `${prefix}Digest.crc32`), String(this.digest));
      await writeFile(join(snapshot, `${prefix}TOC.txt`), `${toc.join('\n')}\n`);
      this.#files += toc.length;
      listed.push(`${prefix}Data.db`);
    }
    await writeFile(join(snapshot, 'manifest.json'), JSON.stringify({ files: listed }));
  }

  result(): Generated {
    const { bytes } = this;
    return { dataDirectory: this.#dataDirectory, tables: this.#tables, files: this.#files, bytes };
  }
}

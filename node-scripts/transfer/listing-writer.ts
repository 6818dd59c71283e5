// Writes a node's listing: sorted JSON lines in a gzip file that is the same for the same lines.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type ListedFile, listedFile } from '../../contracts/manifests.ts';

export interface WrittenListing {
  sha256: string;
  sizeBytes: number;
  lines: number;
}

export interface ListingWriter {
  /** In the order of `path`, then `dataDirectory`. */
  add(file: ListedFile): Promise<void>;
  close(): Promise<WrittenListing>;
  /** Leaves a torn file, which nobody reads. */
  abandon(): Promise<void>;
}

export function createListing(path: string): ListingWriter {
  const gzip = createGzip({ level: 6 });
  const sha256 = createHash('sha256');
  let sizeBytes = 0;
  let lines = 0;
  let last: ListedFile | undefined;
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      sha256.update(chunk);
      sizeBytes += chunk.length;
      done(null, chunk);
    },
  });
  const written = pipeline(gzip, count, createWriteStream(path, { mode: 0o600 }));
  // Told by close(), or by the write that comes before it.
  written.catch(() => undefined);
  return {
    async add(file) {
      if (last && !isBefore(last, file)) throw new Error(`listing out of order: ${last.path}, ${file.path}`);
      last = file;
      lines += 1;
      if (!gzip.write(`${JSON.stringify(listedFile.parse(file))}\n`))
        await Promise.race([once(gzip, 'drain'), written]);
    },
    async abandon() {
      gzip.destroy();
      await written.catch(() => undefined);
    },
    async close() {
      gzip.end();
      await written;
      const file = await open(path, 'r');
      await file.sync().finally(() => file.close());
      return { sha256: sha256.digest('hex'), sizeBytes, lines };
    },
  };
}

function isBefore(one: ListedFile, other: ListedFile): boolean {
  return one.path === other.path ? one.dataDirectory < other.dataDirectory : one.path < other.path;
}

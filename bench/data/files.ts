// The files below a directory, whole trees compared.
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface FoundFile {
  size: number;
  ino: number;
  mtimeMs: number;
}

/** Path below `root` → the file, of every file. */
export async function filesOf(root: string): Promise<Map<string, FoundFile>> {
  const found = new Map<string, FoundFile>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { size, ino, mtimeMs } = await stat(path);
    found.set(path.slice(root.length + 1), { size, ino, mtimeMs });
  }
  return found;
}

/** @throws where `got` does not hold the very files of `expected` */
export async function mustBeSameTree(got: string, expected: string): Promise<void> {
  const [here, there] = [await filesOf(got), await filesOf(expected)];
  if (here.size !== there.size) throw new Error(`${got}: got ${here.size} files, expected ${there.size}`);
  for (const path of there.keys()) {
    if (!(await isSame(join(got, path), join(expected, path)))) {
      throw new Error(`${join(got, path)}: differs from what was backed up`);
    }
  }
}

const CHUNK_BYTES = 4 * 1024 ** 2;

async function isSame(one: string, other: string): Promise<boolean> {
  const files = [await open(one, 'r').catch(() => undefined), await open(other, 'r')] as const;
  try {
    if (!files[0]) return false;
    const buffers = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)] as const;
    for (let at = 0; ; at += CHUNK_BYTES) {
      const here = await files[0].read(buffers[0], 0, CHUNK_BYTES, at);
      const there = await files[1].read(buffers[1], 0, CHUNK_BYTES, at);
      if (here.bytesRead !== there.bytesRead) return false;
      if (buffers[0].compare(buffers[1], 0, there.bytesRead, 0, here.bytesRead) !== 0) return false;
      if (here.bytesRead < CHUNK_BYTES) return true;
    }
  } finally {
    for (const file of files) await file?.close();
  }
}

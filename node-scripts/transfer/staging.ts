// The staged tree of a restore: below each data directory, on its file system; its files are made as Cassandra will own them.
import { dirname, join } from 'node:path';
import type { ListedFile } from '../../contracts/manifests.ts';
import { makeDirectory, syncDirectory } from '../durable-files.ts';
import type { FetchFile } from './fetch-object.ts';
import { type Ownership, ownershipOf } from './owned-directories.ts';
import { openStagingRoot, type StagingRoot } from './staging-root.ts';

export interface Staging {
  /** One for each of the node's data directories that the backup's are mapped to. */
  roots: string[];
  /** Where a file goes; its directory is made. */
  fileOf(listed: ListedFile): Promise<FetchFile>;
  /** What has its name is durable then. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** @param mapped by the backup's data directory @throws FileInTheWay */
export async function openStaging(mapped: string[], runId: string): Promise<Staging> {
  const owners = new Map<string, Ownership>();
  const roots = new Map<string, StagingRoot>();
  const made = new Map<string, Promise<void>>();
  const make = (directory: string) => {
    const making = made.get(directory) ?? makeDirectory(directory);
    made.set(directory, making);
    return making;
  };
  const close = async () => {
    for (const root of roots.values()) await root.close();
  };
  try {
    for (const directory of new Set(mapped)) {
      owners.set(directory, await ownershipOf(directory));
      roots.set(directory, await openStagingRoot(directory, runId));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    roots: [...roots.values()].map(({ path }) => path),
    async fileOf({ path, dataDirectory, sha256, sizeBytes, offset = 0 }) {
      const directory = mapped[dataDirectory] ?? '';
      const [root, ownership] = [roots.get(directory), owners.get(directory)];
      if (!root || !ownership)
        throw new Error(`${path}: got data directory ${dataDirectory} of ${mapped.length}`);
      const target = join(root.held, path);
      await make(dirname(target));
      return { path, target, sha256, sizeBytes, offset, ownership };
    },
    async sync() {
      for (const directory of made.keys()) await syncDirectory(directory);
    },
    close,
  };
}

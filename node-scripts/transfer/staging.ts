// The staged tree of a restore: below each data directory, on its file system, made as Cassandra will own it.
import { dirname, join } from 'node:path';
import type { ListedFile } from '../../contracts/manifests.ts';
import { syncDirectory } from '../durable-files.ts';
import type { FetchFile } from './fetch-object.ts';
import {
  type MadeDirectories,
  makeOwnedDirectory,
  type Ownership,
  ownershipOf,
} from './owned-directories.ts';
import { stagingRoot } from './placement.ts';

export interface Staging {
  /** One for each of the node's data directories that the backup's are mapped to. */
  roots: string[];
  /** Where a file goes; its directory is made. */
  fileOf(listed: ListedFile): Promise<FetchFile>;
  /** What has its name is durable then. */
  sync(): Promise<void>;
}

/** @param mapped by the backup's data directory */
export async function openStaging(mapped: string[], runId: string): Promise<Staging> {
  const made: MadeDirectories = new Map();
  const owners = new Map<string, Ownership>();
  for (const directory of mapped) {
    if (owners.has(directory)) continue;
    const owner = await ownershipOf(directory);
    owners.set(directory, owner);
    await makeOwnedDirectory(stagingRoot(directory, runId), owner, made);
  }
  return {
    roots: [...owners.keys()].map((directory) => stagingRoot(directory, runId)),
    async fileOf({ path, dataDirectory, sha256, sizeBytes, offset = 0 }) {
      const root = mapped[dataDirectory] ?? '';
      const ownership = owners.get(root) ?? (await ownershipOf(root));
      const target = join(stagingRoot(root, runId), path);
      await makeOwnedDirectory(dirname(target), ownership, made);
      return { path, target, sha256, sizeBytes, offset, ownership };
    },
    async sync() {
      for (const directory of made.keys()) await syncDirectory(directory);
    },
  };
}

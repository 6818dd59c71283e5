// The directory that a restore stages in. It lies where Cassandra's user may rename what it likes, and put a link in its place,
// while root writes. So until it is given away it is ours alone, and gone into by its descriptor: no name above it counts.
import { type FileHandle, mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FileInTheWay } from '../../contracts/errors.ts';
import { errorCode } from '../durable-files.ts';
import {
  heldPath,
  makeOwnedDirectory,
  type Ownership,
  openIfDirectory,
  ownershipOf,
} from './owned-directories.ts';
import { stagingRoot } from './placement.ts';

const OTHERS_MAY_WRITE = 0o022;

export interface StagingRoot {
  /** As others find it. */
  path: string;
  /** As this process goes into it. */
  held: string;
  close(): Promise<void>;
}

/** Made where it is not there. @throws FileInTheWay where others could change names in it */
export async function openStagingRoot(dataDirectory: string, runId: string): Promise<StagingRoot> {
  const path = stagingRoot(dataDirectory, runId);
  await makeOwnedDirectory(dirname(path), await ownershipOf(dataDirectory));
  const above = await openIfDirectory(dirname(path));
  if (!above) throw inTheWay(dirname(path));
  try {
    const ours = join(heldPath(above), basename(path));
    await mkdir(ours, { mode: 0o700 }).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
    await above.sync();
    const directory = await openIfOurs(ours);
    if (!directory) throw inTheWay(path);
    return { path, held: heldPath(directory), close: () => directory.close() };
  } finally {
    await above.close();
  }
}

/**
 * To the owner of each data directory, before Cassandra is to have it. From the leaves up: what is above is ours until all below
 * it is given. Idempotent.
 */
export async function giveStagingAway(dataDirectories: Iterable<string>, runId: string): Promise<void> {
  for (const each of new Set(dataDirectories)) await giveAwayBelow(each, runId);
}

async function giveAwayBelow(dataDirectory: string, runId: string): Promise<void> {
  const path = stagingRoot(dataDirectory, runId);
  const above = await openIfDirectory(dirname(path));
  if (!above) return;
  try {
    await give(join(heldPath(above), basename(path)), await ownershipOf(dataDirectory));
  } finally {
    await above.close();
  }
}

async function give(path: string, ownership: Ownership): Promise<void> {
  const directory = await openIfOurs(path);
  // Given already, or put there by somebody else.
  if (!directory) return;
  try {
    const held = heldPath(directory);
    for (const entry of await readdir(held, { withFileTypes: true }))
      if (entry.isDirectory()) await give(join(held, entry.name), ownership);
    await directory.chmod(ownership.directoryMode);
    await directory.chown(ownership.uid, ownership.gid);
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function openIfOurs(path: string): Promise<FileHandle | undefined> {
  const directory = await openIfDirectory(path);
  if (!directory) return undefined;
  const { uid, mode } = await directory.stat();
  if (uid === process.geteuid?.() && (mode & OTHERS_MAY_WRITE) === 0) return directory;
  await directory.close();
  return undefined;
}

const inTheWay = (path: string) =>
  new FileInTheWay(`${path}: it is there, expected nothing, or a directory that nobody else may write in`);

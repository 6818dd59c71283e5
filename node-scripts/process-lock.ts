// A lock held by a process for as long as it lives, race safe without flock: its files are numbered, the highest counts,
// and link(2) lets one process alone make the next. A dead holder's file stays, so that numbers never come again.
import { randomBytes } from 'node:crypto';
import { link, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonIfAny } from '../contracts/documents.ts';
import { errorCode, makeDirectory, namesIn, readIfThere, writeSynced } from './durable-files.ts';
import { identityOf, isAlive, type ProcessIdentity, processIdentity } from './processes.ts';

export interface HeldLock {
  release(): Promise<void>;
}

/** @param directory holds this lock's files, and may hold others */
export async function tryLock(directory: string): Promise<HeldLock | 'held'> {
  await makeDirectory(directory);
  const self = await identityOf(process.pid);
  const temporary = join(directory, `.lock-${randomBytes(8).toString('hex')}`);
  // Where there is no /proc nobody knows who lives: the lock holds nobody off.
  await writeSynced(temporary, JSON.stringify(self ?? null));
  try {
    for (;;) {
      const newest = await newestNumber(directory);
      if (newest > 0 && (await livingHolder(directory, newest))) return 'held';
      const path = lockPath(directory, newest + 1);
      try {
        await link(temporary, path);
        return { release: () => unlink(path) };
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
      }
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The living process that holds the lock. */
export async function lockHolder(directory: string): Promise<ProcessIdentity | undefined> {
  const newest = await newestNumber(directory);
  return newest > 0 ? livingHolder(directory, newest) : undefined;
}

const lockPath = (directory: string, number: number) => join(directory, `lock.${number}`);

async function newestNumber(directory: string): Promise<number> {
  const names = await namesIn(directory);
  return Math.max(0, ...names.map((name) => Number(/^lock\.(\d+)$/.exec(name)?.[1] ?? 0)));
}

async function livingHolder(directory: string, number: number): Promise<ProcessIdentity | undefined> {
  const content = await readIfThere(lockPath(directory, number));
  if (content === undefined) return undefined;
  // Nobody's, where a crash left it empty or torn.
  const holder = processIdentity.safeParse(jsonIfAny(content)).data;
  return holder && (await isAlive(holder)) ? holder : undefined;
}

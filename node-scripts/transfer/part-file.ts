// A file on its way to its place: under a temporary name until it is whole, right and on the disk.
import type { Hash } from 'node:crypto';
import {
  constants,
  fchmodSync,
  fchownSync,
  fsync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { FileInTheWay, InsufficientSpace } from '../../contracts/errors.ts';
import { errorCode } from '../durable-files.ts';
import type { FetchFile } from './fetch-object.ts';

export interface WrongFile {
  file: FetchFile;
  /** Instead of its hash. */
  got: string;
}

export interface PartFile {
  file: FetchFile;
  descriptor: number;
  sha256: Hash;
}

/** This waits for the disk; all else is done faster than a promise is made. */
const sync = promisify(fsync);

export const temporaryOf = (target: string) => `${target}.part`;

/** For people, who know a file by another path than it may be gone to. */
export const whereOf = (target: string) => join(realpathSync(dirname(target)), basename(target));

/** Of a file that we made and nobody else has a name for: through a link in its place we would write into another file. */
export function statOwn(path: string): Stats | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() && found.nlink === 1 && found.uid === process.geteuid?.() ? found : undefined;
}

/** For writing, and for reading what was written. @param goesOn with what is there; else it is made anew */
export function openPart({ target }: FetchFile, goesOn = false): number {
  const path = temporaryOf(target);
  if (goesOn) return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  rmSync(path, { force: true });
  return openSync(path, 'wx+', 0o600);
}

export function own({ descriptor, file }: Pick<PartFile, 'descriptor' | 'file'>): void {
  if (!file.ownership) return;
  const { uid, gid, fileMode } = file.ownership;
  fchownSync(descriptor, uid, gid);
  fchmodSync(descriptor, fileMode);
}

/** @throws FileInTheWay where something has its name that may not be replaced */
export function mustBeFree({ target, keepsOthers }: FetchFile): void {
  if (!keepsOthers || !lstatSync(target, { throwIfNoEntry: false })) return;
  throw new FileInTheWay(`${target}: it is there, and is not the file of the backup`);
}

/** On the disk first. @throws FileInTheWay */
export async function nameIfRight({ file, descriptor, sha256 }: PartFile): Promise<WrongFile[]> {
  await sync(descriptor);
  const got = sha256.digest('hex');
  if (got !== file.sha256) return [{ file, got: `SHA-256 ${got}` }];
  // It took a while.
  mustBeFree(file);
  renameSync(temporaryOf(file.target), file.target);
  return [];
}

/** @param position undefined: where the last one ended */
export function writeAll(
  { descriptor, file }: Pick<PartFile, 'descriptor' | 'file'>,
  bytes: Buffer,
  position?: number,
): void {
  try {
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(
        descriptor,
        bytes,
        at,
        bytes.length - at,
        position === undefined ? null : position + at,
      );
    }
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    throw new InsufficientSpace(`${whereOf(file.target)}: the file system is full`, { cause: error });
  }
}

// The room that Cassandra is left while a restore is staged. What is free is not enough to know: the files under way will still
// take of it. Kept by one for all that fetch at the same time, in whichever threads these write.
import { lstatSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { InsufficientSpace } from '../../contracts/errors.ts';
import type { FetchFile } from './fetch-object.ts';
import { temporaryOf, whereOf } from './part-file.ts';

const BLOCK_BYTES = 512;

export interface Reserve {
  /** Room for the files of an object until they are there, or given up. @returns gives it back @throws InsufficientSpace */
  promise(files: readonly [FetchFile, ...FetchFile[]]): () => void;
}

interface Promised {
  device: number;
  bytes: number;
  files: readonly FetchFile[];
}

export function openReserve(
  reserveBytes: number,
  freeBytes: (directory: string) => number = freeBytesOf,
): Reserve {
  const underWay = new Set<Promised>();
  return {
    promise(files) {
      const directory = dirname(files[0].target);
      // An object is fetched into one data directory.
      const bytes = bytesToCome(files);
      const promised = { device: statSync(directory).dev, bytes, files };
      const before = [...underWay].filter(({ device }) => device === promised.device);
      const keepsReserve = (others: number, free: number) => free - others - bytes >= reserveBytes;
      const all = before.reduce((sum, each) => sum + each.bytes, 0);
      if (bytes > 0 && !keepsReserve(all, freeBytes(directory))) {
        // Much of what is under way may be written. Looked at before what is free: a write in between counts twice, not never.
        const others = before.reduce((sum, each) => sum + bytesToCome(each.files), 0);
        const free = freeBytes(directory);
        if (!keepsReserve(others, free)) {
          throw new InsufficientSpace(
            `${whereOf(files[0].target)}: got ${free} bytes free by now, expected ${bytes} for what comes next, ${others} for what is under way and ${reserveBytes} in reserve`,
          );
        }
      }
      underWay.add(promised);
      return () => void underWay.delete(promised);
    },
  };
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** What an attempt before has written, or taken the space for, is not taken again. */
function bytesToCome(files: readonly FetchFile[]): number {
  const ofFile = ({ target, sizeBytes }: FetchFile) => {
    if (lstatSync(target, { throwIfNoEntry: false })?.size === sizeBytes) return 0;
    const { blocks = 0 } = lstatSync(temporaryOf(target), { throwIfNoEntry: false }) ?? {};
    return Math.max(0, sizeBytes - blocks * BLOCK_BYTES);
  };
  return files.reduce((sum, file) => sum + ofFile(file), 0);
}

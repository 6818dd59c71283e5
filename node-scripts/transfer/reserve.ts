// The room that Cassandra is left while a restore is staged: what was free when it was checked may be in use by now.
import { statfs } from 'node:fs/promises';
import { InsufficientSpace } from '../../contracts/errors.ts';

/** @param bytes of what comes next @throws InsufficientSpace */
export async function mustKeepReserve(directory: string, bytes: number, reserveBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free - bytes >= reserveBytes) return;
  throw new InsufficientSpace(
    `${directory}: got ${free} bytes free by now, expected ${bytes} for the next file and ${reserveBytes} in reserve`,
  );
}

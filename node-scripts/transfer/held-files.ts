// Whether every file of a node's part of a backup is where it must be: of its size, and as it was verified.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TableRef } from '../../contracts/actions.ts';
import { RestoreIncomplete } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import { isMissingFile } from '../durable-files.ts';
import { filesOfTables } from './placement.ts';
import type { NodeBackup } from './read-backup.ts';

/** @param roots by the backup's data directory @throws RestoreIncomplete */
export async function mustHoldAll(
  context: Pick<ActionContext, 'signal'>,
  backup: NodeBackup,
  tables: TableRef[],
  roots: string[],
  where: 'staging' | 'place',
  linkedBefore = Number.POSITIVE_INFINITY,
): Promise<{ files: number; bytes: number }> {
  const total = { files: 0, bytes: 0 };
  for await (const file of filesOfTables(backup.files(), tables)) {
    context.signal.throwIfAborted();
    await mustHold(join(roots[file.dataDirectory] ?? '', file.path), file, where, linkedBefore);
    total.files += 1;
    total.bytes += file.sizeBytes;
  }
  return total;
}

async function mustHold(path: string, file: ListedFile, where: string, linkedBefore: number): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (isMissingFile(error)) return undefined;
    throw error;
  });
  // Cassandra had it too, until it was stopped.
  if (found && found.nlink > 1 && found.mtimeMs >= linkedBefore) {
    const changed = found.mtime.toISOString();
    throw new RestoreIncomplete(`${path}: it was changed at ${changed}, expected none after it was verified`);
  }
  if (found?.size === file.sizeBytes) return;
  const got = found === undefined ? 'no file' : `${found.size} bytes`;
  throw new RestoreIncomplete(`${path}: got ${got} in ${where}, expected ${file.sizeBytes} bytes`);
}

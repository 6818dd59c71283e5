// Fetches one object into one file: under a temporary name, hashed as it comes, synced, then renamed. A file that has its
// name is whole.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { BackupDamaged, InsufficientSpace } from '../../contracts/errors.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import { errorCode, isMissingFile } from '../durable-files.ts';
import type { Ownership } from './owned-directories.ts';

/** Bytes that were changed on their way are asked for again. */
const ATTEMPTS = 2;

/** @throws BackupDamaged InsufficientSpace VaultUnavailable VaultDenied */
export async function fetchFile(
  context: ActionContext,
  file: ListedFile,
  target: string,
  ownership: Ownership,
): Promise<'downloaded' | 'there-already'> {
  if (await isRight(target, file)) return 'there-already';
  const key = keyOf(context, file);
  const temporary = `${target}.part`;
  for (let attempt = 1; ; attempt += 1) {
    const got = await fetchInto(context, key, file, temporary, ownership);
    if (got === file.sha256) break;
    if (attempt === ATTEMPTS) {
      await unlink(temporary);
      throw new BackupDamaged(
        `object ${key} of file ${file.path}: got SHA-256 ${got}, expected ${file.sha256}`,
      );
    }
  }
  await rename(temporary, target);
  return 'downloaded';
}

function keyOf({ layout, document }: ActionContext, file: ListedFile): string {
  return file.variant === '2'
    ? layout.objectBesideTampered(document.clusterId, file.sha256)
    : layout.object(document.clusterId, file.sha256);
}

/** From an attempt before: read again, rather than believed. */
async function isRight(path: string, file: ListedFile): Promise<boolean> {
  try {
    if ((await stat(path)).size !== file.sizeBytes) return false;
  } catch (error) {
    if (isMissingFile(error)) return false;
    throw error;
  }
  const sha256 = createHash('sha256');
  for await (const chunk of createReadStream(path)) sha256.update(chunk as Buffer);
  return sha256.digest('hex') === file.sha256;
}

async function fetchInto(
  context: ActionContext,
  key: string,
  file: ListedFile,
  path: string,
  ownership: Ownership,
): Promise<string> {
  const stored = await context.store.getStream(key);
  if (!stored) throw new BackupDamaged(`object ${key} of file ${file.path}: it is gone`);
  if (stored.sizeBytes !== file.sizeBytes) {
    stored.body.destroy();
    throw new BackupDamaged(
      `object ${key} of file ${file.path}: got ${stored.sizeBytes} bytes, expected ${file.sizeBytes}`,
    );
  }
  const handle = await open(path, 'w', 0o600);
  try {
    const sha256 = createHash('sha256');
    for await (const chunk of stored.body) {
      context.signal.throwIfAborted();
      const bytes = chunk as Buffer;
      sha256.update(bytes);
      await writeAll(handle, bytes, path);
      context.progress.add({ transferred: bytes.length });
    }
    await handle.chown(ownership.uid, ownership.gid);
    await handle.chmod(ownership.fileMode);
    await handle.sync();
    return sha256.digest('hex');
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, path: string): Promise<void> {
  try {
    await handle.writeFile(bytes);
  } catch (error) {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    throw new InsufficientSpace(`${path}: the file system is full`, { cause: error });
  }
}

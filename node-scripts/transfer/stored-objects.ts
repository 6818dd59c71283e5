// Which objects the vault holds for sure: those of the newest sealed backup, and those that this action stored itself.
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupSource } from '../../contracts/actions.ts';
import { BackupDamaged } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { makeDirectory, readIfThere } from '../durable-files.ts';
import { CompactTable } from './compact-table.ts';
import { readNodeBackup } from './read-backup.ts';

export type Variant = 'plain' | '2';

export interface StoredObjects {
  /** Under which name the object is, if it is stored. */
  has(sha256: string): Variant | undefined;
  /** Call when the object is durable. A lost entry costs one refused PUT. */
  add(sha256: string, variant: Variant): Promise<void>;
  close(): Promise<void>;
}

/** @param previous this host's part of the newest sealed backup when the run claimed its lock */
export async function openStoredObjects(
  context: ActionContext,
  previous: BackupSource | undefined,
): Promise<StoredObjects> {
  const table = new CompactTable(32, 1);
  if (previous) await addSealed(context, table, previous);
  await makeDirectory(context.directory);
  const path = join(context.directory, 'stored-objects');
  for (const line of ((await readIfThere(path)) ?? '').split('\n')) {
    const entry = /^([0-9a-f]{64}) (plain|2)$/.exec(line);
    if (entry) put(table, entry[1] ?? '', entry[2] as Variant);
  }
  // A line that was torn by a crash is ended, so that the next one is whole.
  const journal: FileHandle = await open(path, 'a', 0o600);
  await journal.write('\n');
  return {
    has(sha256) {
      const value = table.get(Buffer.from(sha256, 'hex'));
      return value && (value[0] === 2 ? '2' : 'plain');
    },
    async add(sha256, variant) {
      put(table, sha256, variant);
      await journal.write(`${sha256} ${variant}\n`);
    },
    close: () => journal.close(),
  };
}

async function addSealed(context: ActionContext, table: CompactTable, previous: BackupSource): Promise<void> {
  try {
    const backup = await readNodeBackup(context, previous);
    for await (const file of backup.files()) put(table, file.sha256, file.variant ?? 'plain');
  } catch (error) {
    if (!(error instanceof BackupDamaged)) throw error;
    // Its objects are found one by one, when their PUT is refused.
    context.log.warn({ err: error, backupId: previous.backupId }, 'the backup before is damaged');
  }
}

function put(table: CompactTable, sha256: string, variant: Variant): void {
  table.set(Buffer.from(sha256, 'hex'), Buffer.from([variant === '2' ? 2 : 1]));
}

// What a host remembers of a backup that an incremental may go on from. A host that lost it says so: that is a gap, not a loss.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseDocument } from '../../contracts/documents.ts';
import { InvalidDocument, NewerFormat } from '../../contracts/errors.ts';
import { backupId, tableId } from '../../contracts/identifiers.ts';
import type { ActionContext } from '../context.ts';
import { namesIn, readIfThere, writeDurably } from '../durable-files.ts';

const noted = z.strictObject({
  formatVersion: z.literal(1),
  dataDirectories: z.array(z.string()),
  /** When each table was last truncated, as Cassandra keeps it. */
  truncated: z.record(tableId, z.string()),
  /** Of each table the keys of SSTables that were linked or collected before the base's snapshot: it holds what they hold. */
  before: z.record(z.string(), z.array(z.string())),
});
/** Of a base, just before its snapshot. */
export type Noted = z.infer<typeof noted>;

const memory = noted.extend({
  backupId,
  /** Of the backup and of those that it goes on from: name → key of its Data.db. */
  sstables: z.record(z.string(), z.string()),
  /** Of each table the keys of SSTables that were not whole when it was taken: the next one must find them whole. */
  unfinished: z.record(z.string(), z.array(z.string())),
  /** All that was flushed up to this position of the commit log is in them, by what has memtables of its own. */
  upTo: z.record(z.string(), z.string()),
});
export type Memory = z.infer<typeof memory>;

type Context = Pick<ActionContext, 'paths'>;
const notedPath = ({ paths }: Context, id: string) => join(paths.increments, `${id}.before.json`);
const memoryPath = ({ paths }: Context, id: string) => join(paths.increments, `${id}.json`);

export async function writeNoted(context: Context, id: string, note: Noted): Promise<void> {
  await writeDurably(notedPath(context, id), JSON.stringify(note));
}

export function readNoted(context: Context, id: string): Promise<Noted | undefined> {
  return read(notedPath(context, id), noted);
}

/** Of a round before. */
export async function forgetNoted(context: Context, id: string): Promise<void> {
  await rm(notedPath(context, id), { force: true });
}

export async function remember(context: Context, kept: Memory): Promise<void> {
  await writeDurably(memoryPath(context, kept.backupId), JSON.stringify(kept));
}

/** What cannot be read is lost: a gap. */
export async function recall(context: Context, id: string): Promise<Memory | undefined> {
  try {
    return await read(memoryPath(context, id), memory);
  } catch (error) {
    if (error instanceof InvalidDocument || error instanceof NewerFormat) return undefined;
    throw error;
  }
}

/** @param isPast of backups that no incremental will go on from */
export async function forget(
  { paths }: Context,
  isPast: (backupId: string) => boolean = () => true,
): Promise<void> {
  const names = await namesIn(paths.increments);
  for (const name of names) {
    if (isPast(name.slice(0, name.indexOf('.')))) await rm(join(paths.increments, name), { force: true });
  }
}

async function read<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const content = await readIfThere(path);
  return content === undefined ? undefined : parseDocument(schema, content, path);
}

// What an action came to, kept on the host's own disk, so that a success is told again and never done twice.
import { join } from 'node:path';
import { z } from 'zod';
import { parseDocument } from '../contracts/documents.ts';
import { readIfThere, writeDurably } from './durable-files.ts';

const savedResult = z.strictObject({ formatVersion: z.literal(1), output: z.unknown() });

const pathOf = (actionDirectory: string) => join(actionDirectory, 'result.json');

export async function readResult(actionDirectory: string): Promise<{ output: unknown } | undefined> {
  const path = pathOf(actionDirectory);
  const content = await readIfThere(path);
  return content === undefined ? undefined : parseDocument(savedResult, content, path);
}

export async function saveResult(actionDirectory: string, output: unknown): Promise<void> {
  await writeDurably(pathOf(actionDirectory), JSON.stringify({ formatVersion: 1, output }));
}

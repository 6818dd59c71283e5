// A list of renames that survives being killed between any two instructions: the list is durable before the first, each
// is written down before it is done, and both directories are synced after it. Carrying it out again goes on where it
// stopped.
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { parseDocument } from '../../contracts/documents.ts';
import { SwapConflict } from '../../contracts/errors.ts';
import { isThere, readIfThere, syncDirectory, writeDurably } from '../durable-files.ts';

export const renameStep = z.strictObject({ from: z.string(), to: z.string() });
export type RenameStep = z.infer<typeof renameStep>;

const stepList = z.strictObject({ formatVersion: z.literal(1), steps: z.array(renameStep) });
const DONE = 'done';

export interface RenameJournal {
  /** Durable; call once, before anything is renamed. Its existence says that the renames have begun. */
  write(steps: RenameStep[]): Promise<void>;
  exists(): Promise<boolean>;
  isDone(): Promise<boolean>;
  read(): Promise<RenameStep[]>;
  /** Carries out what is left. @param before is called before each rename @throws SwapConflict */
  carryOut(before?: (step: RenameStep) => Promise<void>): Promise<void>;
}

/** @param path of the list; the log of what was begun lies beside it */
export function renameJournal(path: string): RenameJournal {
  const logPath = `${path}.log`;
  const read = async () => {
    const content = await readIfThere(path);
    if (content === undefined) throw new SwapConflict(`${path}: there is no such journal`);
    return parseDocument(stepList, content, path).steps;
  };
  return {
    write: (steps) =>
      writeDurably(path, JSON.stringify({ formatVersion: 1, steps } satisfies z.infer<typeof stepList>)),
    exists: () => isThere(path),
    isDone: async () => (await begunLines(logPath)).includes(DONE),
    read,
    async carryOut(before) {
      const steps = await read();
      const lines = await begunLines(logPath);
      if (lines.includes(DONE)) return;
      const begun = Math.max(-1, ...lines.map(Number));
      const log = await open(logPath, 'a', 0o600);
      try {
        // A torn line is ended, so that the next one is whole. The first line makes the log itself durable.
        await log.write('\n');
        await syncDirectory(dirname(logPath));
        for (let index = Math.max(0, begun); index < steps.length; index += 1) {
          const step = steps[index];
          if (!step) continue;
          await before?.(step);
          await writeDown(log, String(index));
          await renameOnce(step, index === begun);
        }
        await writeDown(log, DONE);
      } finally {
        await log.close();
      }
    },
  };
}

async function begunLines(logPath: string): Promise<string[]> {
  const content = (await readIfThere(logPath)) ?? '';
  // Whole lines alone: a number that was torn is another number.
  return content
    .slice(0, content.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line === DONE || /^\d+$/.test(line));
}

async function writeDown(log: FileHandle, line: string): Promise<void> {
  await log.write(`${line}\n`);
  await log.datasync();
}

/** @param mayBeDone it was written down before; whether it was done is seen from the directories */
async function renameOnce(step: RenameStep, mayBeDone: boolean): Promise<void> {
  const [from, to] = [await isThere(step.from), await isThere(step.to)];
  if (mayBeDone && !from && to) {
    await syncBoth(step);
    return;
  }
  if (!from || to) {
    const state = (there: boolean) => (there ? 'there' : 'missing');
    throw new SwapConflict(
      `rename ${step.from} (${state(from)}) to ${step.to} (${state(to)}): expected the first there and the second missing`,
    );
  }
  await rename(step.from, step.to);
  await syncBoth(step);
}

async function syncBoth({ from, to }: RenameStep): Promise<void> {
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

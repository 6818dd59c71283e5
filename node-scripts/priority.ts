// Makes this program give way to Cassandra, for the processor and for the disk.
import { readdir } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { runCommand } from './cassandra/command.ts';
import type { ActionContext } from './context.ts';

/** All threads that there are, and with them those that they begin. Without ionice the disk priority stays; the log says so. */
export async function giveWay({ document, log }: ActionContext): Promise<void> {
  const { niceness } = document.limits;
  if (niceness === 0) return;
  const threads = await readdir('/proc/self/task');
  for (const thread of threads) setPriority(Number(thread), niceness);
  // Best effort, the lowest of its levels: idle would starve on a busy disk.
  const result = await runCommand(['ionice', '-c', '2', '-n', '7', '-p', ...threads]);
  if (result.failed) log.warn({ said: result.lastWords }, 'the disk priority was not lowered');
}

// Makes this program give way to Cassandra, for the processor and for the disk.
import { setPriority } from 'node:os';
import { runCommand } from './cassandra/command.ts';
import type { ActionContext } from './context.ts';

/** Threads that begin later have it too. A host without ionice keeps its disk priority; the log says so. */
export async function giveWay({ document, log }: ActionContext): Promise<void> {
  const { niceness } = document.limits;
  if (niceness === 0) return;
  setPriority(niceness);
  // Best effort, the lowest of its levels: idle would starve on a busy disk.
  const result = await runCommand(['ionice', '-c', '2', '-n', '7', '-p', String(process.pid)]);
  if (result.failed) log.warn({ said: result.lastWords }, 'the disk priority was not lowered');
}

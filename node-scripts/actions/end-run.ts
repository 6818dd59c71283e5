// end-run: nothing of the ended run goes on on this host: it is marked, its programs are ended, its snapshots cleared.
import { join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { CommandFailed, FileInTheWay, NodetoolFailed } from '../../contracts/errors.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { snapshotTags } from '../cassandra/nodetool.ts';
import { servesCql } from '../cassandra/service.ts';
import type { ActionContext } from '../context.ts';
import { namesIn, writeDurably } from '../durable-files.ts';
import { lockHolder } from '../process-lock.ts';
import { isAlive, killProcess } from '../processes.ts';
import { swapState } from '../swap/state.ts';
import { isKept } from '../transfer/kept-staging.ts';
import { stagingRoot } from '../transfer/placement.ts';
import { removeTree } from '../transfer/remove-tree.ts';
import { clearTag, mustBeTagOf } from './clear-snapshot.ts';

const KILL_LIMIT_MS = 10_000;
const POLL_MS = 100;
const CLEAR_ATTEMPTS = 5;
const CLEAR_PAUSE_MS = 1_000;

export async function endRun(
  context: ActionContext,
  input: ActionInput<'end-run'>,
): Promise<ActionOutput<'end-run'>> {
  const { paths } = context;
  for (const tag of input.tags) mustBeTagOf(input.endedRunId, tag);
  await writeDurably(paths.endedMarker(input.endedRunId), context.clock.now().toISOString());
  await endPrograms(context, input.endedRunId);
  const swap = input.restoreRunId ? await swapState(paths.journals, input.restoreRunId) : 'none';
  if (input.restoreRunId && swap === 'none' && !(await isKept(context, input.restoreRunId)))
    await removeStaging(context, input.restoreRunId);
  const isUp = await servesCql(context);
  const cleared: string[] = [];
  for (const tag of isUp ? input.tags : []) {
    if (await clearUntilGone(context, tag)) cleared.push(tag);
  }
  return { swap, cassandra: isUp ? 'up' : 'down', cleared };
}

/** A nodetool that was killed leaves its snapshot to Cassandra, which may finish it after it was cleared. */
async function clearUntilGone(context: ActionContext, tag: string): Promise<boolean> {
  for (let attempt = 1; attempt <= CLEAR_ATTEMPTS; attempt += 1) {
    await context.beforeDestroying(`clear snapshot ${tag}`);
    await clearTag(context, tag);
    if (!(await isListed(context, tag))) return true;
    await context.clock.sleep(CLEAR_PAUSE_MS, context.signal);
    context.signal.throwIfAborted();
  }
  context.log.warn({ tag }, 'snapshot of the ended run is there again each time that it is cleared');
  return false;
}

/** A list that cannot be had holds no recovery up: the snapshot was cleared. */
async function isListed(context: ActionContext, tag: string): Promise<boolean> {
  try {
    return (await snapshotTags(context)).has(tag);
  } catch (error) {
    if (!(error instanceof NodetoolFailed)) throw error;
    context.log.warn({ err: error }, 'snapshots were not listed');
    return false;
  }
}

/** A program that is just being started sees the marker before it does anything. */
async function endPrograms(context: ActionContext, endedRunId: string): Promise<void> {
  for (const name of await namesIn(context.paths.actions)) {
    if (!name.startsWith(`${endedRunId}.`)) continue;
    const holder = await lockHolder(join(context.paths.actions, name));
    if (!holder || holder.pid === process.pid) continue;
    context.log.warn({ pid: holder.pid, ended: name }, 'host program of the ended run is killed');
    await killProcess(holder);
    const deadline = context.clock.now().getTime() + KILL_LIMIT_MS;
    while (await isAlive(holder)) {
      if (context.clock.now().getTime() > deadline) {
        throw new CommandFailed(`host program ${holder.pid} of ${name} does not end after SIGKILL`);
      }
      await context.clock.sleep(POLL_MS, context.signal);
      context.signal.throwIfAborted();
    }
  }
}

/** Data that were downloaded and never swapped in. What stands in the way holds no recovery up. */
async function removeStaging(context: ActionContext, restoreRunId: string): Promise<void> {
  const { data } = await nodeDirectories(context);
  await context.beforeDestroying('delete staged data');
  for (const root of data) {
    try {
      await removeTree(stagingRoot(root, restoreRunId));
    } catch (error) {
      if (!(error instanceof FileInTheWay)) throw error;
      context.log.warn({ err: error }, 'what was staged there is left');
    }
  }
}

// What ended actions leave on a host: without this its disk would fill, slowly.
import { rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ActionContext } from './context.ts';
import { namesIn } from './durable-files.ts';
import { lockHolder } from './process-lock.ts';

/** Nobody looks into what an action did so long ago; no run waits so long for one. */
const KEPT_MS = 30 * 86_400_000;

/** Directories and logs of actions that ended long ago. */
export async function forgetOldActions({ paths, clock, log }: ActionContext): Promise<void> {
  const before = clock.now().getTime() - KEPT_MS;
  for (const path of await untouchedSince(paths.actions, before)) {
    if (await lockHolder(path)) continue;
    await rm(path, { recursive: true, force: true });
    log.info({ path }, 'what an action left long ago is deleted');
  }
  for (const path of await untouchedSince(dirname(paths.log('any')), before))
    await rm(path, { recursive: true, force: true });
}

/** Copies of listings, which an action that succeeded needs no more. */
export async function forgetListings(actionDirectory: string): Promise<void> {
  const names = await namesIn(actionDirectory);
  for (const name of names.filter((each) => each.endsWith('.gz'))) {
    await rm(join(actionDirectory, name), { force: true });
  }
}

async function untouchedSince(directory: string, beforeMs: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    if ((await stat(path)).mtimeMs < beforeMs) found.push(path);
  }
  return found;
}

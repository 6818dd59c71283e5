// The restore guard: nothing on a host is replaced unless its owner wrote the cluster's ID into a file that is fixed here.
import { RestoreNotAllowed } from '../contracts/errors.ts';
import type { ActionContext } from './context.ts';
import { readIfThere } from './durable-files.ts';

type GuardContext = Pick<ActionContext, 'paths' | 'document'>;

export async function restoreAllowed({ paths, document }: GuardContext): Promise<boolean> {
  const lines = ((await readIfThere(paths.guard)) ?? '').split('\n').map((line) => line.trim());
  return lines.includes(document.clusterId);
}

/** @throws RestoreNotAllowed */
export async function mustBeAllowed(context: GuardContext): Promise<void> {
  if (await restoreAllowed(context)) return;
  throw new RestoreNotAllowed(`${context.paths.guard} does not name cluster "${context.document.clusterId}"`);
}

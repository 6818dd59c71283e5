// flush: memtables to SSTables, so that the snapshot after it is quick on every node.
import type { ActionOutput } from '../../contracts/actions.ts';
import { nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';

export async function flush(context: ActionContext): Promise<ActionOutput<'flush'>> {
  const startedAt = context.clock.now().getTime();
  await nodetool(context, 'flush');
  return { durationMs: Math.max(0, context.clock.now().getTime() - startedAt) };
}

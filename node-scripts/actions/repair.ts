// repair: what the node has is compared with its replicas, in full, and made equal: nodetool returns when it is done.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { nodetool } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';

export async function repair(
  context: ActionContext,
  { keyspaces, primaryRange }: ActionInput<'repair'>,
): Promise<ActionOutput<'repair'>> {
  const { clock } = context;
  const startedAt = clock.now().getTime();
  const command = ['repair', '-full', ...(primaryRange ? ['-pr'] : [])];
  const each = keyspaces.map(({ keyspace, tables }) => ['--', keyspace, ...tables]);
  for (const what of each.length > 0 ? each : [[]]) {
    await context.failPoint('repair.keyspace');
    await nodetool(context, ...command, ...what);
  }
  return { durationMs: clock.now().getTime() - startedAt };
}

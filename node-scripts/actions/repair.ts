// repair: what the node has is compared with its replicas, in full, and made equal: nodetool returns when it is done.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { nodetool, notUpNormal, ringStatus, toldLater } from '../cassandra/nodetool.ts';
import type { ActionContext } from '../context.ts';

/** Right after its start a node may not know yet that the others are up; longer than this it is not waited for. */
const GOSSIP_LIMIT_MS = 60_000;
const POLL_MS = 2_000;

export async function repair(
  context: ActionContext,
  { keyspaces, primaryRange }: ActionInput<'repair'>,
): Promise<ActionOutput<'repair'>> {
  const { clock } = context;
  const startedAt = clock.now().getTime();
  const command = ['repair', '-full', ...(primaryRange ? ['-pr'] : [])];
  const each = keyspaces.map(({ keyspace, tables }) => ['--', keyspace, ...tables]);
  await untilAllAreSeen(context);
  for (const what of each.length > 0 ? each : [[]]) {
    await context.failPoint('repair.keyspace');
    await nodetool(context, ...command, ...what);
  }
  return { durationMs: clock.now().getTime() - startedAt };
}

async function untilAllAreSeen(context: ActionContext): Promise<void> {
  const { clock, signal } = context;
  const deadline = clock.now().getTime() + GOSSIP_LIMIT_MS;
  while (!(await areSeen(context)) && clock.now().getTime() < deadline) {
    await clock.sleep(POLL_MS, signal);
    signal.throwIfAborted();
  }
}

async function areSeen(context: ActionContext): Promise<boolean> {
  const status = await ringStatus(context).catch(toldLater);
  return !('untold' in status) && notUpNormal(status).length === 0;
}

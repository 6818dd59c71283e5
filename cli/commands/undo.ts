// `ringvault undo <cluster>`: puts back the data from before a restore.
import { describeSelection } from '../../contracts/selection.ts';
import type { Answer } from '../answer.ts';
import { confirm } from '../confirm.ts';
import type { Session } from '../deployment.ts';
import { requireKeptRestore } from '../lookup.ts';
import { formatTime } from '../render/format.ts';
import { startRun } from '../start.ts';

/** @throws UnknownCluster UnknownRun NothingToUndo NotConfirmed */
export async function undo(
  session: Session,
  clusterId: string,
  options: {
    restoreRunId?: string;
    dryRun?: boolean;
    ignoreGcGrace?: boolean;
    ignoreCounters?: boolean;
    yes?: boolean;
    wait: boolean;
  },
): Promise<Answer> {
  const restored = await requireKeptRestore(session.deployment, clusterId, 'undo', options.restoreRunId);
  const only = describeSelection(restored.selection ?? {});
  const consequence = [
    `Undoes restore ${restored.runId} of cluster ${clusterId}${only ? ` (${only})` : ''}: its nodes are stopped and started, and its tables are as`,
    `before it. What was written to these since then, ${formatTime(restored.startedAt)}, is gone from them: it is kept aside until you release it.`,
  ].join('\n');
  const { dryRun = false } = options;
  if (!dryRun) await confirm(session.terminal, clusterId, consequence, options.yes);
  const request = {
    operation: 'undo' as const,
    clusterId,
    restoreRunId: restored.runId,
    ...(options.ignoreGcGrace && { ignoreGcGrace: true }),
    ...(options.ignoreCounters && { ignoreCounters: true }),
    ...(dryRun ? { dryRun } : { confirmCluster: clusterId }),
  };
  return startRun(session, 'restore', request, options.wait);
}

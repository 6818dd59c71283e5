// `ringvault release <cluster>`: deletes the data that a restore kept aside.
import type { Answer } from '../answer.ts';
import { confirm } from '../confirm.ts';
import type { Session } from '../deployment.ts';
import { requireKeptRestore } from '../lookup.ts';
import { startRun } from '../start.ts';

/** @throws UnknownCluster UnknownRun NothingToUndo NotConfirmed */
export async function release(
  session: Session,
  clusterId: string,
  options: { restoreRunId?: string; yes?: boolean; wait: boolean },
): Promise<Answer> {
  const restored = await requireKeptRestore(session.deployment, clusterId, options.restoreRunId);
  const consequence = `Releases restore ${restored.runId} of cluster ${clusterId}: the data from before it is deleted on every host, and the restore can no longer be undone.`;
  await confirm(session.terminal, clusterId, consequence, options.yes);
  const request = {
    operation: 'release' as const,
    clusterId,
    restoreRunId: restored.runId,
    confirmCluster: clusterId,
  };
  return startRun(session, 'restore', request, options.wait);
}

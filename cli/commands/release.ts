// `ringvault release <cluster>`: deletes the data that a restore, or its undo, kept aside.
import type { Answer } from '../answer.ts';
import { confirm } from '../confirm.ts';
import type { Session } from '../deployment.ts';
import { requireKeptRestore } from '../lookup.ts';
import { startRun } from '../start.ts';

/** @throws UnknownCluster UnknownRun NothingToUndo NotConfirmed */
export async function release(
  session: Session,
  clusterId: string,
  options: { restoreRunId?: string; dryRun?: boolean; yes?: boolean; wait: boolean },
): Promise<Answer> {
  const restored = await requireKeptRestore(session.deployment, clusterId, 'release', options.restoreRunId);
  const what =
    restored.undo === 'undone'
      ? 'what it had placed, and what was written until it was undone, is deleted on every host'
      : 'the data from before it is deleted on every host, and the restore can no longer be undone';
  const consequence = `Releases restore ${restored.runId} of cluster ${clusterId}: ${what}.`;
  const { dryRun = false } = options;
  if (!dryRun) await confirm(session.terminal, clusterId, consequence, options.yes);
  const request = {
    operation: 'release' as const,
    clusterId,
    restoreRunId: restored.runId,
    ...(dryRun ? { dryRun } : { confirmCluster: clusterId }),
  };
  return startRun(session, 'restore', request, options.wait);
}

// `ringvault cancel <cluster>`: stops a run's execution; the Recover workflow then brings the cluster to a whole state.
import { RunEnded } from '../../contracts/errors.ts';
import { ENDED_STATUSES } from '../../contracts/runs.ts';
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { requireRun } from '../lookup.ts';
import { followRun } from '../start.ts';

/** @throws UnknownCluster UnknownRun RunEnded */
export async function cancel(
  session: Session,
  clusterId: string,
  options: { runId?: string; wait: boolean },
): Promise<Answer> {
  const { deployment, terminal } = session;
  const run = await requireRun(deployment, clusterId, options.runId);
  if (ENDED_STATUSES.includes(run.status)) {
    throw new RunEnded(`got run ${run.runId}, which is ${run.status}, expected one that is under way`);
  }
  await deployment.executions.stop(run.executionArn, {
    errorName: 'Cancelled',
    message: `cancelled by ${session.requestedBy}`,
  });
  if (!options.wait) {
    return {
      document: { executionArn: run.executionArn, runId: run.runId, clusterId },
      text: `Stopped run ${run.runId}; the Recover workflow cleans up after it.\nFollow it with: ringvault status ${clusterId} ${run.runId} --wait`,
    };
  }
  terminal.note(`Stopped run ${run.runId}; waiting for the Recover workflow to clean up after it.`);
  const answer = await followRun(session, clusterId, run.executionArn);
  return cancelled(answer);
}

/** That the run did not complete is what was asked for; that a sealed backup stayed COMPLETED is told by its status. */
function cancelled({ document, text, exitCode }: Answer): Answer {
  const run = document['run'] as { status?: string } | null;
  const ended = run?.status === 'CANCELLED' || run?.status === 'COMPLETED';
  return { document, text, ...(ended ? {} : { exitCode: exitCode ?? 1 }) };
}

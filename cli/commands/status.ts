// `ringvault status <cluster> [run]`: one run with its nodes, as it stands now or until it has ended.
import type { Answer } from '../answer.ts';
import type { Session } from '../deployment.ts';
import { requireRun } from '../lookup.ts';
import { runText } from '../render/tables.ts';
import { viewRun } from '../run-view.ts';
import { documentOf, followRun } from '../start.ts';

/** @throws UnknownCluster UnknownRun */
export async function status(
  session: Session,
  clusterId: string,
  options: { runId?: string; wait?: boolean },
): Promise<Answer> {
  const { executionArn } = await requireRun(session.deployment, clusterId, options.runId);
  if (options.wait) return followRun(session, clusterId, executionArn);
  const view = await viewRun(session.deployment, executionArn);
  const { error } = view.run ?? {};
  const failure = error ? `\n\n${error.errorName}: ${error.message}\n${error.hint}` : '';
  return { document: documentOf(view), text: runText(view) + failure };
}

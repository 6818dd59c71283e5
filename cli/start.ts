// What all commands that start a run share: start it, watch it (or not), and answer with what became of it.
import type { AskedWorkflow } from '../contracts/runs.ts';
import type { Answer } from './answer.ts';
import { EXIT_INTERRUPTED } from './answer.ts';
import type { Session } from './deployment.ts';
import { displayFor } from './render/display.ts';
import { runText } from './render/tables.ts';
import { errorOf, type RunView } from './run-view.ts';
import { type Watched, watchRun } from './watch.ts';

/** @param wait false: answers as soon as the execution has started */
export async function startRun(
  session: Session,
  workflow: AskedWorkflow,
  request: { clusterId: string },
  wait: boolean,
): Promise<Answer> {
  const { deployment, terminal } = session;
  const input = { ...request, requestedBy: session.requestedBy };
  const { executionArn } = await deployment.executions.start(workflow, input);
  if (!wait) {
    return {
      document: { executionArn, clusterId: request.clusterId },
      text: `Started ${executionArn}\nFollow it with: ringvault status ${request.clusterId} --wait`,
    };
  }
  terminal.note(`Started ${executionArn}`);
  return followRun(session, request.clusterId, executionArn);
}

/** Watches until the run has ended, or until Ctrl-C. */
export async function followRun(session: Session, clusterId: string, executionArn: string): Promise<Answer> {
  const { deployment, terminal } = session;
  const watched = await terminal.interruptible((signal) =>
    watchRun(deployment, executionArn, displayFor(terminal), signal),
  );
  return answerOf(watched, clusterId);
}

function answerOf({ outcome, view }: Watched, clusterId: string): Answer {
  const document = documentOf(view);
  if (outcome === 'interrupted') {
    const { run } = view;
    const follow = `Follow it with: ringvault status ${clusterId} --wait\nEnd it with:    ringvault cancel ${clusterId}${run ? ` ${run.runId}` : ''}`;
    return {
      document: { ...document, watching: 'interrupted' },
      text: `Stopped watching; the run goes on.\n${follow}`,
      exitCode: EXIT_INTERRUPTED,
    };
  }
  const unrecovered =
    '\n\nNo Recover run has taken the cluster over yet; the scheduled sweep will start one. See docs/operations.md.';
  const text = runText(view) + (outcome === 'unrecovered' ? unrecovered : '') + outputText(view);
  const error = errorOf(view);
  if (error) return { document, text, error };
  const completed = view.execution?.status === 'SUCCEEDED' || view.run?.status === 'COMPLETED';
  return { document, text, ...(completed ? {} : { exitCode: 1 }) };
}

export function documentOf({ executionArn, execution, run, nodes }: RunView): Record<string, unknown> {
  return {
    executionArn,
    executionStatus: execution?.status ?? null,
    run: run ?? null,
    nodes,
    ...(execution?.output === undefined ? {} : { output: execution.output }),
  };
}

/** A dry run's execution answers its plan. */
function outputText({ run, execution }: RunView): string {
  if (run?.request['dryRun'] !== true || execution?.output === undefined) return '';
  return `\n\nPlan (nothing was changed):\n${JSON.stringify(execution.output, null, 2)}`;
}

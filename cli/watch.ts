// Watching a run until nobody works on it any more: its execution, and the Recover run that may follow it.
import { ENDED_STATUSES } from '../contracts/runs.ts';
import type { Deployment } from './deployment.ts';
import type { Display } from './render/display.ts';
import { type RunView, viewRun } from './run-view.ts';

const LOOK_EVERY_MS = 1_000;
/** Recover is started by the failed run itself, or by an event: this long it may take to appear. */
const RECOVER_APPEARS_WITHIN_MS = 300_000;

export type Watched = { outcome: 'ended' | 'interrupted' | 'unrecovered'; view: RunView };

/**
 * Shows a run until it has ended and its cluster is free of it.
 * `unrecovered`: its execution ended, and no Recover run came to bring the cluster to a whole state.
 */
export async function watchRun(
  deployment: Deployment,
  executionArn: string,
  display: Display,
  signal: AbortSignal,
): Promise<Watched> {
  let patienceEndsAt: number | undefined;
  try {
    for (;;) {
      const view = await viewRun(deployment, executionArn);
      display.show(view);
      const stage = await stageOf(deployment, view);
      if (stage === 'ended') return { outcome: 'ended', view };
      if (stage === 'unrecovered') {
        const now = deployment.clock.now().getTime();
        patienceEndsAt ??= now + RECOVER_APPEARS_WITHIN_MS;
        if (now >= patienceEndsAt) return { outcome: 'unrecovered', view };
      } else {
        patienceEndsAt = undefined;
      }
      if (signal.aborted) return { outcome: 'interrupted', view };
      await deployment.clock.sleep(LOOK_EVERY_MS, signal);
    }
  } finally {
    display.close();
  }
}

async function stageOf(
  { catalog }: Deployment,
  { execution, run }: RunView,
): Promise<'running' | 'recovering' | 'unrecovered' | 'ended'> {
  if (execution?.status === 'RUNNING' || execution?.status === 'PENDING_REDRIVE') return 'running';
  if (execution?.status === 'SUCCEEDED') return 'ended';
  // Refused before a run was claimed; or so young that Step Functions does not describe it yet.
  if (!run) return execution ? 'ended' : 'unrecovered';
  const lock = await catalog.readLock(run.clusterId);
  if (lock?.subjectRunId !== run.runId) return ENDED_STATUSES.includes(run.status) ? 'ended' : 'unrecovered';
  return lock.workflow === 'recover' ? 'recovering' : 'unrecovered';
}

// The restore path by its own steps.
import type { ActionOutput } from '../../../contracts/actions.ts';
import type { RunRef } from '../../../contracts/runs.ts';
import { discoverHosts } from '../../../lambdas/discover-hosts.ts';
import { planRestore } from '../../../lambdas/plan-restore.ts';
import { recordRun } from '../../../lambdas/record-run.ts';
import { releaseRun } from '../../../lambdas/release-run.ts';
import { answer, answerDescribe } from './answers.ts';
import { CLUSTER, claimedRun, hosts, type World } from './world.ts';

type Describe = Parameters<typeof answerDescribe>;
interface Restore {
  name?: string;
  at?: number;
  request?: Record<string, unknown>;
  more?: Describe[3];
  live?: Describe[4];
}

/** A restore run whose hosts were described: the input of PlanRestore. */
export async function describedRestore(world: World, restore: Restore = {}) {
  const { name = 'restore', at = 600, more = {}, live = {} } = restore;
  const request = {
    ...{ operation: 'restore', clusterId: CLUSTER, confirmCluster: CLUSTER },
    ...restore.request,
  };
  const run = await claimedRun(world, { workflow: 'restore', name, at, request: restore.request ?? {} });
  const { hostsKey } = await discoverHosts({ run, tolerateUnreachable: true }, world);
  await answerDescribe(world, run, 'describe', more, live);
  const defaults =
    request.operation === 'restore' ? { backupId: 'latest', dryRun: false } : { restoreRunId: 'latest' };
  return { run, hostsKey, request: { ...defaults, ...request } };
}

export async function plannedRestore(world: World, restore: Restore = {}) {
  const input = await describedRestore(world, restore);
  return { run: input.run, ...(await planRestore(input, world)) };
}

export async function answerPlaced(
  world: World,
  run: Pick<RunRef, 'runId'>,
  total = { files: 18, bytes: 2_000 },
): Promise<void> {
  const placed: ActionOutput<'place'> = { tables: 2, ...total };
  const downloaded: ActionOutput<'download'> = { ...total, downloadedBytes: 1_500 };
  await answer<'place'>(
    world,
    run,
    'place',
    hosts.map(() => placed),
  );
  await answer<'download'>(
    world,
    run,
    'download',
    hosts.map(() => downloaded),
  );
}

/** A restore, undo or release that is over. */
export async function completedRestore(world: World, restore: Restore = {}): Promise<RunRef> {
  const { run, planKey } = await plannedRestore(world, restore);
  await answerPlaced(world, run);
  await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
  await releaseRun({ run, warnings: [] }, world);
  return run;
}

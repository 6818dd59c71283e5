// The backup path by its own steps, for tests of what comes after one.
import type { RunRef } from '../../../contracts/runs.ts';
import { discoverHosts } from '../../../lambdas/discover-hosts.ts';
import { planBackup } from '../../../lambdas/plan-backup.ts';
import { recordRun } from '../../../lambdas/record-run.ts';
import { releaseRun } from '../../../lambdas/release-run.ts';
import { sealBackup } from '../../../lambdas/seal-backup.ts';
import { answerCollected, answerDescribe, answerSnapshots, answerUploads } from './answers.ts';
import { claimedRun, newWorld, type World } from './world.ts';

type Claim = Parameters<typeof claimedRun>[1];
type Headers = Parameters<typeof answerUploads>[2];
type Live = Parameters<typeof answerDescribe>[4];

/** A run that has its plan. */
export async function plannedBackup(world: World, claim: Claim = {}, live: Live = {}) {
  const run = await claimedRun(world, claim);
  const { hostsKey } = await discoverHosts({ run, tolerateUnreachable: false }, world);
  await answerDescribe(world, run, 'describe-1', {}, live);
  const request = { clusterId: run.clusterId, ...claim?.request };
  const plan = await planBackup({ run, request, hostsKey, round: 1 }, world);
  return { run, hostsKey, ...plan };
}

/** A run whose hosts have uploaded. */
export async function uploadedBackup(
  world: World,
  claim: Claim = {},
  headers: Headers = {},
  live: Live = {},
) {
  const planned = await plannedBackup(world, claim, live);
  if (planned.kind === 'incremental') await answerCollected(world, planned.run);
  else await answerSnapshots(world, planned.run);
  await answerUploads(world, planned.run, headers);
  return planned;
}

export async function sealedBackup(world: World, claim: Claim = {}, headers: Headers = {}, live: Live = {}) {
  const uploaded = await uploadedBackup(world, claim, headers, live);
  await sealBackup({ run: uploaded.run, planKey: uploaded.planKey, spreadMs: 490 }, world);
  return uploaded;
}

/** A backup that is over: sealed, recorded, its lock given back. */
export async function completedBackup(
  world: World,
  claim: Claim = {},
  headers: Headers = {},
  live: Live = {},
): Promise<RunRef> {
  const { run, planKey } = await sealedBackup(world, claim, headers, live);
  await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
  await releaseRun({ run, warnings: [] }, world);
  world.executions.known.set(run.executionArn, { status: 'SUCCEEDED', startedAt: world.clock.now() });
  return run;
}

/** A world with one backup that is over. */
export async function backedUp(): Promise<{ world: World; backupId: string }> {
  const world = newWorld();
  const { runId } = await completedBackup(world);
  return { world, backupId: runId };
}

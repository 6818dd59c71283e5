// The registration path by its own steps.
import type { RunRef } from '../../../contracts/runs.ts';
import { discoverHosts } from '../../../lambdas/discover-hosts.ts';
import { recordRun } from '../../../lambdas/record-run.ts';
import { registerCluster } from '../../../lambdas/register-cluster.ts';
import { releaseRun } from '../../../lambdas/release-run.ts';
import { answerDescribe } from './answers.ts';
import { CLUSTER, claimedRun, type World } from './world.ts';

type Describe = Parameters<typeof answerDescribe>;
interface Asked {
  name?: string;
  at?: number;
  seedInstanceId?: string;
  more?: Describe[3];
  live?: Describe[4];
}

/** A run whose hosts were described: the input of RegisterCluster. */
export async function describedRegistration(world: World, asked: Asked = {}) {
  const { name = 'register', at = 0, seedInstanceId, more = {}, live = {} } = asked;
  const run = await claimedRun(world, { workflow: 'register', name, at });
  const { hostsKey } = await discoverHosts({ run, tolerateUnreachable: false }, world);
  await answerDescribe(world, run, 'describe', more, live);
  const operation = 'register' as const;
  const request = { operation, clusterId: CLUSTER, ...(seedInstanceId && { seedInstanceId }) };
  return { run, hostsKey, request };
}

export async function completedRegistration(world: World, asked: Asked = {}): Promise<RunRef> {
  const input = await describedRegistration(world, asked);
  await registerCluster(input, world);
  await endOf(world, input.run);
  return input.run;
}

/** Recorded, its lock given back. */
export async function endOf(world: World, run: RunRef): Promise<void> {
  await recordRun({ run, status: 'COMPLETED', warnings: [] }, world);
  await releaseRun({ run, warnings: [] }, world);
}

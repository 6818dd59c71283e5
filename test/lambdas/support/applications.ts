// A world with real applications behind its cluster: gRPC servers, found by a DNS server, called as the Lambda in their VPC does.
import { onTestFinished } from 'vitest';
import type { RunRef } from '../../../contracts/runs.ts';
import { callApplications } from '../../../lambdas/call-applications.ts';
import { pauseApplications } from '../../../lambdas/pause-applications.ts';
import { resumeApplications } from '../../../lambdas/resume-applications.ts';
import {
  type ApplicationOptions,
  type RunningApplication,
  startApplication,
} from '../../shared/applications/application.ts';
import { type NameServer, startNameServer } from '../../shared/applications/name-server.ts';
import { CLUSTER, claimedRun, configuration, newWorld, type World } from './world.ts';

const SRV = '_admin._tcp.orders.test';

export interface PausableWorld {
  world: World;
  applications: [RunningApplication, RunningApplication, RunningApplication];
  dns: NameServer;
}

export async function pausableWorld(third: ApplicationOptions = {}): Promise<PausableWorld> {
  const dns = await startNameServer(SRV);
  const applications = await Promise.all([
    startApplication('orders-1.test'),
    startApplication('orders-2.test'),
    startApplication('orders-3.test', third),
  ]);
  onTestFinished(async () => {
    for (const each of applications) each.die();
    await dns.close();
  });
  dns.named = applications;
  return { world: worldWith(dns), applications, dns };
}

function worldWith({ address }: NameServer): World {
  const { cluster } = configuration;
  const pause = {
    ...{ maxSeconds: 60, waitSeconds: 1, waitOutstanding: true },
    grpc: {
      ...{ srv: SRV, nameServers: [address] },
      vpc: { subnetIds: ['subnet-0a1b2c3d'], securityGroupIds: ['sg-0a1b2c3d'] },
    },
  };
  const world = newWorld();
  const deployed = { ...configuration, cluster: { ...cluster, pause } };
  return {
    ...world,
    clusters: { [CLUSTER]: deployed },
    applications: { ask: (_, request) => callApplications(request, world) },
  };
}

export const CONSISTENT = { kind: 'consistent' };

export function claimConsistent(world: World, name = 'one', at = 0): Promise<RunRef> {
  return claimedRun(world, { request: CONSISTENT, name, at });
}

export function pause(world: World, run: RunRef, round = 1) {
  return pauseApplications({ run, round }, world);
}

export function resume(world: World, { runId }: RunRef, tolerant = false) {
  return resumeApplications({ clusterId: CLUSTER, runId, tolerant, last: false }, world);
}

/** As the switch does. */
export function resumeLast(world: World, { runId }: RunRef) {
  return resumeApplications({ clusterId: CLUSTER, runId, tolerant: false, last: true }, world);
}

export function switchOf({ runId }: RunRef, round = 1): string {
  return `${runId}-pause-${round}`;
}

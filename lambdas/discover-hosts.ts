// DiscoverHosts: all instances with the cluster's tag that SSM manages become the run's host list, and its nodes' history begins.
import pMap from 'p-map';
import { HostUnreachable, NoHosts } from '../contracts/errors.ts';
import { instanceArnBeside } from '../contracts/identifiers.ts';
import { BEFORE_PHASES } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { readConfiguration, writeHosts } from './vault/documents.ts';
import { READS_AT_ONCE } from './vault/results.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws NoHosts HostUnreachable; neither for a run that tolerates unreachable hosts: it works on the others */
export async function discoverHosts(
  { run, tolerateUnreachable }: StepInput<'DiscoverHosts'>,
  ports: StepPorts,
): Promise<StepOutput<'DiscoverHosts'>> {
  await requireLock(ports, run);
  const { tag } = (await readConfiguration(ports, run)).hosts;
  const managed = await ports.hosts.listHosts(tag);
  const offline = managed.filter((host) => !host.online);
  if (!tolerateUnreachable) {
    if (managed.length === 0) {
      throw new NoHosts(`got no instance that SSM manages with the tag ${tag.key}=${tag.value}`);
    }
    if (offline.length > 0) {
      const named = offline.map((host) => `${host.instanceId} (${host.pingStatus})`).join(', ');
      throw new HostUnreachable(`got ${offline.length} of ${managed.length} hosts not online: ${named}`);
    }
  }
  const hosts = managed
    .filter((host) => host.online)
    .map(({ instanceId }) => ({ instanceId, instanceArn: instanceArnBeside(run.executionArn, instanceId) }));
  const hostsKey = await writeHosts(ports, run, 'hosts', hosts);
  await pMap(
    hosts,
    ({ instanceId }) =>
      ports.catalog.putNode(run, { instanceId, status: 'INITIALIZED', phase: BEFORE_PHASES }),
    { concurrency: READS_AT_ONCE },
  );
  return { hostsKey, hostCount: hosts.length, unreachable: offline.map((host) => host.instanceId) };
}

export const handler = defineStep('DiscoverHosts', discoverHosts);

import { describe, expect, it } from 'vitest';
import { discoverHosts } from '../../lambdas/discover-hosts.ts';
import { readHosts } from '../../lambdas/vault/documents.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { claimedRun, hosts, newWorld } from './support/world.ts';

describe('DiscoverHosts', () => {
  it('lists every host with the tag, by ARN', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const found = await discoverHosts({ run, tolerateUnreachable: false }, world);
    expect(found).toMatchObject({ hostCount: 3, unreachable: [] });
    const listed = hosts.map(({ instanceId, instanceArn }) => ({ instanceId, instanceArn }));
    expect(await readHosts(world, found.hostsKey)).toEqual(listed);
  });

  it('begins the history of each node', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await discoverHosts({ run, tolerateUnreachable: false }, world);
    expect(await world.catalog.listNodes(run.runId)).toMatchObject(
      hosts.map(({ instanceId }) => ({ instanceId, status: 'INITIALIZED', phase: 'discover' })),
    );
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const run = await claimedRun(world);
      return { world, step: (ports) => discoverHosts({ run, tolerateUnreachable: false }, ports) };
    }));

  it('refuses where there is no host', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    world.hosts.managed.length = 0;
    await expect(discoverHosts({ run, tolerateUnreachable: false }, world)).rejects.toMatchObject({
      name: 'NoHosts',
    });
    expect(await discoverHosts({ run, tolerateUnreachable: true }, world)).toMatchObject({ hostCount: 0 });
  });

  it('names a host that is not online, or goes on without it where that is tolerated', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const [first] = world.hosts.managed;
    if (first) Object.assign(first, { online: false, pingStatus: 'ConnectionLost' });
    const refused = discoverHosts({ run, tolerateUnreachable: false }, world);
    await expect(refused).rejects.toMatchObject({ name: 'HostUnreachable' });
    await expect(refused).rejects.toThrow(`${first?.instanceId} (ConnectionLost)`);
    expect(await discoverHosts({ run, tolerateUnreachable: true }, world)).toMatchObject({
      hostCount: 2,
      unreachable: [first?.instanceId],
    });
  });

  it('does nothing for a run that has ended', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await world.catalog.release(run);
    await expect(discoverHosts({ run, tolerateUnreachable: false }, world)).rejects.toMatchObject({
      name: 'RunEnded',
    });
  });
});

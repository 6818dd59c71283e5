// CheckPaused, with real gRPC servers that run again, hang, die and come up.
import { describe, expect, it } from 'vitest';
import { checkPaused } from '../../lambdas/check-paused.ts';
import { claimConsistent, pausableWorld, pause, resume } from './support/applications.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { newWorld, type World } from './support/world.ts';

it('CheckPaused comes to the same end wherever it is killed', async () => {
  const { world, applications } = await pausableWorld();
  const { ask } = world.applications;
  await expectSameEndWhereverKilled(async () => {
    for (const each of applications) each.resume();
    const fresh = { ...newWorld(), clusters: world.clusters, applications: { ask } };
    const run = await claimConsistent(fresh);
    await pause(fresh, run);
    return { world: fresh, step: (ports: World) => checkPaused({ run }, ports) };
  });
});

describe('an application that', () => {
  it.each<[string, RegExp, (world: Awaited<ReturnType<typeof pausableWorld>>) => unknown]>([
    [
      'runs again',
      /orders-2\.test:\d+ \(127\.0\.0\.1\) running/,
      ({ applications }) => applications[1].resume(),
    ],
    ['has died', /orders-2\.test.* unreachable/, ({ applications }) => applications[1].die()],
    [
      'hangs',
      /orders-2\.test.* silent/,
      ({ applications }) => {
        applications[1].instead = { CheckPaused: 'hang' };
      },
    ],
    [
      'has come up',
      /orders-4\.test.* came up/,
      async ({ applications, dns }) => {
        dns.named = [...applications, { name: 'orders-4.test:7070', address: '127.0.0.1', port: 7070 }];
      },
    ],
  ])('%s after the snapshots makes the backup inconsistent', async (_, told, happen) => {
    const all = await pausableWorld();
    const run = await claimConsistent(all.world);
    await pause(all.world, run);
    await happen(all);
    const failure = checkPaused({ run }, all.world);
    await expect(failure).rejects.toMatchObject({ name: 'PauseBroken' });
    await expect(failure).rejects.toThrow(told);
  });

  it('was resumed by the switch before the snapshots were done makes it inconsistent, too', async () => {
    const { world } = await pausableWorld({ old: true });
    const run = await claimConsistent(world);
    await pause(world, run);
    await resume(world, run);
    await expect(checkPaused({ run }, world)).rejects.toMatchObject({ name: 'PauseBroken' });
  });

  it('has no CheckPaused is paused and resumed all the same, with a warning', async () => {
    const { world, applications } = await pausableWorld({ old: true });
    const run = await claimConsistent(world);
    await pause(world, run);
    const { confirmed, warnings } = await checkPaused({ run }, world);
    expect(confirmed).toBe(2);
    expect(warnings).toEqual([expect.stringContaining(applications[2].name)]);
    await resume(world, run);
    expect(applications[2].paused).toBe(false);
  });
});

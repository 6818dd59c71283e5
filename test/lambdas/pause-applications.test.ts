// PauseApplications, with real gRPC servers that hang, refuse and die.
import { describe, expect, it } from 'vitest';
import { AwsUnavailable } from '../../contracts/errors.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { checkPaused } from '../../lambdas/check-paused.ts';
import { findPause } from '../../lambdas/pausing/pause-documents.ts';
import {
  claimConsistent,
  pausableWorld,
  pause,
  resume,
  resumeLast,
  switchOf,
} from './support/applications.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, configuration, newWorld, START, type World } from './support/world.ts';

/** After a kill nobody knows what the try before has yet to do. */
const butForUnsure = (state: unknown) => JSON.stringify(state).replaceAll(/,\\n\s*\\"unsure\\": true/g, '');

it('PauseApplications comes to the same end wherever it is killed', async () => {
  const { world, applications } = await pausableWorld();
  const { ask } = world.applications;
  await expectSameEndWhereverKilled(async () => {
    for (const each of applications) each.resume();
    const fresh = { ...newWorld(), clusters: world.clusters, applications: { ask } };
    const run = await claimConsistent(fresh);
    return { world: fresh, step: (ports: World) => pause(ports, run) };
  }, butForUnsure);
});

describe('a pause', () => {
  it('stops all, is checked, is measured, and ends', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const answer = await pause(world, run);
    expect(answer).toEqual({ deadline: '2026-11-21T02:01:00.000Z', applications: 3 });
    expect(applications.map(({ paused }) => paused)).toEqual([true, true, true]);
    world.clock.advance(7_000);
    expect(await checkPaused({ run }, world)).toEqual({ confirmed: 3, warnings: [] });
    expect(await resume(world, run)).toEqual({ outcome: 'resumed', warnings: [] });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
    const document = await findPause(world, CLUSTER, run.runId);
    expect(document).toMatchObject({ state: 'resumed', askedAt: START.toISOString() });
    for (const each of document?.applications ?? []) {
      expect(each).toMatchObject({ pausedAt: START.toISOString(), confirmed: true });
      expect(each.resumedAt).toBe('2026-11-21T02:00:07.000Z');
    }
    expect(world.pauseSwitch.armed.size).toBe(0);
  });

  it('writes down whom it pauses and sets the switch before the first is paused', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const known: unknown[] = [];
    applications[0].before.Pause = async () => {
      known.push((await findPause(world, CLUSTER, run.runId))?.applications.length);
      known.push(world.pauseSwitch.armed.get(switchOf(run)));
    };
    await pause(world, run);
    const input = { clusterId: CLUSTER, runId: run.runId, last: true };
    expect(known).toEqual([3, { at: new Date('2026-11-21T02:03:00.000Z'), input }]);
  });

  it('waits for what is under way, and lets nothing through after it', async () => {
    const { world, applications } = await pausableWorld();
    const [first] = applications;
    const run = await claimConsistent(world);
    const gate = Promise.withResolvers<void>();
    const write = first.write(() => gate.promise);
    const asked = pause(world, run);
    while (!first.paused) await new Promise(setImmediate);
    const later = first.write(async () => undefined);
    gate.resolve();
    await Promise.all([write, asked]);
    expect(first.acceptedWhilePaused).toBe(0);
    await resume(world, run);
    await later;
  });

  it('is of those that it named at first, when it is tried again', async () => {
    const { world, applications, dns } = await pausableWorld();
    const run = await claimConsistent(world);
    applications[1].instead = { Pause: 'refuse' };
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseFailed' });
    applications[1].instead = {};
    dns.named = [];
    expect(await pause(world, run)).toMatchObject({ applications: 3 });
    dns.named = applications.slice(0, 1);
    expect(await resume(world, run)).toMatchObject({ outcome: 'resumed' });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('of a round that has ended is not begun again by a late try, and that of the next round is', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    await resume(world, run);
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
    await pause(world, run, 2);
    expect(applications.map(({ paused }) => paused)).toEqual([true, true, true]);
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run, 2)]);
  });

  it('is not ended by the switch of the round before, which is set still where somebody was gone', async () => {
    const { world, applications, dns } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    applications[1].die();
    await resume(world, run);
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    dns.named = [applications[0], applications[2]];
    await pause(world, run, 2);
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run, 2)]);
  });

  it('that comes about only after everybody was resumed is taken back', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    applications[2].before.Pause = async () => {
      applications[2].before = {};
      await resume(world, run);
    };
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('is not begun by a step whose run was ended while it looked for the applications', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const { ask } = world.applications;
    world.applications.ask = async (clusterId, request) => {
      if (request.call === 'discover') await world.catalog.release(run);
      return ask(clusterId, request);
    };
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'RunEnded' });
    expect(applications.map(({ calls }) => calls)).toEqual([[], [], []]);
    expect((await findPause(world, CLUSTER, run.runId))?.state).toBe('resumed');
    expect(world.pauseSwitch.armed.size).toBe(0);
  });

  it('is not over where only the lock could not be read: the next try goes on by the document', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const readLock = world.catalog.readLock.bind(world.catalog);
    let reads = 0;
    world.catalog.readLock = async (clusterId) => {
      if (++reads === 2) throw new Error('throttled');
      return readLock(clusterId);
    };
    await expect(pause(world, run)).rejects.toThrow('throttled');
    expect(applications.map(({ calls }) => calls)).toEqual([[], [], []]);
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    expect(await pause(world, run)).toMatchObject({ applications: 3 });
  });

  it('of those that are resumed already in part is not begun again by a late try', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    applications[2].instead = { Unpause: 'refuse' };
    await expect(resume(world, run)).rejects.toMatchObject({ name: 'ResumeFailed' });
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseExceeded' });
    applications[2].instead = {};
    await resume(world, run);
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('that is over is not taken back where the next round has paused by then', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const { ask } = world.applications;
    let isLate = false;
    world.applications.ask = async (clusterId, request) => {
      const answer = await ask(clusterId, request);
      if (request.call !== 'pause' || isLate) return answer;
      isLate = true;
      await resume(world, run);
      await pause(world, run, 2);
      return answer;
    };
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect(applications.map(({ paused }) => paused)).toEqual([true, true, true]);
    expect((await findPause(world, CLUSTER, run.runId))?.round).toBe(2);
  });

  it('that is over is not taken back where a later run has paused by then', async () => {
    const { world, applications } = await pausableWorld();
    const first = await claimConsistent(world);
    const { ask } = world.applications;
    let later: RunRef | undefined;
    world.applications.ask = async (clusterId, request) => {
      const answer = await ask(clusterId, request);
      if (request.call !== 'pause' || later) return answer;
      await resume(world, first);
      await world.catalog.release(first);
      later = await claimConsistent(world, 'two', 300);
      await pause(world, later);
      return answer;
    };
    await expect(pause(world, first)).rejects.toMatchObject({ name: 'RunEnded' });
    expect(applications.map(({ paused }) => paused)).toEqual([true, true, true]);
  });

  it('is taken back where the run has lost the cluster meanwhile', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    applications[2].before.Pause = async () => void (await world.catalog.release(run));
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'RunEnded' });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('that comes too late and cannot be taken back is left to the switch, which is set anew', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const { ask } = world.applications;
    world.applications.ask = async (clusterId, request) => {
      if (request.call !== 'pause') return ask(clusterId, request);
      await resume(world, run);
      applications[0].instead = { Unpause: 'refuse' };
      return ask(clusterId, request);
    };
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    await expect(resumeLast(world, run)).rejects.toThrow(/orders-1.test.* refused/);
    applications[0].instead = {};
    await resumeLast(world, run);
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('that nobody has told the outcome of keeps its switch, though all say that they were resumed', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    const { ask } = world.applications;
    world.applications.ask = async (clusterId, request) => {
      const answer = await ask(clusterId, request);
      if (request.call === 'pause') throw new AwsUnavailable('lambda:Invoke: got ECONNRESET');
      return answer;
    };
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'AwsUnavailable' });
    expect(await resume(world, run)).toEqual({ outcome: 'resumed', warnings: [] });
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    // One of them did it late.
    world.applications.ask = ask;
    await ask(CLUSTER, {
      ...{
        call: 'pause',
        hook: world.clusters[CLUSTER]?.cluster.pause ?? { waitSeconds: 1, waitOutstanding: true },
      },
      applications: [{ name: applications[1].name, address: '127.0.0.1', port: applications[1].port }],
    });
    expect(await resume(world, run)).toEqual({ outcome: 'nothing-paused', warnings: [] });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('that was killed before it wrote what it heard keeps its switch, also where the next try hears all', async () => {
    const { world } = await pausableWorld();
    const run = await claimConsistent(world);
    const put = world.vault.put.bind(world.vault);
    let puts = 0;
    const killed = {
      ...world,
      vault: {
        ...world.vault,
        put: async (...to: Parameters<typeof put>) => {
          if (++puts === 2) throw new Error('killed');
          return put(...to);
        },
      },
    };
    await expect(pause(killed, run)).rejects.toThrow('killed');
    await pause(world, run);
    await resume(world, run);
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
  });

  it('is refused where one is known to be away, or nobody is there, before anybody is paused', async () => {
    const { world, applications, dns } = await pausableWorld();
    const run = await claimConsistent(world);
    const { ask } = world.applications;
    world.applications.ask = async (clusterId, request) => {
      const { found, ...answer } = await ask(clusterId, request);
      return { ...answer, found, away: found.slice(1, 2) };
    };
    await expect(pause(world, run)).rejects.toThrow(/orders-2.test.* away, .*nobody was paused/);
    dns.named = [];
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'ApplicationsUnknown' });
    expect(applications.flatMap(({ calls }) => calls)).toEqual([]);
    expect(world.pauseSwitch.armed.size).toBe(0);
  });

  it('is refused after its deadline, and for a run that has lost the cluster', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    world.clock.advance(60_000);
    await expect(pause(world, run)).rejects.toMatchObject({ name: 'PauseExceeded' });
    await expect(checkPaused({ run }, world)).resolves.toMatchObject({ confirmed: 3 });
    world.clock.advance(1);
    await expect(checkPaused({ run }, world)).rejects.toMatchObject({ name: 'PauseExceeded' });
    await resume(world, run);
    await world.catalog.release(run);
    const before = applications[0].calls.length;
    await expect(pause(world, run, 2)).rejects.toMatchObject({ name: 'RunEnded' });
    expect(applications[0].calls).toHaveLength(before);
  });
});

describe('an application that', () => {
  it.each([
    // It may pause yet.
    ['hang', 1],
    ['refuse', 0],
  ] as const)(
    '%ss when it is to pause fails the pause by name; all are resumed, and the switch stays %i times',
    async (how, armed) => {
      const { world, applications } = await pausableWorld();
      const run = await claimConsistent(world);
      applications[1].instead = { Pause: how };
      const failure = pause(world, run);
      await expect(failure).rejects.toMatchObject({ name: 'PauseFailed' });
      await expect(failure).rejects.toThrow(`${applications[1].name} (127.0.0.1)`);
      expect(applications[0].paused).toBe(true);
      expect(await resume(world, run)).toMatchObject({ outcome: 'resumed' });
      expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
      expect(world.pauseSwitch.armed.size).toBe(armed);
    },
  );

  it('is dead before fails the pause; it is reported, and does not keep the others from being resumed', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    applications[1].die();
    await expect(pause(world, run)).rejects.toThrow(/orders-2\.test.*unreachable/);
    const { outcome, warnings } = await resume(world, run);
    expect(outcome).toBe('resumed');
    expect(warnings).toEqual([expect.stringMatching(/^orders-2\.test.* could not be reached to be resumed/)]);
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
    expect(await resume(world, run)).toEqual({ outcome: 'nothing-paused', warnings });
  });
});

it('a name that DNS does not know, or that nobody answers for, is refused before anybody is paused', async () => {
  const { world, applications, dns } = await pausableWorld();
  const run = await claimConsistent(world);
  dns.named = [];
  await expect(pause(world, run)).rejects.toMatchObject({ name: 'ApplicationsUnknown' });
  expect(await findPause(world, CLUSTER, run.runId)).toBeUndefined();
  expect(applications[0].calls).toEqual([]);
});

it('a consistent backup of a cluster without a hook is refused before it has the cluster', async () => {
  const { world } = await pausableWorld();
  const without = { ...world, clusters: { [CLUSTER]: configuration } };
  await expect(claimConsistent(without)).rejects.toMatchObject({ name: 'InvalidRequest' });
  expect(await world.catalog.readLock(CLUSTER)).toBeUndefined();
});

// ResumeApplications, with real gRPC servers that refuse, whoever asks and however often.
import { describe, expect, it } from 'vitest';
import { findPause } from '../../lambdas/pausing/pause-documents.ts';
import { claimConsistent, pausableWorld, pause, resume, switchOf } from './support/applications.ts';
import { CLUSTER } from './support/world.ts';

it('whoever resumes after a kill finds what is left to do', async () => {
  const { world, applications } = await pausableWorld();
  const run = await claimConsistent(world);
  await pause(world, run);
  const put = world.vault.put.bind(world.vault);
  world.vault.put = () => Promise.reject(new Error('killed'));
  await expect(resume(world, run)).rejects.toThrow('killed');
  world.vault.put = put;
  expect((await findPause(world, CLUSTER, run.runId))?.state).toBe('paused');
  expect(await resume(world, run)).toMatchObject({ outcome: 'resumed' });
  expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  expect(world.pauseSwitch.armed.size).toBe(0);
});

describe('an application that', () => {
  it('refuses to be resumed is asked again, then fails by name, and is asked once more by who comes next', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    applications[1].instead = { Unpause: 'refuse' };
    await expect(resume(world, run)).rejects.toMatchObject({ name: 'ResumeFailed' });
    expect(applications[1].calls.filter((each) => each === 'Unpause').length).toBeGreaterThan(1);
    expect(applications[0].calls.filter((each) => each === 'Unpause')).toHaveLength(1);
    expect(await resume(world, run, true)).toMatchObject({
      outcome: 'not-resumed',
      warnings: [expect.stringContaining('may still be paused')],
    });
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    applications[1].instead = {};
    expect(await resume(world, run)).toMatchObject({ outcome: 'resumed' });
    expect(applications[1].paused).toBe(false);
  });

  it('refuses because it runs already is resumed', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    applications[1].resume();
    applications[1].instead = { Unpause: 'refuse' };
    expect(await resume(world, run)).toMatchObject({ outcome: 'resumed' });
  });
});

describe('applications that cannot be reached', () => {
  const GONE = expect.stringMatching(/could not be reached to be resumed/);
  async function allDead() {
    const paused = await pausableWorld();
    const run = await claimConsistent(paused.world);
    await pause(paused.world, run);
    for (const each of paused.applications) each.die();
    return { ...paused, run };
  }

  it('are not taken for gone where nobody was reached and DNS names them still', async () => {
    const { world, run } = await allDead();
    await expect(resume(world, run)).rejects.toThrow(/orders-1.*unreachable.*orders-2.*orders-3/);
    expect(await resume(world, run, true)).toMatchObject({ outcome: 'not-resumed' });
    const document = await findPause(world, CLUSTER, run.runId);
    expect(document?.state).toBe('paused');
    expect(document?.applications.filter(({ gone }) => gone)).toEqual([]);
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
  });

  it('are gone where DNS does not name them any more, and they alone', async () => {
    const { world, applications, dns, run } = await allDead();
    dns.named = applications.slice(2);
    const failure = resume(world, run);
    await expect(failure).rejects.toMatchObject({ name: 'ResumeFailed' });
    await expect(failure).rejects.not.toThrow(/orders-1|orders-2/);
    dns.named = [];
    expect(await resume(world, run)).toEqual({ outcome: 'resumed', warnings: [GONE, GONE, GONE] });
    expect((await findPause(world, CLUSTER, run.runId))?.state).toBe('resumed');
  });

  it('are gone where others were resumed; the switch stays, and asks them once more', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    applications[1].die();
    const warnings = [GONE];
    expect(await resume(world, run)).toEqual({ outcome: 'resumed', warnings });
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    expect(await resume(world, run)).toEqual({ outcome: 'nothing-paused', warnings });
    // Recover resumes first, too: it is there until it fires, and deletes itself.
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
  });
});

describe('an application whose address another process has', () => {
  async function replaced() {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    await pause(world, run);
    for (const each of applications) each.instead = { Unpause: 'not know' };
    expect(await resume(world, run)).toMatchObject({ outcome: 'resumed', warnings: { length: 3 } });
    expect([...world.pauseSwitch.armed.keys()]).toEqual([switchOf(run)]);
    for (const each of applications) each.instead = {};
    return { world, applications, run };
  }

  it('is gone, and resumed when it is back as the switch asks', async () => {
    const { world, applications, run } = await replaced();
    expect(await resume(world, run)).toEqual({ outcome: 'nothing-paused', warnings: [] });
    expect(applications.map(({ paused }) => paused)).toEqual([false, false, false]);
  });

  it('is not asked once more while a later run has it paused', async () => {
    const { world, applications, run } = await replaced();
    await world.catalog.release(run);
    const second = await claimConsistent(world, 'two', 300);
    await pause(world, second);
    expect(await resume(world, run)).toMatchObject({ outcome: 'nothing-paused', warnings: { length: 3 } });
    expect(applications.map(({ paused }) => paused)).toEqual([true, true, true]);
    expect([...world.pauseSwitch.armed.keys()]).toContain(switchOf(second));
  });

  it('cannot fail what is over by then', async () => {
    const { world, run } = await replaced();
    world.applications.ask = () => Promise.reject(new Error('no network'));
    expect(await resume(world, run)).toMatchObject({ outcome: 'nothing-paused', warnings: { length: 3 } });
  });
});

describe('resuming', () => {
  it('is nothing to do for a run that paused nobody', async () => {
    const { world, applications } = await pausableWorld();
    const run = await claimConsistent(world);
    expect(await resume(world, run)).toEqual({ outcome: 'nothing-paused', warnings: [] });
    expect(applications[0].calls).toEqual([]);
  });

  it('does not end the pause of a later run', async () => {
    const { world, applications } = await pausableWorld();
    const first = await claimConsistent(world);
    await pause(world, first);
    await world.catalog.release(first);
    const second = await claimConsistent(world, 'two', 300);
    await pause(world, second);
    expect(await resume(world, first)).toEqual({ outcome: 'superseded', warnings: [] });
    expect(applications.map(({ paused }) => paused)).toEqual([true, true, true]);
    await resume(world, second);
    expect(await resume(world, first)).toMatchObject({ outcome: 'resumed' });
  });
});

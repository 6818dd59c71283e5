import { describe, expect, it } from 'vitest';
import { RunEnded } from '../../contracts/errors.ts';
import { runStep, type Step } from '../../lambdas/wrapper/define-step.ts';
import { parseEnvironment, required } from '../../lambdas/wrapper/environment.ts';
import { claimedRun, newWorld, type World } from './support/world.ts';

async function run(step: Step<'SetRendezvous'>, more: object = {}, world: World = newWorld()) {
  const event = { run: await claimedRun(world), nodeCount: 3, ...more };
  return runStep('SetRendezvous', step, event, world);
}

describe('a step', () => {
  const at = '2026-11-21T02:00:20.000Z';

  it('gets its parsed input and answers its parsed output', async () => {
    expect(await run(async ({ nodeCount }) => ({ at: nodeCount === 3 ? at : '' }))).toEqual({ at });
  });

  it('fails by the literal name, with the hint behind the message', async () => {
    const failed = run(() => Promise.reject(new RunEnded('over')));
    await expect(failed).rejects.toMatchObject({
      name: 'RunEnded',
      message: `over\n${RunEnded.traits.hint}`,
    });
  });

  it('gives what nobody foresaw a name', async () => {
    await expect(run(() => Promise.reject(new TypeError('x')))).rejects.toMatchObject({
      ...{ name: 'UnexpectedError', message: expect.stringContaining('TypeError: x') },
    });
  });

  it('refuses input and output that are not by its contract', async () => {
    const done = async () => ({ at });
    await expect(run(done, { nodeCount: -1 })).rejects.toMatchObject({ name: 'InvalidDocument' });
    await expect(run(done, { extra: 1 })).rejects.toThrow(/extra/);
    await expect(run(async () => ({ at: 'soon' }))).rejects.toThrow(/output of SetRendezvous: at/);
  });

  it('refuses more than a state’s payload may hold', async () => {
    const world = newWorld();
    const error = { Error: 'x', Cause: 'x'.repeat(300_000) };
    const event = { run: await claimedRun(world), error };
    const step: Step<'FailRun'> = async () => ({ errorName: 'x', message: 'x', hint: 'x' });
    await expect(runStep('FailRun', step, event, world)).rejects.toThrow(/expected at most 262144/);
  });
});

describe('the environment of a step', () => {
  it('is asked only for what the step needs, by name', () => {
    const environment = parseEnvironment({ RINGVAULT_BUCKET: 'b' });
    expect(environment.RINGVAULT_PREFIX).toBe('');
    expect(() => required(environment, 'RINGVAULT_TABLE')).toThrow(/RINGVAULT_TABLE/);
    expect(() => parseEnvironment({})).toThrow(/RINGVAULT_BUCKET/);
  });
});

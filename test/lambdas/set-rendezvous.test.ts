import { describe, expect, it } from 'vitest';
import { setRendezvous } from '../../lambdas/set-rendezvous.ts';
import { claimedRun, newWorld, START } from './support/world.ts';

describe('SetRendezvous', () => {
  it.each([
    [3, 20],
    [10, 21],
    [1_000, 120],
  ])('gives %d nodes %d seconds: of the policy, and for sending', async (nodeCount, seconds) => {
    const world = newWorld();
    const run = await claimedRun(world);
    const { at } = await setRendezvous({ run, nodeCount }, world);
    expect(Date.parse(at) - START.getTime()).toBe(seconds * 1_000);
  });

  it('is not set for a moment at which the applications run again', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const set = (notAfter: string) => setRendezvous({ run, nodeCount: 3, notAfter }, world);
    await expect(set('2026-11-21T02:00:19.999Z')).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect((await set('2026-11-21T02:00:20.000Z')).at).toBe('2026-11-21T02:00:20.000Z');
    expect((await set('')).at).toBe('2026-11-21T02:00:20.000Z');
  });
});

import { describe, expect, it } from 'vitest';
import { setRendezvous } from '../../lambdas/set-rendezvous.ts';
import { claimedRun, newWorld, START } from './support/world.ts';

describe('SetRendezvous', () => {
  it.each([
    [3, 20],
    [1_000, 105],
  ])('leaves %d nodes %d seconds to be told', async (nodeCount, seconds) => {
    const world = newWorld();
    const run = await claimedRun(world);
    const { at } = await setRendezvous({ run, nodeCount }, world);
    expect(Date.parse(at) - START.getTime()).toBe(seconds * 1_000);
  });
});

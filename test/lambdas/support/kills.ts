// Kills a step before and after each of its writes, and runs it again: it must come to the same end.
import { expect } from 'vitest';
import { stateOf, type World } from './world.ts';

const WRITES = {
  vault: ['put', 'putObject'],
  catalog: [
    'claim',
    'takeOver',
    'release',
    'claimSchedule',
    'putRun',
    'putEndedRun',
    'putRegistration',
    'putWaitingRun',
    'putWatch',
    'amendRun',
    'putNode',
  ],
  hosts: ['send', 'cancel'],
  applications: ['ask'],
  notifier: ['publish'],
  pauseSwitch: ['set', 'clear'],
  executions: ['start', 'stop'],
} as const;

interface Kill {
  /** Counts the step's writes, from 1. */
  write: number;
  when: 'before' | 'after';
}

/** @returns the world as the step sees it, and how many writes it got to */
function killedAt(world: World, kill: Kill | undefined): { ports: World; writes: () => number } {
  let writes = 0;
  const ports = { ...world };
  for (const [port, names] of Object.entries(WRITES) as Array<[keyof typeof WRITES, readonly string[]]>) {
    const watch = <Port extends object>(unwatched: Port): Port =>
      new Proxy(unwatched, {
        get(target, name) {
          const member = Reflect.get(target, name) as unknown;
          if (name === 'encryptedWith') return (key: string) => watch(world.vault.encryptedWith(key));
          if (typeof member !== 'function' || !names.includes(String(name))) return member;
          return async (...values: unknown[]) => {
            const mine = ++writes === kill?.write;
            if (mine && kill.when === 'before') throw new Error('killed');
            const answer: unknown = await member.apply(target, values);
            if (mine) throw new Error('killed');
            return answer;
          };
        },
      });
    Object.assign(ports, { [port]: watch(world[port]) });
  }
  return { ports, writes: () => writes };
}

/**
 * @param prepare makes equal worlds, and what the step is called with in each
 * @param comparable what a kill may rightly leave different is taken out by it
 */
export async function expectSameEndWhereverKilled<Output>(
  prepare: () => Promise<{ world: World; step: (ports: World) => Promise<Output> }>,
  comparable = (state: Awaited<ReturnType<typeof stateOf>>): unknown => state,
): Promise<void> {
  const calm = await prepare();
  const watched = killedAt(calm.world, undefined);
  const output = await calm.step(watched.ports);
  const endOf = async (world: World) => comparable(await stateOf(world));
  const state = await endOf(calm.world);
  expect(watched.writes()).toBeGreaterThan(0);
  expect(await calm.step(calm.world), 'run twice').toEqual(output);
  expect(await endOf(calm.world), 'run twice').toEqual(state);
  for (let write = 1; write <= watched.writes(); write++) {
    for (const when of ['before', 'after'] as const) {
      const { world, step } = await prepare();
      const name = `killed ${when} write ${write}`;
      await expect(step(killedAt(world, { write, when }).ports), name).rejects.toThrow('killed');
      expect(await step(world), name).toEqual(output);
      expect(await endOf(world), name).toEqual(state);
    }
  }
}

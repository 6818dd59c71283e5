import { describe, expect, it } from 'vitest';
import type { ActionOutput } from '../../contracts/actions.ts';
import { checkSnapshots } from '../../lambdas/check-snapshots.ts';
import { answerSnapshots, snapshot } from './support/answers.ts';
import { plannedBackup } from './support/backup.ts';
import { newWorld } from './support/world.ts';

type Taken = Partial<ActionOutput<'snapshot'>>;

async function checked(more: Record<number, Taken>, round = 1) {
  const world = newWorld();
  const { run, planKey } = await plannedBackup(world);
  await answerSnapshots(world, run, round, more);
  return checkSnapshots({ run, planKey, round }, world);
}

const times = (more: Partial<ActionOutput<'snapshot'>['times']>): Taken => ({
  times: { ...snapshot({ runId: '20261121t020000z-00000000' }).times, ...more },
});

describe('CheckSnapshots', () => {
  it('measures from the first start to the last end', async () => {
    expect(await checked({ 2: times({ doneAt: '2026-11-21T02:00:21.010Z' }) })).toEqual({
      outcome: 'consistent',
      spreadMs: 1_000,
    });
  });

  const changes: Array<[string, Taken, string]> = [
    ['ring', { ringDigest: 'd'.repeat(64) }, 'RingChanged'],
    ['ring, where a member went down', { notUpNormal: ['10.0.0.2 (DN)'] }, 'RingChanged'],
    ['schema', { schemaVersion: '22222222-1111-4111-8111-111111111111' }, 'SchemaChanged'],
  ];
  it.each(changes)(
    'asks for another try at a changed %s, and fails at the second',
    async (_what, more, name) => {
      expect(await checked({ 1: more })).toEqual({
        outcome: 'retake',
        reason: expect.stringContaining(name),
      });
      await expect(checked({ 1: more }, 2)).rejects.toMatchObject({ name });
    },
  );

  it('fails where the snapshots are too far apart, naming each host’s times', async () => {
    const refused = checked({ 1: times({ doneAt: '2026-11-21T02:02:00.000Z' }) });
    await expect(refused).rejects.toMatchObject({ name: 'SnapshotSpreadExceeded' });
    await expect(refused).rejects.toThrow(/i-00000000000000002 .* to 2026-11-21T02:02:00\.000Z/);
  });

  it('counts by the vault’s clock where a host’s own is off', async () => {
    const off = {
      startedAt: '2026-11-21T02:10:20.010Z',
      doneAt: '2026-11-21T02:10:20.500Z',
      clockOffsetMs: 600_000,
    };
    expect(await checked({ 1: times(off) })).toMatchObject({ outcome: 'consistent', spreadMs: 490 });
  });
});

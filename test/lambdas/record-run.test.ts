import { describe, expect, it } from 'vitest';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { type RunRef, runRecord } from '../../contracts/runs.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { answerSnapshots } from './support/answers.ts';
import { sealedBackup, uploadedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, claimedRun, hosts, newWorld, type World } from './support/world.ts';

function lastWord({ vault, layout }: World, { runId }: RunRef, instanceArn: string, updatedAt: string) {
  const done = { filesDone: 27, bytesDone: 3_000, bytesSkipped: 0, bytesHashed: 0, bytesTransferred: 0 };
  const word = { runId, phase: 'upload', state: 'succeeded', ...done, requestsRetried: 0, updatedAt };
  const key = layout.progress(instanceArn, actionIdOf(runId, 'upload'));
  return vault.put(key, JSON.stringify({ formatVersion: 1, ...word }), 'overwrite');
}

describe('RecordRun', () => {
  it('keeps a backup in the vault and in the catalog, with every node', async () => {
    const world = newWorld();
    const { run, planKey } = await sealedBackup(world, {}, { 2: { damagedFiles: 1 } });
    await answerSnapshots(world, run, 1, { 1: { late: true } });
    const { instanceId, instanceArn } = hosts[0] ?? { instanceId: '', instanceArn: '' };
    const startedAt = '2026-11-21T02:00:05.000Z';
    await world.catalog.putNode(run, { instanceId, status: 'STARTED', phase: 'prepare', startedAt });
    await lastWord(world, run, instanceArn, '2026-11-21T02:00:40.000Z');
    world.clock.advance(60_000);
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: ['a warning'] }, world);
    const kept = await readDocument(world, world.layout.runRecord(CLUSTER, run.runId), runRecord);
    expect(kept).toMatchObject({
      ...{ status: 'COMPLETED', backupId: run.runId, files: 81, bytes: 9_000, uploadedBytes: 300 },
      ...{ snapshotSpreadMs: 490, endedAt: '2026-11-21T02:01:00.000Z', request: { clusterId: CLUSTER } },
      warnings: [
        'a warning',
        expect.stringMatching(
          /^i-00000000000000003 has 1 files that rotted on its disk: nb-1-big-Data\.db: got CRC32/,
        ),
        expect.stringContaining('i-00000000000000002 was late'),
      ],
    });
    expect(kept.nodes).toEqual(
      hosts.map(({ instanceId, hostId }, index) => ({
        ...(index === 0 ? { startedAt, endedAt: '2026-11-21T02:00:40.000Z' } : { endedAt: kept.endedAt }),
        ...{
          instanceId,
          hostId,
          status: 'COMPLETED',
          phase: 'upload',
          files: 27,
          bytes: 3_000,
          uploadedBytes: 100,
        },
      })),
    );
    expect(await world.catalog.readRun(CLUSTER, run.runId)).toEqual({ ...kept, nodes: [] });
    expect(await world.catalog.listNodes(run.runId)).toHaveLength(3);
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const { run, planKey } = await sealedBackup(world);
      return {
        world,
        step: (ports) => recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, ports),
      };
    }));

  it('keeps the first record, whatever a late try says', async () => {
    const world = newWorld();
    const { run, planKey } = await sealedBackup(world);
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    world.clock.advance(60_000);
    expect(await recordRun({ run, planKey, status: 'FAILED', warnings: [] }, world)).toEqual({
      status: 'COMPLETED',
    });
    expect(await world.catalog.readRun(CLUSTER, run.runId)).toMatchObject({
      ...{ status: 'COMPLETED', endedAt: '2026-11-21T02:00:00.000Z' },
    });
  });

  it('never calls an unsealed backup completed', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    const refused = recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    await expect(refused).rejects.toMatchObject({ name: 'BackupIncomplete' });
    expect(world.vault.objects.has(world.layout.runRecord(CLUSTER, run.runId))).toBe(false);
  });

  it('records nothing for a run that lost its lock', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await world.catalog.release(run);
    const refused = recordRun({ run, status: 'FAILED', warnings: [] }, world);
    await expect(refused).rejects.toMatchObject({ name: 'RunEnded' });
  });
});

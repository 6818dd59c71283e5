// A restore of tables beside what they have, while Cassandra serves.
import { describe, expect, it } from 'vitest';
import { restorePlan } from '../../contracts/plans.ts';
import { restoreRequest } from '../../contracts/requests.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answer, answerDescribe } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import { plannedRestore } from './support/restore.ts';
import { CLUSTER, newWorld, type World } from './support/world.ts';

const online = { online: true, keyspaces: { include: ['app.Orders'] } };

async function backedUp(): Promise<World> {
  const world = newWorld();
  await completedBackup(world);
  return world;
}

describe('a restore online', () => {
  it('stops nothing, and says what it does not bring back', async () => {
    const world = await backedUp();
    const planned = await plannedRestore(world, { request: online });
    expect(planned).toMatchObject({ online: true, quietKey: '' });
    const plan = await readDocument(world, planned.planKey, restorePlan);
    expect(plan.warnings.join('; ')).toMatch(/TRUNCATE them first.*gc_grace_seconds/);
  });

  it('is verified by what was taken in, and cannot be undone', async () => {
    const world = await backedUp();
    const { run, planKey } = await plannedRestore(world, { request: online });
    const downloaded = { files: 9, bytes: 1_000, downloadedBytes: 1_000 };
    await answer<'download'>(world, run, 'download', [downloaded, downloaded, downloaded]);
    await answerDescribe(world, run, 'describe-after');
    const taken = { tables: 1, files: 9, bytes: 1_000 };
    await answer<'import'>(world, run, 'import', [taken, { ...taken, files: 8 }, taken]);
    await expect(verifyRestore({ run, planKey }, world)).rejects.toThrow(/took in 8 files/);
    await answer<'import'>(world, run, 'import', [taken, taken, taken]);
    expect(await verifyRestore({ run, planKey }, world)).toEqual({ nodes: 3, files: 27, bytes: 3_000 });
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    expect(record).toMatchObject({ status: 'COMPLETED', files: 27 });
    expect(record?.undo).toBeUndefined();
  });

  it('is refused while a node is down, also where no other table is left', async () => {
    const more = { 1: { cassandra: 'down' as const } };
    const refused = plannedRestore(await backedUp(), { request: online, more });
    await expect(refused).rejects.toMatchObject({ name: 'NodeDown' });
  });

  it('is of tables that are named', () => {
    const { keyspaces: _, ...unnamed } = online;
    expect(restoreRequest.safeParse({ clusterId: CLUSTER, ...unnamed }).success).toBe(false);
    expect(restoreRequest.safeParse({ clusterId: CLUSTER, ...online }).success).toBe(true);
  });
});

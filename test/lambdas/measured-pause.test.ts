// What a consistent backup says of its pause: in manifest, history and mail.
import { describe, expect, it } from 'vitest';
import { clusterManifest } from '../../contracts/manifests.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { checkPaused } from '../../lambdas/check-paused.ts';
import { notifyRun } from '../../lambdas/notify-run.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { sealBackup } from '../../lambdas/seal-backup.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { CONSISTENT, pausableWorld, pause, resume } from './support/applications.ts';
import { uploadedBackup } from './support/backup.ts';
import { CLUSTER, START, type World } from './support/world.ts';

describe('the seal', () => {
  const sealed = async (world: World, uploaded: { run: RunRef; planKey: string }) => {
    const { run, planKey } = uploaded;
    await sealBackup({ run, planKey, spreadMs: 490 }, world);
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    return readDocument(world, world.layout.clusterManifest(CLUSTER, run.runId), clusterManifest);
  };

  it('measures the pause, for manifest, history and mail', async () => {
    const { world, applications } = await pausableWorld({ old: true });
    const uploaded = await uploadedBackup(world, { request: CONSISTENT });
    const { run } = uploaded;
    await pause(world, run);
    await checkPaused({ run }, world);
    world.clock.advance(9_400);
    applications[1].die();
    await resume(world, run);
    const manifest = await sealed(world, uploaded);
    expect(manifest).toMatchObject({ kind: 'consistent', pause: { askedAt: START.toISOString() } });
    const measured = { pausedAt: START.toISOString(), confirmed: true };
    const resumed = { resumedAt: '2026-11-21T02:00:09.400Z', pausedMs: 9_400 };
    expect(manifest.pause?.applications).toEqual([
      {
        name: applications[0].name,
        address: '127.0.0.1',
        port: applications[0].port,
        ...measured,
        ...resumed,
      },
      { name: applications[1].name, address: '127.0.0.1', port: applications[1].port, ...measured },
      expect.objectContaining({ ...measured, ...resumed, confirmed: false }),
    ]);
    const record = await world.catalog.readRun(CLUSTER, run.runId);
    expect(record?.pause).toEqual({ applications: 3, longestMs: 9_400 });
    await notifyRun({ run, warnings: [] }, world);
    expect(world.notifier.published[0]?.text).toContain('Applications:    3 paused, for 9 s at most');
  });

  it('refuses a consistent backup whose pause was not checked, or is not over', async () => {
    const { world } = await pausableWorld();
    const uploaded = await uploadedBackup(world, { request: CONSISTENT });
    const { run } = uploaded;
    await expect(sealed(world, uploaded)).rejects.toMatchObject({ name: 'BackupIncomplete' });
    await pause(world, run);
    await checkPaused({ run }, world);
    await expect(sealed(world, uploaded)).rejects.toThrow(/paused, checked/);
    await resume(world, run);
    await expect(sealed(world, uploaded)).resolves.toBeDefined();
  });
});

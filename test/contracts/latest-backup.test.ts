import { expect, it } from 'vitest';
import { latestBackup } from '../../contracts/latest-backup.ts';
import type { ClusterManifest } from '../../contracts/manifests.ts';

const WAITED = '20261121t020000z-aaaaaaaa';
const QUICK = '20261121t021000z-bbbbbbbb';
const PART = '20261121t040000z-cccccccc';
const OLD = '20261101t020000z-dddddddd';
const sealed: Record<string, Partial<ClusterManifest>> = {
  [WAITED]: { scope: 'cluster', snapshotAt: '2026-11-21T02:40:00.000Z' },
  [QUICK]: { scope: 'cluster', snapshotAt: '2026-11-21T02:15:00.000Z' },
  [PART]: { scope: 'part', snapshotAt: '2026-11-21T04:00:10.000Z' },
};

it('is the backup of the latest moment, whenever its run began, and of no part', async () => {
  const read: string[] = [];
  const latest = await latestBackup([PART, QUICK, WAITED, OLD], async (backupId) => {
    read.push(backupId);
    const manifest = sealed[backupId];
    return manifest && ({ backupId, ...manifest } as ClusterManifest);
  });
  expect(latest?.backupId).toBe(WAITED);
  expect(read).toEqual([PART, QUICK, WAITED]);
});

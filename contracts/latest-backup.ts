// What "latest" means, to the restore, the command line and the age of the newest backup.
import { startOfRun } from './identifiers.ts';
import type { ClusterManifest } from './manifests.ts';

/** From the start that a backup's ID names to its snapshot, at most: a scheduled run may have waited for its cluster. */
const LATEST_START_BEFORE_MS = 24 * 3_600_000;

/**
 * The sealed backup that shows the latest moment, of those that are not of a chosen part.
 * @param begun backup IDs, newest first
 */
export async function latestBackup(
  begun: readonly string[],
  read: (backupId: string) => Promise<ClusterManifest | undefined>,
): Promise<ClusterManifest | undefined> {
  let latest: ClusterManifest | undefined;
  for (const backupId of begun) {
    const snapshotBefore = Date.parse(startOfRun(backupId)) + LATEST_START_BEFORE_MS;
    if (latest && snapshotBefore < Date.parse(latest.snapshotAt)) break;
    const manifest = await read(backupId);
    if (manifest?.scope === 'cluster' && (!latest || manifest.snapshotAt > latest.snapshotAt))
      latest = manifest;
  }
  return latest;
}

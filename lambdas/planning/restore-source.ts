// The backup that a restore is of, in terms of the cluster that it is restored to.
import type { VaultPlace } from '../../contracts/configuration.ts';
import type { RingView } from '../../contracts/ring.ts';
import { inTermsOf } from './other-cluster.ts';
import { inVault, type RestorableBackup, readBackup } from './restorable-backup.ts';

interface Source {
  /** Whose backup it is. */
  sourceCluster: string;
  sourceVault?: VaultPlace | undefined;
  /** Or `latest`. */
  backupId: string;
  /** Of which alone it is restored. */
  datacenter?: string | undefined;
  snapshotOnly?: boolean;
}

/**
 * @param clusterId that it is restored to
 * @param live its ring, asked for where the backup is another cluster's
 * @throws as readBackup and inTermsOf
 */
export async function readSource(
  ports: Parameters<typeof inVault>[0],
  clusterId: string,
  { sourceCluster, sourceVault, backupId, datacenter, snapshotOnly }: Source,
  live: () => Promise<RingView>,
): Promise<RestorableBackup> {
  const backup = await readBackup(inVault(ports, sourceVault), sourceCluster, backupId, snapshotOnly);
  return sourceCluster === clusterId ? backup : inTermsOf(await live(), backup, datacenter);
}

// Sealed backups, as the vault has them: a cluster manifest that exists is a backup that can be restored.
import { parseDocument } from '../../contracts/documents.ts';
import { BackupDamaged, EncryptionKeyDenied, InvalidDocument, NewerFormat } from '../../contracts/errors.ts';
import { latestBackup } from '../../contracts/latest-backup.ts';
import { type BackupLink, type ClusterManifest, clusterManifest } from '../../contracts/manifests.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { findDocument, sha256Of } from './documents.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout'>;

export function findManifest(
  ports: Ports,
  clusterId: string,
  backupId: string,
): Promise<ClusterManifest | undefined> {
  return findDocument(ports, ports.layout.clusterManifest(clusterId, backupId), clusterManifest);
}

/** A sealed backup, and what pins every byte of it. */
export interface SealedBackup {
  manifest: ClusterManifest;
  link: BackupLink;
}

export async function findSealed(
  { vault, layout }: Ports,
  clusterId: string,
  backupId: string,
): Promise<SealedBackup | undefined> {
  const key = layout.clusterManifest(clusterId, backupId);
  const stored = await vault.get(key);
  if (!stored) return undefined;
  const manifest = parseDocument(clusterManifest, stored.body.toString(), key);
  return { manifest, link: { backupId, manifestSha256: sha256Of(stored.body) } };
}

/** With neither it was not sealed. `unreadable`: it is worth nothing to the run that asks, and no reason for it to fail. */
interface EarlierBackup {
  sealed?: SealedBackup;
  unreadable?: Error;
}

/** What began before a run. Each is read when it is asked for, and once. */
export interface EarlierBackups {
  /** Newest first. */
  ids(): Promise<string[]>;
  read(backupId: string): Promise<EarlierBackup>;
}

export function earlierBackups(
  ports: Ports,
  { clusterId, runId }: { clusterId: string; runId: string },
): EarlierBackups {
  let begun: Promise<string[]> | undefined;
  const known = new Map<string, EarlierBackup>();
  return {
    ids() {
      begun ??= backupsBegun(ports, clusterId, runId);
      return begun;
    },
    async read(backupId) {
      const earlier = known.get(backupId) ?? (await readEarlier(ports, clusterId, backupId));
      known.set(backupId, earlier);
      return earlier;
    },
  };
}

async function readEarlier(ports: Ports, clusterId: string, backupId: string): Promise<EarlierBackup> {
  try {
    const sealed = await findSealed(ports, clusterId, backupId);
    return sealed ? { sealed } : {};
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { unreadable: error };
  }
}

function isUnreadable(error: unknown): error is Error {
  return [InvalidDocument, NewerFormat, EncryptionKeyDenied].some((each) => error instanceof each);
}

/**
 * A backup with all that it goes on from, the base first.
 * @throws BackupDamaged where one is gone, or is not the one that the next was made on
 */
export async function chainOf(
  ports: Ports,
  clusterId: string,
  newest: ClusterManifest,
): Promise<ClusterManifest[]> {
  const chain = [newest];
  for (let before = newest.previous; before; ) {
    const found = await findSealed(ports, clusterId, before.backupId);
    if (found?.link.manifestSha256 !== before.manifestSha256) {
      const got = found ? `one of SHA-256 ${found.link.manifestSha256}` : 'no manifest';
      throw new BackupDamaged(
        `backup ${newest.backupId} goes on from ${before.backupId}: got ${got}, expected SHA-256 ${before.manifestSha256}`,
      );
    }
    chain.unshift(found.manifest);
    before = found.manifest.previous;
  }
  return chain;
}

/** IDs of backups that began to be written, newest first. @param but the run that asks: it has the cluster, so no other is at work */
async function backupsBegun(ports: Ports, clusterId: string, but?: string): Promise<string[]> {
  const prefix = ports.layout.backups(clusterId);
  const begun: string[] = [];
  for await (const key of ports.vault.list(prefix, { delimiter: '/' })) {
    const backupId = key.slice(prefix.length).replace(/\/$/, '');
    if (backupId !== but) begun.push(backupId);
  }
  return begun.sort().reverse();
}

export async function latestSealed(ports: Ports, clusterId: string): Promise<ClusterManifest | undefined> {
  return latestBackup(await backupsBegun(ports, clusterId), (backupId) =>
    findManifest(ports, clusterId, backupId),
  );
}

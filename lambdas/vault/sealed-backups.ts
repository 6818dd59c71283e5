// Sealed backups, as the vault has them: a cluster manifest that exists is a backup that can be restored.
import { type ClusterManifest, clusterManifest } from '../../contracts/manifests.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';
import { findDocument } from './documents.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout'>;

export function findManifest(
  ports: Ports,
  clusterId: string,
  backupId: string,
): Promise<ClusterManifest | undefined> {
  return findDocument(ports, ports.layout.clusterManifest(clusterId, backupId), clusterManifest);
}

/** The newest sealed backup that started before the run `before`, if that is given. */
export async function newestSealed(
  ports: Ports,
  clusterId: string,
  before?: string,
): Promise<ClusterManifest | undefined> {
  const prefix = ports.layout.backups(clusterId);
  const begun: string[] = [];
  for await (const key of ports.vault.list(prefix, { delimiter: '/' })) {
    begun.push(key.slice(prefix.length).replace(/\/$/, ''));
  }
  for (const backupId of begun.sort().reverse()) {
    if (before !== undefined && backupId >= before) continue;
    const manifest = await findManifest(ports, clusterId, backupId);
    if (manifest) return manifest;
  }
  return undefined;
}

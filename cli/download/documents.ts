// What lies above the nodes' files: which backup they are of, by its own manifest, and the ring and schema of then.
import { isDeepStrictEqual } from 'node:util';
import type { ObjectStore } from '../../adapters/ports.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { BackupDamaged } from '../../contracts/errors.ts';
import type { VaultLayout } from '../../contracts/layout.ts';
import { type ClusterManifest, clusterManifest } from '../../contracts/manifests.ts';
import { type RingView, ringView } from '../../contracts/ring.ts';
import { readPinned, readPinnedBytes } from '../../lambdas/vault/documents.ts';

interface Ports {
  vault: ObjectStore;
  layout: VaultLayout;
}

/** As of the backup. @throws BackupDamaged */
export function readRing(ports: Ports, { clusterId, backupId, ring }: ClusterManifest): Promise<RingView> {
  return readPinned(ports, ports.layout.backupRing(clusterId, backupId), ring.sha256, ringView);
}

/** Byte by byte as the vault has them. @throws BackupDamaged */
export async function readDocuments(
  ports: Ports,
  manifest: ClusterManifest,
): Promise<Array<[name: string, body: Buffer]>> {
  const { vault, layout } = ports;
  const { clusterId, backupId, ring, schemaCql } = manifest;
  const key = layout.clusterManifest(clusterId, backupId);
  const stored = await vault.get(key);
  const isSame =
    stored && isDeepStrictEqual(parseDocument(clusterManifest, stored.body.toString(), key), manifest);
  if (!isSame) throw new BackupDamaged(`${key}: it is not what it was a moment ago`);
  return [
    ['backup.json', stored.body],
    ['ring.json', await readPinnedBytes(ports, layout.backupRing(clusterId, backupId), ring.sha256)],
    [
      'schema.cql',
      await readPinnedBytes(ports, layout.backupSchemaCql(clusterId, backupId), schemaCql.sha256),
    ],
  ];
}

// The backup that a restore is to bring back: sealed, by the vault's own word, with its ring, schema and headers pinned.
import pMap from 'p-map';
import { NoBackup, UnknownBackup } from '../../contracts/errors.ts';
import { type ClusterManifest, type NodeHeader, nodeHeader } from '../../contracts/manifests.ts';
import { type RingView, ringView, type SchemaView, schemaView } from '../../contracts/ring.ts';
import { readPinned } from '../vault/documents.ts';
import { READS_AT_ONCE } from '../vault/results.ts';
import { findManifest, newestSealed } from '../vault/sealed-backups.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

type Ports = Pick<StepPorts, 'vault' | 'layout'>;

export interface RestorableBackup {
  manifest: ClusterManifest;
  ring: RingView;
  schema: SchemaView;
  /** In the order of the manifest's nodes. */
  headers: NodeHeader[];
}

/** @param backupId or `latest`. @throws UnknownBackup NoBackup BackupDamaged NewerFormat */
export async function readBackup(
  ports: Ports,
  clusterId: string,
  backupId: string,
): Promise<RestorableBackup> {
  const manifest = await requireManifest(ports, clusterId, backupId);
  const { layout } = ports;
  const id = manifest.backupId;
  const [ring, schema, headers] = await Promise.all([
    readPinned(ports, layout.backupRing(clusterId, id), manifest.ring.sha256, ringView),
    readPinned(ports, layout.backupSchema(clusterId, id), manifest.schema.sha256, schemaView),
    pMap(
      manifest.nodes,
      ({ instanceArn, headerSha256 }) =>
        readPinned(ports, layout.nodeHeader(clusterId, id, instanceArn), headerSha256, nodeHeader),
      { concurrency: READS_AT_ONCE },
    ),
  ]);
  return { manifest, ring, schema, headers };
}

async function requireManifest(ports: Ports, clusterId: string, backupId: string): Promise<ClusterManifest> {
  if (backupId === 'latest') {
    const newest = await newestSealed(ports, clusterId);
    if (newest) return newest;
    throw new NoBackup(`cluster "${clusterId}" has no sealed backup`);
  }
  const manifest = await findManifest(ports, clusterId, backupId);
  if (manifest) return manifest;
  throw new UnknownBackup(`cluster "${clusterId}" has no sealed backup ${backupId}`);
}

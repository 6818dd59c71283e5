// A sealed backup read as a stranger would read it: every manifest by its hash, every object by its own.
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { KMSClient } from '@aws-sdk/client-kms';
import { kmsDataKeys } from '../../adapters/data-keys-kms.ts';
import {
  type ClusterManifest,
  clusterManifest,
  listedFile,
  nodeHeader,
  type ObjectVariant,
} from '../../contracts/manifests.ts';
import { decoded } from '../../node-scripts/transfer/encoding.ts';
import type { Stage } from './stage.ts';

export interface StoredFile {
  instanceArn: string;
  /** Below a data directory. */
  path: string;
  sha256: string;
  key: string;
}

export interface StoredBackup {
  manifest: ClusterManifest;
  files: StoredFile[];
}

/** @throws Error where something is missing or is not what its hash says */
export async function readStoredBackup(
  { deployment: { store, layout }, installation }: Stage,
  clusterId: string,
  backupId: string,
): Promise<StoredBackup> {
  const kms = new KMSClient(installation.cloud.clientOptions);
  const dataKeys = kmsDataKeys({ clusterId, clients: [kms] });
  const read = async (key: string, sha256?: string, variant: ObjectVariant = 'plain'): Promise<Buffer> => {
    const found = await store.getStream(key);
    if (!found) throw new Error(`${key}: got nothing`);
    const body = await buffer(decoded(found.body, { variant, sha256: sha256 ?? '' }, dataKeys));
    const got = createHash('sha256').update(body).digest('hex');
    if (sha256 !== undefined && got !== sha256) throw new Error(`${key}: got ${got}, expected ${sha256}`);
    return body;
  };
  const json = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  const manifest = clusterManifest.parse(json(await read(layout.clusterManifest(clusterId, backupId))));
  await read(layout.backupRing(clusterId, backupId), manifest.ring.sha256);
  await read(layout.backupSchema(clusterId, backupId), manifest.schema.sha256);
  await read(layout.backupSchemaCql(clusterId, backupId), manifest.schemaCql.sha256);
  const files: StoredFile[] = [];
  const objects = new Map<string, Buffer>();
  for (const { instanceArn, headerSha256, listingSha256 } of manifest.nodes) {
    const header = nodeHeader.parse(
      json(await read(layout.nodeHeader(clusterId, backupId, instanceArn), headerSha256)),
    );
    const listing = await read(layout.nodeListing(clusterId, backupId, instanceArn), listingSha256);
    const lines = gunzipSync(listing).toString().trimEnd().split('\n');
    if (lines.length !== header.files) throw new Error(`got ${lines.length} files, expected ${header.files}`);
    for (const line of lines) {
      const { path, sha256, sizeBytes, pack, offset = 0, variant } = listedFile.parse(JSON.parse(line));
      const key = layout.object(clusterId, pack ?? sha256, variant);
      files.push({ instanceArn, path, sha256, key });
      if (objects.size > 64) objects.clear();
      const object = objects.get(key) ?? (await read(key, pack ?? sha256, variant));
      objects.set(key, object);
      const got = createHash('sha256')
        .update(object.subarray(offset, offset + sizeBytes))
        .digest('hex');
      if (got !== sha256) throw new Error(`${key}: ${path} in it is ${got}, expected ${sha256}`);
      if (!pack && object.length !== sizeBytes)
        throw new Error(`${key}: got ${object.length} of ${sizeBytes}`);
    }
  }
  kms.destroy();
  return { manifest, files };
}

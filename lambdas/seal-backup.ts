// SealBackup: checks every node's header, writes ring and schema, then the cluster manifest last: from then on the
// backup exists.
import pMap from 'p-map';
import { storedSha256 } from '../adapters/stored-sha256.ts';
import type { ActionOutput } from '../contracts/actions.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import { BackupIncomplete, ManifestConflict, SchemaChanged } from '../contracts/errors.ts';
import { type ClusterManifest, type NodeHeader, nodeHeader } from '../contracts/manifests.ts';
import type { MeasuredPause } from '../contracts/pause.ts';
import { type BackupPlan, backupPlan } from '../contracts/plans.ts';
import type { SchemaView } from '../contracts/ring.ts';
import type { RunRef } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import { measuredPause } from './pausing/measured-pause.ts';
import { checkHeader } from './planning/header-check.ts';
import {
  createOnce,
  readConfiguration,
  readDocument,
  readPinned,
  serialize,
  sha256Of,
} from './vault/documents.ts';
import { encryptionKeysOf } from './vault/encryption-keys.ts';
import { READS_AT_ONCE, readResults, readRing, readSchema } from './vault/results.ts';
import { findManifest } from './vault/sealed-backups.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

type SealPorts = Pick<StepPorts, 'vault' | 'layout' | 'clock'>;

interface Stored {
  header: NodeHeader;
  result: ActionOutput<'upload'>;
}

/** @throws BackupIncomplete BackupDamaged SchemaChanged ManifestConflict RunEnded */
export async function sealBackup(
  { run, planKey, spreadMs }: StepInput<'SealBackup'>,
  given: StepPorts,
): Promise<StepOutput<'SealBackup'>> {
  await requireLock(given, run);
  const ports = await encrypting(given, run);
  const plan = await readDocument(ports, planKey, backupPlan);
  const stored = await readStored(ports, plan);
  const pause = await measuredPause(ports, plan.kind, run);
  const documents = await writeDocuments(ports, plan);
  const sealing = { pause, spreadMs, sealedAt: ports.clock.now(), documents };
  const manifest = manifestOf(plan, stored, sealing);
  await writeManifest(ports, manifest);
  const uploadedBytes = stored.reduce((sum, { result }) => sum + result.uploadedBytes, 0);
  return { backupId: plan.backupId, files: manifest.files, bytes: manifest.bytes, uploadedBytes };
}

async function encrypting(ports: StepPorts, run: RunRef): Promise<SealPorts> {
  const { serverSideKeyArn } = encryptionKeysOf(ports, run.clusterId, await readConfiguration(ports, run));
  const { layout, clock, vault } = ports;
  return { layout, clock, vault: serverSideKeyArn ? vault.encryptedWith(serverSideKeyArn) : vault };
}

async function readStored(ports: SealPorts, plan: BackupPlan): Promise<Stored[]> {
  const { runId, clusterId, backupId, nodes } = plan;
  const uploads = await readResults(ports, 'upload', { runId, phase: 'upload', hosts: nodes });
  const stored = await pMap(
    uploads,
    async ({ host, result }) => {
      const key = ports.layout.nodeHeader(clusterId, backupId, host.instanceArn);
      const header = await readPinned(ports, key, result.headerSha256, nodeHeader);
      const listingKey = ports.layout.nodeListing(clusterId, backupId, host.instanceArn);
      const attributes = await ports.vault.attributes(listingKey);
      const listing = attributes && {
        sizeBytes: attributes.sizeBytes,
        sha256: await storedSha256(ports.vault, listingKey, attributes),
      };
      checkHeader(plan, host, { header, result, listing });
      return { header, result };
    },
    { concurrency: READS_AT_ONCE },
  );
  // Of an incremental: nothing was written since.
  if (plan.kind !== 'incremental' && stored.every(({ header }) => header.files === 0)) {
    throw new BackupIncomplete(`got no file from ${stored.length} nodes, expected at least one`);
  }
  return stored;
}

interface Digests {
  ring: string;
  schema: string;
  schemaCql: string;
}

async function writeDocuments(ports: SealPorts, plan: BackupPlan): Promise<Digests> {
  const [ring, schema] = await Promise.all([
    readRing(ports, plan.describedBy),
    readSchema(ports, plan.describedBy),
  ]);
  if (schema.schemaVersion !== plan.schemaVersion) {
    throw new SchemaChanged(`got schema ${schema.schemaVersion} described, expected ${plan.schemaVersion}`);
  }
  const { clusterId, backupId } = plan;
  const write = async (key: string, body: string) => {
    await createOnce(ports, key, body);
    return sha256Of(body);
  };
  return {
    ring: await write(ports.layout.backupRing(clusterId, backupId), serialize(ring)),
    schema: await write(ports.layout.backupSchema(clusterId, backupId), serialize(schema)),
    schemaCql: await write(ports.layout.backupSchemaCql(clusterId, backupId), schemaCql(schema)),
  };
}

function schemaCql({ statements }: SchemaView): string {
  const ended = statements.map(({ statement }) => statement.trim().replace(/;?$/, ';'));
  return `${ended.join('\n\n')}\n`;
}

function manifestOf(
  plan: BackupPlan,
  stored: readonly Stored[],
  sealing: {
    pause: MeasuredPause | undefined;
    spreadMs: number;
    sealedAt: Date;
    documents: Digests;
  },
): ClusterManifest {
  const { ring, schema, schemaCql } = sealing.documents;
  const nodes = stored
    .map(({ header: { hostId, instanceArn, files, bytes }, result: { headerSha256, listingSha256 } }) => ({
      ...{ hostId, instanceArn, headerSha256, listingSha256, files, bytes },
    }))
    .sort((one, other) => (one.hostId < other.hostId ? -1 : 1));
  const asked = stored.map(({ header }) => header.snapshot.askedAt).sort();
  return {
    formatVersion: FORMAT_VERSION,
    backupId: plan.backupId,
    clusterId: plan.clusterId,
    ...ofKind(plan),
    scope: plan.scope,
    selection: plan.selection,
    leftOut: { nodes: plan.leftOut.nodes.length, tables: plan.leftOut.tables },
    clusterName: plan.clusterName,
    // What every node has: of increments all that was written before the first node began.
    snapshotAt: asked.at(plan.kind === 'incremental' ? 0 : -1) ?? sealing.sealedAt.toISOString(),
    snapshotSpreadMs: sealing.spreadMs,
    ...(sealing.pause && { pause: sealing.pause }),
    sealedAt: sealing.sealedAt.toISOString(),
    schemaVersion: plan.schemaVersion,
    nodes,
    ring: { sha256: ring },
    schema: { sha256: schema },
    schemaCql: { sha256: schemaCql },
    files: nodes.reduce((sum, node) => sum + node.files, 0),
    bytes: nodes.reduce((sum, node) => sum + node.bytes, 0),
  };
}

function ofKind({ kind, base, previous }: BackupPlan): Pick<ClusterManifest, 'kind' | 'base' | 'previous'> {
  return kind === 'incremental' && base && previous ? { kind, base, previous } : { kind };
}

/** A retry finds its own manifest, which says the same but for the time of sealing. */
async function writeManifest(ports: SealPorts, manifest: ClusterManifest): Promise<void> {
  const { clusterId, backupId } = manifest;
  const key = ports.layout.clusterManifest(clusterId, backupId);
  if ((await ports.vault.put(key, serialize(manifest), 'create')) === 'created') return;
  const sealed = await findManifest(ports, clusterId, backupId);
  if (sealed && serialize({ ...manifest, sealedAt: sealed.sealedAt }) === serialize(sealed)) return;
  throw new ManifestConflict(`${key}: got a manifest of other content, expected none or this run’s own`);
}

export const handler = defineStep('SealBackup', sealBackup);

// PlanBackup: every node's own word of itself, ring and schema must agree; what they agree on is the plan.
import type { BackupSource } from '../contracts/actions.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import { EncryptionKeyDenied, InvalidDocument, NewerFormat } from '../contracts/errors.ts';
import { actionIdOf, snapshotTagOf } from '../contracts/identifiers.ts';
import type { ClusterManifest } from '../contracts/manifests.ts';
import type { BackupPlan, Host } from '../contracts/plans.ts';
import { isSystemKeyspace } from '../contracts/ring.ts';
import type { RunRef } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import {
  type DescribedHost,
  requireDatacenter,
  requireFullRing,
  requireOneRing,
  requireOneSchema,
  requireUp,
  type UpHost,
} from './planning/agreement.ts';
import { readConfiguration, readHosts, serialize, writeHosts } from './vault/documents.ts';
import { readResults, readRing, readSchema } from './vault/results.ts';
import { newestSealed } from './vault/sealed-backups.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws NodeDown UnmanagedNode RingDisagreement SchemaDisagreement InvalidConfiguration RunEnded ActionLost */
export async function planBackup(
  { run, hostsKey, round }: StepInput<'PlanBackup'>,
  ports: StepPorts,
): Promise<StepOutput<'PlanBackup'>> {
  await requireLock(ports, run);
  const cluster = await readConfiguration(ports, run);
  const hosts = await readHosts(ports, hostsKey);
  const phase = `describe-${round}`;
  const described = await readResults(ports, 'describe', { runId: run.runId, phase, hosts });
  const up = requireUp(described);
  requireDatacenter(up, cluster.datacenter);
  const first = requireOneRing(up);
  const describedBy = { instanceArn: first.host.instanceArn, actionId: actionIdOf(run.runId, phase) };
  requireFullRing(up, await readRing(ports, describedBy));
  requireOneSchema(up);
  const [schema, previous] = await Promise.all([readSchema(ports, describedBy), previousBackup(ports, run)]);

  const plan: BackupPlan = {
    formatVersion: FORMAT_VERSION,
    workflow: 'backup',
    ...{ runId: run.runId, clusterId: run.clusterId, backupId: run.runId, round, describedBy },
    snapshotTag: snapshotTagOf(run.runId, round),
    clusterName: first.clusterName,
    schemaVersion: first.schemaVersion,
    ringDigest: first.ringDigest,
    tables: schema.tables
      .filter((table) => !isSystemKeyspace(table.keyspace))
      .map(({ keyspace, name, id }) => ({ keyspace, table: name, tableId: id })),
    nodes: up.map((node) => nodeOf(node, previous.manifest)),
    warnings: [...previous.warnings, ...warningsOf(described)],
  };
  const planKey = ports.layout.plan(run.clusterId, run.runId);
  await ports.vault.put(planKey, serialize(plan), 'overwrite');
  const nodesKey = await writeHosts(ports, run, 'nodes', plan.nodes);
  return { planKey, nodesKey, nodeCount: plan.nodes.length, backupId: plan.backupId };
}

function nodeOf(
  { host, hostId, datacenter, rack, cassandraVersion }: UpHost,
  previous: ClusterManifest | undefined,
): BackupPlan['nodes'][number] {
  const { instanceId, instanceArn } = host;
  const source = sourceOf(previous, hostId, instanceArn);
  return {
    ...{ instanceId, instanceArn, hostId, datacenter, rack, cassandraVersion },
    ...(source && { previous: source }),
  };
}

/** Objects belong to the cluster: a node that moved to another instance still finds its own. */
function sourceOf(
  manifest: ClusterManifest | undefined,
  hostId: string,
  instanceArn: string,
): BackupSource | undefined {
  const node =
    manifest?.nodes.find((each) => each.hostId === hostId) ??
    manifest?.nodes.find((each) => each.instanceArn === instanceArn);
  if (!manifest || !node) return undefined;
  const { headerSha256, listingSha256 } = node;
  return { backupId: manifest.backupId, instanceArn: node.instanceArn, headerSha256, listingSha256 };
}

/** A manifest that cannot be read costs an upload of everything, and no backup. */
async function previousBackup(
  ports: StepPorts,
  run: RunRef,
): Promise<{ manifest?: ClusterManifest; warnings: string[] }> {
  try {
    const manifest = await newestSealed(ports, run.clusterId, run.runId);
    return { ...(manifest && { manifest }), warnings: [] };
  } catch (error) {
    const passed = [InvalidDocument, NewerFormat, EncryptionKeyDenied];
    if (!(error instanceof Error) || !passed.some((each) => error instanceof each)) throw error;
    return { warnings: [`Everything is uploaded anew, the backup before cannot be read: ${error.message}`] };
  }
}

/** What all nodes say is said once. */
function warningsOf(described: readonly DescribedHost[]): string[] {
  const sayers = new Map<string, Host[]>();
  for (const { host, result } of described) {
    for (const warning of result.warnings) sayers.set(warning, [...(sayers.get(warning) ?? []), host]);
  }
  return [...sayers].map(([warning, hosts]) =>
    hosts.length === described.length
      ? warning
      : `${hosts.map((host) => host.instanceId).join(', ')}: ${warning}`,
  );
}

export const handler = defineStep('PlanBackup', planBackup);

// PlanBackup: every node's own word of itself, ring and schema must agree; what they agree on is the plan.
import type { ClusterConfiguration } from '../contracts/configuration.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import { actionIdOf, snapshotTagOf } from '../contracts/identifiers.ts';
import type { BackupPlan, Host } from '../contracts/plans.ts';
import { type BackupRequest, backupRequest } from '../contracts/requests.ts';
import { type Selection, scopeOf } from '../contracts/selection.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { requireLock } from './locking/held-lock.ts';
import {
  type DescribedHost,
  requireDatacenters,
  requireOneRing,
  requireOneSchema,
  upHost,
} from './planning/agreement.ts';
import { incrementBase } from './planning/increment-base.ts';
import { previousSources } from './planning/previous-sources.ts';
import { selectNodes } from './planning/selected-nodes.ts';
import { selectTables } from './planning/selected-tables.ts';
import { readConfiguration, readHosts, serialize, writeHosts } from './vault/documents.ts';
import { readResults, readRing, readSchema } from './vault/results.ts';
import { earlierBackups } from './vault/sealed-backups.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws NothingSelected HostUnreachable NodeDown UnmanagedNode RingDisagreement SchemaDisagreement InvalidConfiguration RunEnded ActionLost */
export async function planBackup(
  { run, request: given, hostsKey, unreachable = [], round }: StepInput<'PlanBackup'>,
  ports: StepPorts,
): Promise<StepOutput<'PlanBackup'>> {
  await requireLock(ports, run);
  const cluster = await readConfiguration(ports, run);
  const request = backupRequest.parse(given);
  const selection = selectionOf(request, cluster);
  const hosts = await readHosts(ports, hostsKey);
  const phase = `describe-${round}`;
  const described = await readResults(ports, 'describe', { runId: run.runId, phase, hosts });
  const up = described.flatMap((each) => upHost(each) ?? []);
  requireDatacenters(up, cluster.datacenters);
  const first = requireOneRing(up);
  requireOneSchema(up);
  const describedBy = { instanceArn: first.host.instanceArn, actionId: actionIdOf(run.runId, phase) };
  const [ring, schema] = await Promise.all([readRing(ports, describedBy), readSchema(ports, describedBy)]);
  const { nodes, leftOut } = selectNodes({ described, unreachable }, ring, selection);
  const { tables, warnings } = selectTables(schema.tables, selection.keyspaces);
  const placed = nodes.map(({ host, ...node }) => ({ ...host, ...node }));
  const earlier = earlierBackups(ports, run);
  const previous = await previousSources(earlier, { nodes: placed, selection });
  const { kind, base: named } = request;
  const wanted = {
    ...{ named, hostIds: placed.map(({ hostId }) => hostId), keyspaces: selection.keyspaces },
    longestChain: cluster.incremental.longestChain,
  };
  const goesOnFrom = kind === 'incremental' ? await incrementBase(ports, run, earlier, wanted) : { gaps: [] };

  const plan: BackupPlan = {
    formatVersion: FORMAT_VERSION,
    workflow: 'backup',
    ...{ runId: run.runId, clusterId: run.clusterId, backupId: run.runId, round, describedBy },
    ...{ kind, ...goesOnFrom },
    snapshotTag: snapshotTagOf(run.runId, round),
    clusterName: first.clusterName,
    schemaVersion: first.schemaVersion,
    ringDigest: first.ringDigest,
    ...{ scope: scopeOf(request), selection },
    tables: tables.map(({ keyspace, name, id }) => ({ keyspace, table: name, tableId: id })),
    leftOut: {
      nodes: leftOut.map(({ hostId, address }) => ({ hostId, address })),
      tables: schema.tables.length - tables.length,
    },
    nodes: placed.map(({ instanceId, instanceArn, hostId, datacenter, rack, cassandraVersion }) => ({
      ...{ instanceId, instanceArn, hostId, datacenter, rack, cassandraVersion },
      previous: previous.sources.get(instanceArn) ?? [],
    })),
    warnings: [...warnings, ...previous.warnings, ...warningsOf(described)],
  };
  const planKey = ports.layout.plan(run.clusterId, run.runId);
  await ports.vault.put(planKey, serialize(plan), 'overwrite');
  const nodesKey = await writeHosts(ports, run, 'nodes', plan.nodes);
  return { planKey, nodesKey, nodeCount: plan.nodes.length, backupId: plan.backupId, kind };
}

function selectionOf(request: BackupRequest, cluster: ClusterConfiguration): Selection {
  const { nodes, datacenter, keyspaces = cluster.keyspaces } = request;
  return { ...(nodes && { nodes }), ...(datacenter && { datacenter }), ...(keyspaces && { keyspaces }) };
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

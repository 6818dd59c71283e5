// What a person wants to read of a restore's plan before going on; small enough to travel through the workflow.
import type { RestorePlan } from '../../contracts/plans.ts';
import { describeSelection, scopeOf } from '../../contracts/selection.ts';
import { bytesForPeople } from '../reporting/for-people.ts';
import { hasOtherName } from './renamed-schema.ts';

const LISTED = 50;
const CHARACTERS = 500;

export function restoreSummary(plan: RestorePlan): Record<string, unknown> {
  const bytes = plan.nodes.reduce((sum, node) => sum + node.bytes, 0);
  return {
    operation: plan.operation,
    dryRun: plan.dryRun,
    ...(plan.stopAfterDownload && { stopsAfter: 'download' }),
    online: plan.online,
    ...(plan.load && { streamed: true, ...underNames(plan.load) }),
    ...(scopeOf(plan.selection) === 'part' && { only: describeSelection(plan.selection) }),
    ...(plan.deadNode && {
      bringsBack: plan.nodes.map(({ hostId, instanceId }) => `${hostId} on ${instanceId}`),
      newHostId: plan.deadNode.replaces !== undefined,
    }),
    repaired: plan.repair !== undefined,
    clientsKeptOut: plan.settlesWrites && !plan.online,
    backupId: plan.backupId,
    ...(plan.sourceCluster !== plan.clusterId && { sourceCluster: plan.sourceCluster }),
    ...(plan.sourceVault && { sourceVault: plan.sourceVault.name }),
    ...goesOnFrom(plan),
    snapshotAt: plan.snapshotAt,
    restoreRunId: plan.restoreRunId,
    nodes: plan.nodes.length,
    nodesDown: plan.nodes.filter((node) => node.cassandra === 'down').length,
    tables: plan.tables.length,
    bytes,
    size: bytesForPeople(bytes),
    recreated: shortened(
      [...plan.statements, ...(plan.load?.indexes ?? [])].map(({ type, keyspace, name }) =>
        type === 'keyspace' ? `keyspace ${name}` : `${type} ${keyspace}.${name}`,
      ),
    ),
    warnings: shortened(plan.warnings),
  };
}

/** Of an incremental what is restored with it, the base first. */
function goesOnFrom({ nodes: [node] }: RestorePlan): { goesOnFrom?: string[] } {
  const before = node?.sources.slice(0, -1).map(({ backupId }) => backupId) ?? [];
  return before.length > 0 ? { goesOnFrom: shortened(before) } : {};
}

function underNames({ tables }: NonNullable<RestorePlan['load']>): { as?: string[] } {
  const others = tables.filter(hasOtherName);
  if (others.length === 0) return {};
  return {
    as: shortened(
      others.map(({ keyspace, table, as }) => `${keyspace}.${table} as ${as.keyspace}.${as.table}`),
    ),
  };
}

function shortened(lines: readonly string[]): string[] {
  const rest = lines.length - LISTED;
  const listed = lines.slice(0, LISTED).map((line) => line.slice(0, CHARACTERS));
  return rest > 0 ? [...listed, `… and ${rest} more`] : listed;
}

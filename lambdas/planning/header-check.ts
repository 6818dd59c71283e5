// Whether a node's header says what the plan, the host's own answer and S3 say. Lambdas read headers, hosts listings.
import type { ActionOutput } from '../../contracts/actions.ts';
import { BackupIncomplete } from '../../contracts/errors.ts';
import type { NodeHeader } from '../../contracts/manifests.ts';
import type { BackupPlan } from '../../contracts/plans.ts';

/** As S3 has it. */
export interface StoredListing {
  sizeBytes: number;
  sha256: string | undefined;
}

/** @throws BackupIncomplete naming the host and each thing that does not fit */
export function checkHeader(
  plan: BackupPlan,
  node: BackupPlan['nodes'][number],
  stored: {
    header: NodeHeader;
    result: ActionOutput<'upload'>;
    listing: StoredListing | undefined;
  },
): void {
  const problems = [
    ...differences(plan, node, stored),
    ...missingTables(plan, stored.header),
    ...listingProblems(stored),
  ];
  if (problems.length === 0) return;
  throw new BackupIncomplete(`manifest of ${node.instanceId}: ${problems.join('; ')}`);
}

function differences(
  plan: BackupPlan,
  node: BackupPlan['nodes'][number],
  { header, result }: { header: NodeHeader; result: ActionOutput<'upload'> },
): string[] {
  const sum = (field: 'files' | 'bytes') => header.tables.reduce((total, table) => total + table[field], 0);
  const pairs: Record<string, [got: unknown, expected: unknown]> = {
    backupId: [header.backupId, plan.backupId],
    clusterId: [header.clusterId, plan.clusterId],
    instanceArn: [header.instanceArn, node.instanceArn],
    hostId: [header.hostId, node.hostId],
    snapshotTag: [header.snapshotTag, plan.snapshotTag],
    schemaVersion: [header.schemaVersion, plan.schemaVersion],
    'files of its tables': [sum('files'), header.files],
    'bytes of its tables': [sum('bytes'), header.bytes],
    'files as uploaded': [result.files, header.files],
    'bytes as uploaded': [result.bytes, header.bytes],
    'lines of its listing': [header.listing.lines, header.files],
    'SHA-256 of its listing': [header.listing.sha256, result.listingSha256],
  };
  return Object.entries(pairs)
    .filter(([, [got, expected]]) => got !== expected)
    .map(([what, [got, expected]]) => `${what}: got ${got}, expected ${expected}`);
}

function missingTables({ tables }: BackupPlan, header: NodeHeader): string[] {
  const listed = new Set(header.tables.map((table) => table.tableId));
  return tables
    .filter((table) => !listed.has(table.tableId))
    .map(({ keyspace, table, tableId }) => `got no table ${keyspace}.${table} (${tableId})`);
}

function listingProblems({
  header,
  listing,
}: {
  header: NodeHeader;
  listing: StoredListing | undefined;
}): string[] {
  if (!listing) return ['got no listing beside it'];
  if (listing.sizeBytes !== header.listing.sizeBytes) {
    return [`listing: got ${listing.sizeBytes} bytes stored, expected ${header.listing.sizeBytes}`];
  }
  if (listing.sha256 !== header.listing.sha256) {
    return [`listing: got SHA-256 ${listing.sha256} stored, expected ${header.listing.sha256}`];
  }
  return [];
}

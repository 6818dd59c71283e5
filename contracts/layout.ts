// Where everything lies in the vault: the only place that spells an S3 key. See docs/storage-format.md.
import type { ObjectVariant } from './manifests.ts';

/** Keys of one vault, whose prefix is empty or ends with "/". Kept (objects, backups, registrations, runs, config) below `clusters/`; working state beside it expires. */
export function vaultLayout(prefix: string) {
  const cluster = (clusterId: string) => `${prefix}clusters/${clusterId}/`;
  const backup = (clusterId: string, backupId: string) => `${cluster(clusterId)}backups/${backupId}/`;
  const backupNode = (clusterId: string, backupId: string, instanceArn: string) =>
    `${backup(clusterId, backupId)}nodes/${instanceArn}/`;
  const plan = (clusterId: string, runId: string) => `${prefix}plans/${clusterId}/${runId}/`;
  return {
    clusters: `${prefix}clusters/`,
    configuration: (clusterId: string, digest: string) => `${cluster(clusterId)}config/${digest}.json`,
    /** @param sha256 of the plain bytes, hex */
    object: (clusterId: string, sha256: string, variant: ObjectVariant = 'plain') =>
      `${cluster(clusterId)}objects/${sha256.slice(0, 2)}/${sha256}${variant === 'plain' ? '' : `.${variant}`}`,
    backups: (clusterId: string) => `${cluster(clusterId)}backups/`,
    clusterManifest: (clusterId: string, backupId: string) => `${backup(clusterId, backupId)}backup.json`,
    backupRing: (clusterId: string, backupId: string) => `${backup(clusterId, backupId)}ring.json`,
    /** For people, and for a restore by hand. */
    backupSchemaCql: (clusterId: string, backupId: string) => `${backup(clusterId, backupId)}schema.cql`,
    /** The same with table IDs and columns, for planning. */
    backupSchema: (clusterId: string, backupId: string) => `${backup(clusterId, backupId)}schema.json`,
    nodeHeader: (clusterId: string, backupId: string, instanceArn: string) =>
      `${backupNode(clusterId, backupId, instanceArn)}node.json`,
    nodeListing: (clusterId: string, backupId: string, instanceArn: string) =>
      `${backupNode(clusterId, backupId, instanceArn)}files.gz`,
    /** What a run found the cluster to be. */
    registration: (clusterId: string, runId: string) => `${cluster(clusterId)}registrations/${runId}.json`,
    runs: (clusterId: string) => `${cluster(clusterId)}runs/`,
    runRecord: (clusterId: string, runId: string) => `${cluster(clusterId)}runs/${runId}.json`,

    /** Working state of a run, written by Lambdas: host lists and plans. */
    hosts: (clusterId: string, runId: string, name: string) => `${plan(clusterId, runId)}${name}.json`,
    plan: (clusterId: string, runId: string) => `${plan(clusterId, runId)}plan.json`,
    pause: (clusterId: string, runId: string) => `${plan(clusterId, runId)}pause.json`,

    /** Written by Lambdas, read by the host. */
    action: (instanceArn: string, actionId: string) => `${prefix}actions/${instanceArn}/${actionId}.json`,
    /** Written by the host: what an action found, where it is too large or too plain for a token's 256 KiB. */
    result: (instanceArn: string, actionId: string) => `${prefix}results/${instanceArn}/${actionId}.json`,
    resultRing: (instanceArn: string, actionId: string) =>
      `${prefix}results/${instanceArn}/${actionId}.ring.json`,
    resultSchema: (instanceArn: string, actionId: string) =>
      `${prefix}results/${instanceArn}/${actionId}.schema.json`,
    /** Overwritten by the host, at most once a second. */
    progress: (instanceArn: string, actionId: string) => `${prefix}progress/${instanceArn}/${actionId}.json`,
  };
}
export type VaultLayout = ReturnType<typeof vaultLayout>;

/** Prefixes of working state; a lifecycle rule expires them. */
export const WORKING_PREFIXES = ['plans/', 'actions/', 'results/', 'progress/'] as const;
export const WORKING_STATE_DAYS = 90;

/** Paths that are fixed on every host; RINGVAULT_HOST_ROOT, set by the local cloud alone, goes before them. */
export const HOST_STATE_DIRECTORY = '/var/lib/ringvault';
/** One cluster ID a line. Fixed here and not in a document, so that nobody but the host's owner can allow a restore. */
export const HOST_RESTORE_GUARD = '/etc/ringvault/restore-allowed';
/** Rates that go before those of the configuration; read again while transfers run. */
export const HOST_LIMITS = '/etc/ringvault/limits.json';

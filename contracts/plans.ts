// What a run works by, kept in S3 because a workflow's data may not exceed 256 KiB.
import { z } from 'zod';
import { backupSource, loadedTable, tableRef } from './actions.ts';
import { vaultName, vaultPlace } from './configuration.ts';
import { FORMAT_VERSION } from './documents.ts';
import {
  actionId,
  backupId,
  backupKind,
  byteCount,
  clusterId,
  count,
  hostId,
  instanceArn,
  instanceId,
  ipAddress,
  isoTime,
  runId,
  sha256,
  tableId,
} from './identifiers.ts';
import { backupLink } from './manifests.ts';
import { schemaStatement } from './ring.ts';
import { runStatus } from './runs.ts';
import { backupScope, selection } from './selection.ts';

/** An item of a host list (`plans/<cluster>/<run>/<name>.json`, a JSON array): what a Distributed Map hands out. */
export const host = z.strictObject({
  instanceId,
  instanceArn,
  /** From the plan on. */
  hostId: hostId.optional(),
});
export type Host = z.infer<typeof host>;
export const hostList = z.array(host);

const planBase = {
  formatVersion: z.literal(FORMAT_VERSION),
  runId,
  clusterId,
};

export const backupPlan = z.strictObject({
  ...planBase,
  workflow: z.literal('backup'),
  backupId,
  /** What is taken: an incremental that was asked for becomes a snapshot where there is a gap. */
  kind: backupKind,
  /** Of an incremental. */
  base: backupLink.optional(),
  previous: backupLink.optional(),
  /** Why none can be taken, as far as the vault and the history know. */
  gaps: z.array(z.string()),
  /** Counts the attempts at a snapshot, from 1; in phases and snapshot tags. */
  round: z.int().positive(),
  snapshotTag: z.string(),
  clusterName: z.string(),
  schemaVersion: z.uuid(),
  ringDigest: sha256,
  /** Whose describe result holds the ring and schema that all nodes agree on. */
  describedBy: z.strictObject({ instanceArn, actionId }),
  scope: backupScope,
  selection,
  tables: z.array(tableRef),
  leftOut: z.strictObject({
    /** Ring members that are not backed up, and whose state does not matter. */
    nodes: z.array(z.strictObject({ hostId, address: z.string() })),
    tables: count,
  }),
  nodes: z.array(
    z.strictObject({
      instanceId,
      instanceArn,
      hostId,
      datacenter: z.string(),
      rack: z.string(),
      cassandraVersion: z.string(),
      /** This host's part of the newest backup and of those that it goes on from: their objects are stored already. */
      previous: z.array(backupSource),
    }),
  ),
  warnings: z.array(z.string()),
});
export type BackupPlan = z.infer<typeof backupPlan>;

/** Of a node that comes back under a new host ID: the address of the dead one, whose tokens it takes at its first start. */
const replaces = ipAddress.optional();

export const restorePlan = z.strictObject({
  ...planBase,
  workflow: z.literal('restore'),
  operation: z.enum(['restore', 'undo', 'release']),
  dryRun: z.boolean(),
  /** Whether the run ends there, with nothing changed. */
  stopAfterDownload: z.boolean(),
  /** The backup that is restored, or that the undone or released restore restored. */
  backupId,
  /** Whose it is. */
  sourceCluster: clusterId,
  /** Where it lies, if not in the vault of the run. */
  sourceVault: z.strictObject({ name: vaultName, ...vaultPlace.shape }).optional(),
  snapshotAt: isoTime,
  /** The restore that is undone or released; for a restore its own run. */
  restoreRunId: runId,
  selection,
  /** That are restored: of users; where a dead node is brought back, also its own. */
  tables: z.array(tableRef),
  /** Whether tables or nodes stay as they are, which must not lose a write. */
  settlesWrites: z.boolean(),
  online: z.boolean(),
  /** Where an online restore is by Cassandra's bulk loader: the nodes, or the names, are not those of the backup. */
  load: z
    .strictObject({
      tables: z.array(loadedTable),
      /** Of what they go to: `keyspace.table` → its ID. */
      targets: z.record(z.string(), tableId),
      /** Of the nodes that own the rows when it is planned. */
      ringDigest: sha256,
      /** Each node's part of the backup, and the host that streams it; `nodes` are these hosts. */
      shares: z.array(z.strictObject({ instanceArn, sources: z.array(backupSource).min(1) })),
      /** Indexes that are made once all is loaded: Cassandra refuses whole SSTables that lack them. */
      indexes: z.array(schemaStatement),
    })
    .optional(),
  onlyBackedUpDatacenters: z.boolean(),
  /** Of a node that is brought back on a host that has none. */
  deadNode: z
    .strictObject({
      /** Hosts of the nodes that are up: the schema is theirs. */
      others: hostList.min(1),
      /** What each of these reads. The new host does not tell before its first start. */
      readableFormats: z.array(z.string()),
      clusterName: z.string(),
      replaces,
    })
    .optional(),
  /**
   * Of some nodes alone: from then on their replicas may have forgotten deletions that are younger than the data. Neither placed nor
   * repaired later.
   */
  notAfter: isoTime.optional(),
  /** Where the restored nodes are repaired at the end. */
  repair: z
    .strictObject({
      /** Whether each repairs its primary ranges alone, because all are repaired. */
      primaryRange: z.boolean(),
    })
    .optional(),
  /** In an order that can be applied one by one. */
  statements: z.array(schemaStatement),
  mayFailToDrain: z.boolean(),
  nodes: z.array(
    z.strictObject({
      instanceId,
      instanceArn,
      hostId,
      isSeed: z.boolean(),
      cassandra: z.enum(['up', 'down']),
      /** The base first. Of a load the first of the host's shares. */
      sources: z.array(backupSource).min(1),
      bytes: byteCount,
    }),
  ),
  warnings: z.array(z.string()),
});
export type RestorePlan = z.infer<typeof restorePlan>;

/** Node-local tables whose rows would contradict restored data: old Paxos ballots and batches not yet replayed. */
export const EMPTIED_BY_RESTORE = [
  { keyspace: 'system', table: 'paxos' },
  { keyspace: 'system', table: 'paxos_repair_history' },
  { keyspace: 'system', table: 'batches' },
] as const;

/** How a Recover run brings its subject to an end. */
export const recoveryPlan = z.strictObject({
  ...planBase,
  workflow: z.literal('recover'),
  subjectRunId: runId,
  /** What the subject's history will say. */
  status: runStatus,
  direction: z.enum(['none', 'back', 'forward']),
  /** Whose swap is settled, where the subject is a restore or an undo. */
  restoreRunId: runId.optional(),
  /** Nodes of the subject's plan; empty where it had none yet, or where nothing is to be settled or started. */
  nodes: hostList,
  replaces,
  /** Of a release: hosts that have deleted what they kept, or were asked to and did not answer since. */
  releasedHosts: z.array(instanceId),
  warnings: z.array(z.string()),
});
export type RecoveryPlan = z.infer<typeof recoveryPlan>;

// Actions: everything that is done on a host, with what each is given and what each answers. Used by StartAction
// (which writes the action document), by the host program (which carries it out) and by the steps that read results.
import { z } from 'zod';
import { clusterConfiguration, vaultPlace } from './configuration.ts';
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
  kmsKeyArn,
  runId,
  sha256,
  tableId,
} from './identifiers.ts';
import { snapshotTimes } from './manifests.ts';
import { schemaStatement } from './ring.ts';
import { backupScope } from './selection.ts';

/** A table as it is matched to data: by ID; the names are for directories and for people. */
export const tableRef = z.strictObject({ keyspace: z.string(), table: z.string(), tableId });
export type TableRef = z.infer<typeof tableRef>;

/** A table of the backup, and the table of now that takes its rows. */
export const loadedTable = z.strictObject({
  ...tableRef.shape,
  as: z.strictObject({ keyspace: z.string(), table: z.string() }),
});
export type LoadedTable = z.infer<typeof loadedTable>;

/** One node's part of a backup, pinned by hashes. */
export const backupSource = z.strictObject({
  /** Where it lies, if not in the vault of the run. */
  vault: vaultPlace.optional(),
  /** Whose backup it is. */
  clusterId,
  backupId,
  /** Of the host that took it: names its manifest. */
  instanceArn,
  headerSha256: sha256,
  listingSha256: sha256,
});
export type BackupSource = z.infer<typeof backupSource>;

/** A node's part of a chain of backups, the base first; of any other backup one. */
const sources = z.array(backupSource).min(1);

/** What a node says of itself; `hostId` of a node that is down comes from the host's memory, if it has one. */
const description = z.strictObject({
  instanceId,
  cassandra: z.enum(['up', 'down']),
  /** Why it counts as down. */
  downReason: z.string().optional(),
  hostId: hostId.optional(),
  clusterName: z.string().optional(),
  datacenter: z.string().optional(),
  rack: z.string().optional(),
  address: z.string().optional(),
  cassandraVersion: z.string().optional(),
  /** What the node reads: e.g. ["nb"] or ["nb", "oa"]. */
  readableFormats: z.array(z.string()).optional(),
  schemaVersion: z.uuid().optional(),
  /** SHA-256 of the canonical JSON of the node's ring view, which lies under its `.ring.json` result key. */
  ringDigest: sha256.optional(),
  /** Ring members that this node does not see as Up/Normal, as `address (state)`. */
  notUpNormal: z.array(z.string()).optional(),
  /** Table ID → when it was last truncated, as far as the node keeps that. */
  truncatedAt: z.record(tableId, isoTime).optional(),
  /** Whether the node is one of the seeds of its own configuration. */
  isSeed: z.boolean().optional(),
  dataDirectories: z.array(z.strictObject({ path: z.string(), freeBytes: byteCount, totalBytes: byteCount })),
  /** The guard file names the cluster. */
  restoreAllowed: z.boolean(),
  warnings: z.array(z.string()),
});
export type Description = z.infer<typeof description>;

/** Of a host that has no node yet, and gets one with its identity. */
const newHost = z
  .strictObject({
    /** The address of the dead node whose place it takes, under a host ID of its own. */
    replaces: ipAddress.optional(),
    /** What Cassandra reads on the other hosts: this one cannot be asked. */
    readableFormats: z.array(z.string()),
    /** As its cassandra.yaml must have it. */
    clusterName: z.string(),
  })
  .optional();

const nothing = z.strictObject({});
const swap = z.enum(['none', 'partly-placed', 'placed', 'partly-put-back', 'put-back', 'released']);
export type SwapState = z.infer<typeof swap>;

/**
 * name → what the action document's `input` holds, and what the host answers (as the token's output and, the same,
 * under the result key).
 */
export const actions = {
  /** Run by the prepare document, which installs the bundle first. */
  prepare: {
    input: z.strictObject({ architecture: z.enum(['x64', 'arm64']) }),
    output: z.strictObject({ architecture: z.string(), nodeVersion: z.string(), glibcVersion: z.string() }),
  },
  /** Also writes the `.ring.json` (ringView) and `.schema.json` (schemaView) results of a node that is up. */
  describe: { input: nothing, output: description },
  flush: { input: nothing, output: z.strictObject({ durationMs: count }) },
  /** Waits until `at`, snapshots the keyspaces and those of Cassandra that are backed up, then looks at ring and schema again. */
  snapshot: {
    input: z.strictObject({
      tag: z.string(),
      at: isoTime,
      /** Of the users; one that is gone by then is passed over. All without it. */
      keyspaces: z.array(z.string()).optional(),
      /** The end of the applications' pause: a snapshot would show what they write after it. */
      notAfter: isoTime.optional(),
    }),
    output: z.strictObject({
      tag: z.string(),
      times: snapshotTimes,
      late: z.boolean(),
      ringDigest: sha256,
      schemaVersion: z.uuid(),
      notUpNormal: z.array(z.string()),
      /** Whether Cassandra's incremental backups were on. */
      incrementalBackups: z.boolean(),
    }),
  },
  /**
   * Turns Cassandra's incremental backups on where they are off; else takes what lies under backups/ since the backup before,
   * unless there is a gap; then looks at ring and schema again.
   */
  'collect-increments': {
    input: z.strictObject({
      hostId,
      tables: z.array(tableRef),
      /** Both sealed. Without them nothing is taken. */
      baseId: backupId.optional(),
      previousId: backupId.optional(),
    }),
    output: z.strictObject({
      times: snapshotTimes,
      ringDigest: sha256,
      schemaVersion: z.uuid(),
      notUpNormal: z.array(z.string()),
      turnedOn: z.boolean(),
      gaps: z.array(z.string()),
      /** SSTables that the backup will hold; and that are not whole yet, and left to the next. */
      sstables: count,
      unfinished: count,
    }),
  },
  /** Uploads what the snapshot holds, or what was collected; writes listing, then header. */
  upload: {
    input: z.strictObject({
      backupId,
      kind: backupKind,
      hostId,
      datacenter: z.string(),
      rack: z.string(),
      cassandraVersion: z.string(),
      schemaVersion: z.uuid(),
      incrementalBackups: z.boolean(),
      tag: z.string(),
      times: snapshotTimes,
      /** User tables that the snapshot must hold; what it holds of others is not uploaded. */
      tables: z.array(tableRef),
      /** Of a part the node has other files, whose hashes are kept in mind. */
      scope: backupScope,
      damagedFiles: z.enum(['refuse', 'store']),
      /** KMS keys: with which S3 encrypts what is put, and which wraps the key that the host encrypts objects with. */
      encryption: z.strictObject({
        serverSideKeyArn: kmsKeyArn.optional(),
        clientSideKeyArn: kmsKeyArn.optional(),
      }),
      /** This host's part of backups that were sealed when the run claimed: their objects are stored already. */
      previous: z.array(backupSource),
    }),
    output: z.strictObject({
      headerSha256: sha256,
      listingSha256: sha256,
      files: count,
      bytes: byteCount,
      /** Of which system keyspaces. */
      systemBytes: byteCount,
      uploadedFiles: count,
      uploadedBytes: byteCount,
      systemUploadedBytes: byteCount,
      /** Objects found under their name with other bytes, and stored beside. */
      tampered: z.array(z.string()),
      /** SSTables' objects with a file that has rotted on the disk; and what is wrong with the first of them, and was done. */
      rottenFiles: count,
      rotten: z.array(z.string()),
    }),
  },
  'clear-snapshot': {
    input: z.strictObject({ tags: z.array(z.string()) }),
    output: z.strictObject({ cleared: z.array(z.string()) }),
  },
  /** Deletes what was collected and what the sealed backup holds, file by file. */
  'release-increments': {
    input: z.strictObject({ source: backupSource }),
    output: z.strictObject({ released: count, kept: count }),
  },
  /** Guard file, space, formats: whatever refuses a restore on this host, before anything is changed. */
  'check-restore': {
    input: z.strictObject({ sources, tables: z.array(tableRef), newHost }),
    output: z.strictObject({ requiredBytes: byteCount, freeBytes: byteCount }),
  },
  /** On one node, while the cluster serves: makes what the restore needs and the cluster does not have, with its ID. */
  'apply-schema': {
    input: z.strictObject({ statements: z.array(schemaStatement) }),
    output: z.strictObject({ applied: count }),
  },
  /** Into the staging directory of the run, verified, while Cassandra serves. */
  download: {
    input: z.strictObject({
      sources,
      tables: z.array(tableRef),
      /** Whether it stays for the next restore of the same, because this run ends here. */
      forLater: z.literal(true).optional(),
    }),
    output: z.strictObject({ files: count, bytes: byteCount, downloadedBytes: byteCount }),
  },
  /** No client writes by this node any more; it goes on serving the others. `start` lets them in again. */
  'stop-clients': { input: nothing, output: z.strictObject({ stoppedAt: isoTime }) },
  /** After all nodes have stopped their clients: until batches are replayed and hints delivered. */
  'settle-writes': { input: nothing, output: z.strictObject({ durationMs: count }) },
  /** Drains, then stops. */
  stop: {
    input: z.strictObject({
      mayFailToDrain: z.boolean(),
      /** Tables that stay as they are need the hints: none may be left. */
      mayLeaveHints: z.boolean(),
    }),
    output: z.strictObject({ drained: z.boolean() }),
  },
  /** Cassandra takes staged data in beside what it has, while it serves. */
  import: {
    input: z.strictObject({ sources, tables: z.array(tableRef) }),
    output: z.strictObject({ tables: count, files: count, bytes: byteCount }),
  },
  /** Guard file, whether the host can read what it is to stream, and whether Cassandra's bulk loader starts: before anything is changed. */
  'check-loader': { input: z.strictObject({ chains: z.array(sources).min(1) }), output: nothing },
  /** Streams nodes' parts of a backup to whichever nodes the rows belong to now, while these serve, SSTables by SSTables. */
  load: {
    input: z.strictObject({ chains: z.array(sources).min(1), tables: z.array(loadedTable) }),
    output: z.strictObject({ tables: count, sstables: count, files: count, bytes: byteCount }),
  },
  /** Swaps staged data in, journalled. Cassandra must be stopped. */
  place: {
    input: z.strictObject({
      sources,
      tables: z.array(tableRef),
      /** Tables of the node itself whose data contradicts the restored (paxos, batches): swapped for nothing. */
      emptied: z.array(z.strictObject({ keyspace: z.string(), table: z.string() })),
      newHost,
    }),
    output: z.strictObject({ tables: count, files: count, bytes: byteCount }),
  },
  /** Guard file, and whether what `put-back` needs is there: before anything is stopped. */
  'check-undo': { input: z.strictObject({ restoreRunId: runId }), output: nothing },
  /** The inverse of `place`; what it takes out of the live directories is kept aside. */
  'put-back': {
    input: z.strictObject({ restoreRunId: runId }),
    output: z.strictObject({ tables: count }),
  },
  /** Starts Cassandra if it is down, waits until it serves CQL and sees itself Up/Normal. */
  start: {
    input: z.strictObject({
      /** The node has no schema of its own: until it has that of the others. */
      awaitsSchema: z.boolean(),
      /** The address of the dead node whose place this one takes, under a host ID of its own. */
      replaces: ipAddress.optional(),
    }),
    output: z.strictObject({ hostId, durationMs: count }),
  },
  /** Compares what the node has with its replicas, in full, and makes them equal. */
  repair: {
    input: z.strictObject({
      /** All that are replicated where there are none; of one, all tables where none are named. */
      keyspaces: z.array(z.strictObject({ keyspace: z.string(), tables: z.array(z.string()) })),
      primaryRange: z.boolean(),
    }),
    output: z.strictObject({ durationMs: count }),
  },
  /** Deletes what a restore, or its undo, kept aside. */
  'release-old': {
    input: z.strictObject({ restoreRunId: runId }),
    output: z.strictObject({ freedBytes: byteCount }),
  },
  /** Ends a run on this host: marks it ended, ends its host programs, clears its snapshots, says how its swap stands. */
  'end-run': {
    input: z.strictObject({ endedRunId: runId, tags: z.array(z.string()), restoreRunId: runId.optional() }),
    output: z.strictObject({ swap, cassandra: z.enum(['up', 'down']), cleared: z.array(z.string()) }),
  },
  /** Stops Cassandra if the swap is not whole, and brings it to the end that the whole cluster is brought to. */
  settle: {
    input: z.strictObject({
      restoreRunId: runId,
      direction: z.enum(['back', 'forward']),
      /** Whether what a way back takes out of the live directories is kept until release, as after any undo. */
      keeps: z.boolean(),
    }),
    output: z.strictObject({ swap }),
  },
} as const;
export type ActionName = keyof typeof actions;
export const actionName = z.enum(Object.keys(actions) as [ActionName, ...ActionName[]]);
export type ActionInput<Name extends ActionName> = z.infer<(typeof actions)[Name]['input']>;
export type ActionOutput<Name extends ActionName> = z.infer<(typeof actions)[Name]['output']>;

/** `actions/<instanceArn>/<actionId>.json`. A retry overwrites it with a new token and later times, nothing else. */
export const actionDocument = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  clusterId,
  runId,
  actionId,
  action: actionName,
  /** "snapshot-2" of the run: names progress and logs. */
  phase: z.string(),
  /** Counts the documents written for this action ID, from 1: a program that polls takes only a later one. */
  attempt: z.int().positive(),
  taskToken: z.string().min(1).max(2048),
  heartbeatSeconds: z.int().positive(),
  /** The workflow gives up at this time. */
  deadline: isoTime,
  /** A program whose token became invalid goes on until then, looking for a later attempt's document. */
  graceUntil: isoTime,
  cassandra: clusterConfiguration.shape.cassandra,
  compression: clusterConfiguration.shape.compression,
  limits: clusterConfiguration.shape.limits,
  /** Checked by `actions[action].input`. */
  input: z.record(z.string(), z.unknown()),
});
export type ActionDocument = z.infer<typeof actionDocument>;

// A run: its reference in a workflow's data, its statuses, and the immutable record in the vault.
import { z } from 'zod';
import { FORMAT_VERSION } from './documents.ts';
import {
  backupId,
  backupKind,
  byteCount,
  clusterId,
  count,
  executionArn,
  hostId,
  instanceId,
  isoTime,
  runId,
} from './identifiers.ts';
import { selection } from './selection.ts';

export const workflowName = z.enum(['backup', 'restore', 'register', 'recover']);
export type WorkflowName = z.infer<typeof workflowName>;
/** What people and schedules start; Recover follows them. */
export const askedWorkflow = workflowName.exclude(['recover']);
export type AskedWorkflow = z.infer<typeof askedWorkflow>;

/** INITIALIZED: a scheduled run that waits for its cluster. */
export const runStatus = z.enum(['INITIALIZED', 'STARTED', 'COMPLETED', 'FAILED', 'CANCELLED']);
export type RunStatus = z.infer<typeof runStatus>;
/** A dry run that returned its plan is COMPLETED, with `dryRun` in its request. */
export const ENDED_STATUSES: readonly RunStatus[] = ['COMPLETED', 'FAILED', 'CANCELLED'];

/** Instead of a run ID: nobody ran a scheduled time, and that was reported. */
export const MISSED = 'missed';

/** Travels through a workflow's states. */
export const runRef = z.strictObject({
  runId,
  clusterId,
  workflow: workflowName,
  executionArn,
  startedAt: isoTime,
  /** Of the cluster's lock; every write of the run carries it. */
  fence: z.int().positive(),
  /** S3 key of the configuration that the run works by. */
  configurationKey: z.string(),
});
export type RunRef = z.infer<typeof runRef>;

export const toldError = z.strictObject({ errorName: z.string(), message: z.string(), hint: z.string() });
export type ToldErrorRecord = z.infer<typeof toldError>;

/** The phase of a node that was found, and of which nothing was asked yet. */
export const BEFORE_PHASES = 'discover';

/** What became of one node in a run. */
export const nodeOutcome = z.strictObject({
  instanceId,
  hostId: hostId.optional(),
  /** INITIALIZED: it was found, and nothing was asked of it yet. */
  status: runStatus,
  /** The phase reached last, e.g. "upload". */
  phase: z.string(),
  /** When the first action was asked of it. */
  startedAt: isoTime.optional(),
  endedAt: isoTime.optional(),
  files: count.optional(),
  bytes: byteCount.optional(),
  /** Sent to S3 by this run; the rest was stored already. */
  uploadedBytes: byteCount.optional(),
  error: toldError.optional(),
});
export type NodeOutcome = z.infer<typeof nodeOutcome>;

export const runRecord = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  runId,
  clusterId,
  workflow: workflowName,
  /** Of a backup: what was asked for; once it is sealed, what it is. */
  kind: backupKind.optional(),
  executionArn,
  status: runStatus,
  startedAt: isoTime,
  endedAt: isoTime.optional(),
  /** The workflow's own input, validated. */
  request: z.record(z.string(), z.unknown()),
  /** Of a backup: its own ID once sealed. Of a restore: what was restored. */
  backupId: backupId.optional(),
  /** Of a sealed incremental: the backup that its chain begins with. */
  baseBackupId: backupId.optional(),
  /** Of a recover run: the run that it brought to an end. */
  recoveredRunId: runId.optional(),
  /** Of an undo or a release: the restore it is about. */
  restoreRunId: runId.optional(),
  /**
   * Of a restore: what is kept aside on its hosts. possible: the data from before it. undone: what it had placed, and what was
   * written since, until it was undone. released: nothing any more.
   */
  undo: z.enum(['possible', 'undone', 'released']).optional(),
  files: count.optional(),
  bytes: byteCount.optional(),
  uploadedBytes: byteCount.optional(),
  snapshotSpreadMs: z.int().nonnegative().optional(),
  /** Of a backup: what was chosen, and what it therefore lacks. */
  selection: selection.optional(),
  /** Of a restore: the cluster whose backup it was, where that is another. */
  sourceCluster: clusterId.optional(),
  /** Of a restore: the name of the vault where it is, if not in the deployment's own. */
  sourceVault: z.string().optional(),
  leftOut: z.strictObject({ nodes: count, tables: count }).optional(),
  /** Of a consistent backup: applications that stood still, and for how long at most. */
  pause: z.strictObject({ applications: count, longestMs: count }).optional(),
  error: toldError.optional(),
  /** The workflow's state that failed. */
  failedStep: z.string().optional(),
  warnings: z.array(z.string()),
  /** Of a registration, and of a backup of a registered cluster: what was found to be different, in words. */
  changes: z.array(z.string()).optional(),
  /** Sorted by instance ID. In the catalog they are items of their own. */
  nodes: z.array(nodeOutcome),
});
export type RunRecord = z.infer<typeof runRecord>;

/** What the host program writes to its progress key. */
export const progress = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  runId,
  phase: z.string(),
  state: z.enum(['running', 'waiting', 'succeeded', 'failed']),
  filesDone: count,
  filesTotal: count.optional(),
  bytesDone: byteCount,
  bytesTotal: byteCount.optional(),
  /** Of `bytesDone` what was there already. */
  bytesSkipped: byteCount,
  /** Bytes that were read to know their hash. */
  bytesHashed: byteCount,
  /** Bytes that went over the network. */
  bytesTransferred: byteCount,
  /** Attempts at a request that failed and were made again. */
  requestsRetried: count,
  /** Skipped or transferred, in the last quarter of a minute. */
  bytesPerSecond: byteCount.optional(),
  /** At that rate. */
  secondsLeft: count.optional(),
  updatedAt: isoTime,
  error: toldError.optional(),
});
export type Progress = z.infer<typeof progress>;

/** Of a restore: whether anything is kept on its hosts that could be put back, or deleted. */
export function isKeptFor(operation: 'undo' | 'release', { undo }: Pick<RunRecord, 'undo'>): boolean {
  return undo === 'possible' || (operation === 'release' && undo === 'undone');
}

// What Lambdas, host program and CLI need of the world outside. Each port has an AWS adapter and an in-memory twin in
// this folder, and one test suite that both must pass.
import type { Readable } from 'node:stream';
import type { BackupKind, InstanceTag } from '../contracts/identifiers.ts';
import type { Application, ApplicationAnswer, ApplicationsRequest } from '../contracts/pause.ts';
import type { RegisteredSummary, RegistrationSummary } from '../contracts/registrations.ts';
import type {
  NodeOutcome,
  RunRecord,
  RunRef,
  RunStatus,
  ToldErrorRecord,
  WorkflowName,
} from '../contracts/runs.ts';

/** Time, sleep and randomness are ports so that a run can be replayed. */
export interface Clock {
  now(): Date;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}
export interface Random {
  /** At least 0, below 1. */
  next(): number;
}

export interface StoredObject {
  body: Buffer;
  /** The server's Date header: the vault's clock. */
  servedAt: Date;
}
export interface ObjectAttributes {
  sizeBytes: number;
  /** Hex, where S3 holds one for the whole object. */
  sha256?: string;
  /** Likewise. */
  crc32?: number;
}

/** A multipart upload that may outlive who began it. */
export interface UnfinishedUpload {
  id(): string | undefined;
  begun(id: string): Promise<void>;
  /** It will never be completed. */
  ended(): Promise<void>;
}

/** Holds what is sent to a rate. */
export interface SendingPace {
  /** Whether bytes have to wait now. */
  isLimited(): boolean;
  /** Waited for before so many bytes are sent. */
  take(bytes: number): Promise<void>;
}

/** Bytes that were hashed, on their way into the vault. */
export interface NewObject {
  key: string;
  /** In memory; or the path of a file, of which the first `sizeBytes` are sent. */
  body: Uint8Array | string;
  sizeBytes: number;
  sha256: string;
  crc32: number;
  /** Several: it is sent in parts of `partBytes`, the last one smaller. */
  partCrc32: number[];
  partBytes: number;
  /** Each part is sent when this lets it. */
  slot<Value>(send: () => Promise<Value>): Promise<Value>;
  /** Remembers the multipart upload, so that a later attempt goes on with its parts. */
  upload: UnfinishedUpload;
  /** Ends what is under way. */
  signal?: AbortSignal;
  /** Asked again and again, so that a limit that is set meanwhile holds what is under way. */
  pace?: SendingPace;
  onBytes?(bytes: number): void;
}

/** Bytes whose number and checksum are known only when they have been made: compressed or encrypted ones. */
export interface NewStream extends Omit<NewObject, 'body' | 'sizeBytes' | 'sha256' | 'crc32' | 'partCrc32'> {
  /** Makes them, anew for each attempt; what it throws ends the upload. */
  body(): AsyncIterable<Buffer>;
  /** Where a part lies until it is sent, one of two in turn: memory of `partBytes`, or files, which are made. */
  parts: readonly [Buffer, Buffer] | readonly [string, string];
}

/** What becomes of an object's bytes. */
export interface Receiver {
  /** At least one byte, from `start` to before `end`; fewer come where the object is shorter. */
  range?: ByteRange | undefined;
  signal?: AbortSignal;
  /** Called before the first byte with the number of all. What it throws ends it. */
  begin?(sizeBytes: number): void;
  /** The bytes are others once it has returned. A promise says when more may come; what it throws ends it. */
  take(bytes: Buffer): void | Promise<void>;
}

export interface ByteRange {
  start: number;
  end: number;
}

/** `throttled`: the store asks to slow down. */
export type FailedAttempt = 'throttled' | 'transient';

/** The vault's objects. @throws VaultUnavailable after all retries, VaultDenied */
export interface ObjectStore {
  /** Whole, for documents; undefined where there is none. */
  get(key: string): Promise<StoredObject | undefined>;
  /** @param range at least one byte, from `start` to before `end`; fewer come where the object is shorter */
  getStream(key: string, range?: ByteRange): Promise<{ body: Readable; sizeBytes: number } | undefined>;
  /** Cheaper than a stream, for bytes that are used as they come. @returns whether there is such an object */
  receive(key: string, receiver: Receiver): Promise<boolean>;
  /** Bytes of a document, its SHA-256 sent along so that S3 checks it. `create`: only if there is none yet. */
  put(key: string, body: Buffer | string, mode: 'create' | 'overwrite'): Promise<'created' | 'exists'>;
  /** Created only if there is none; S3 refuses other bytes than were hashed. @throws FileUnstable */
  putObject(object: NewObject): Promise<'created' | 'exists'>;
  /** As `putObject`, holding two parts of it; what was begun before is not gone on with, but ended. */
  putStream(object: NewStream): Promise<'created' | 'exists'>;
  /** Calls the listener for each attempt at a request that failed and may be made again. */
  onFailedAttempt(listener: (why: FailedAttempt) => void): void;
  attributes(key: string): Promise<ObjectAttributes | undefined>;
  /** The same store, whose puts S3 encrypts with a KMS key. What it does not say that it encrypted so is a failure. */
  encryptedWith(kmsKeyArn: string): ObjectStore;
  /** Keys and, with a delimiter, common prefixes, in order. Hosts may not list. */
  list(prefix: string, options?: { delimiter?: '/'; startAfter?: string }): AsyncIterable<string>;
}

/** What a host encrypts with: in the clear, never stored; and as KMS wrapped it, which only KMS can undo. */
export interface UnwrappedKey {
  plaintext: Buffer;
  /** ARN of the KMS key that wrapped it. */
  kmsKeyArn: string;
}
export interface DataKey extends UnwrappedKey {
  wrapped: Buffer;
}
/** KMS, for the data keys of one cluster. @throws EncryptionKeyDenied AwsUnavailable AwsCallFailed */
export interface DataKeys {
  generate(kmsKeyArn: string): Promise<DataKey>;
  /** Undefined where these bytes are no data key of this cluster. */
  unwrap(wrapped: Buffer): Promise<UnwrappedKey | undefined>;
}

/** @throws RunEnded where the token is no longer valid is not an error here: the answer says so. */
export interface TaskCallback {
  heartbeat(token: string): Promise<'accepted' | 'invalid-token'>;
  succeed(token: string, output: unknown): Promise<'accepted' | 'invalid-token'>;
  fail(token: string, error: ToldErrorRecord): Promise<'accepted' | 'invalid-token'>;
}

export interface SecretReader {
  /** The secret's JSON object. */
  read(secretArn: string): Promise<{ username: string; password: string }>;
}

export interface ManagedHost {
  instanceId: string;
  online: boolean;
  /** SSM's own words, for messages: ConnectionLost, Inactive. */
  pingStatus: string;
  /** As the agent tells it. */
  computerName?: string;
}

/** Commands of these statuses never ran on the host. */
export const NOT_DELIVERED = [
  'Undeliverable',
  'DeliveryTimedOut',
  'Delivery Timed Out',
  'AccessDenied',
  'Access Denied',
];

export interface HostCommands {
  listHosts(tag: InstanceTag): Promise<ManagedHost[]>;
  /** Parameters show in consoles: identifiers only. */
  send(command: {
    instanceId: string;
    document: 'action' | 'prepare-x64' | 'prepare-arm64' | 'applications';
    parameters: Record<string, string>;
    comment: string;
    /** A host that the agent does not answer on within it never gets the command. At least 30; 60 by default. */
    deliverWithinSeconds?: number;
  }): Promise<{ commandId: string }>;
  /** What became of a command on a host; undefined where SSM does not know it (yet). */
  outcome(commandId: string, instanceId: string): Promise<CommandOutcome | undefined>;
  /** What waits is not run, what runs is ended, as far as SSM gets that far in time. No error where it has ended. */
  cancel(commandId: string, instanceId: string): Promise<void>;
}

export interface CommandOutcome {
  /** SSM's own words, as `detail`. */
  status: string;
  detail: string;
  stderr: string;
  /** Of the script; -1 where there is none (yet). */
  exitCode?: number;
}

export interface ExecutionStatus {
  /** RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, PENDING_REDRIVE. */
  status: string;
  startedAt: Date;
  /** Of one that succeeded, parsed: what a person waits for (the plan of a dry run). */
  output?: unknown;
  /** Of one that did not: Step Functions' `error` and `cause`, as they are. */
  error?: string;
  cause?: string;
}

export interface Executions {
  /** Undefined: no such execution (any more). */
  status(executionArn: string): Promise<ExecutionStatus | undefined>;
  start(workflow: WorkflowName, input: unknown, name?: string): Promise<{ executionArn: string }>;
  stop(executionArn: string, reason: { errorName: string; message: string }): Promise<void>;
}

/** What the deployed stack says of itself: its outputs, as named in docs/architecture.md. */
export interface StackOutputs {
  vaultBucket: string;
  vaultPrefix: string;
  catalogTable: string;
  topicArn: string;
  backupArn: string;
  restoreArn: string;
  registerArn: string;
  recoverArn: string;
}
/** For the CLI, which knows a stack's name and nothing else. */
export interface Stacks {
  /** @throws UnknownStack */
  outputs(stackName: string): Promise<StackOutputs>;
}

/** The applications of a cluster, as its pause hook reaches them. @throws ApplicationsUnknown InvalidConfiguration */
export interface Applications {
  ask(
    clusterId: string,
    request: ApplicationsRequest,
  ): Promise<{ found: Application[]; away: Application[]; answers: ApplicationAnswer[] }>;
}

/** Something that resumes applications at a moment, to the minute, unless it is cleared before. */
export interface PauseSwitch {
  /** Once for each name. */
  set(armed: { name: string; at: Date; input: unknown }): Promise<void>;
  clear(name: string): Promise<void>;
}

export interface Notifier {
  publish(message: {
    subject: string;
    text: string;
    attributes: { clusterId: string; workflow: string; status: string };
  }): Promise<{ messageId: string }>;
}

/** The cluster's lock. `subjectRunId` is the run to be recovered if the holder dies: its own, or what it recovers. */
export interface Lock {
  clusterId: string;
  runId: string;
  workflow: WorkflowName;
  executionArn: string;
  subjectRunId: string;
  fence: number;
  leaseUntil: string;
}

export type NodeItem = NodeOutcome & { commandId?: string; attempt?: number; updatedAt: string };

export interface RunFilter {
  workflow?: WorkflowName;
  kind?: BackupKind;
  status?: RunStatus;
  /** The run that took this backup, or tried to, and those that restored it. */
  backupId?: string;
  /** Instance ID or host ID. */
  node?: string;
  /** Started then or later, to the second. */
  since?: string;
  limit?: number;
}

/** How far the sweep has looked at a schedule's times. */
export interface ScheduleWatch {
  /** As it was deployed: another one is watched from anew. */
  definition: string;
  checkedUntil: string;
}

/** History and lock. Every write of a run is conditional on its fence. @throws LockLost where it is not the holder */
export interface Catalog {
  readLock(clusterId: string): Promise<Lock | undefined>;
  /** Takes a free lock, or one that this execution holds. `held`: who has it. Also remembers which run an execution is. */
  claim(
    claim: Omit<Lock, 'fence'>,
  ): Promise<{ outcome: 'claimed'; fence: number } | { outcome: 'held'; lock: Lock }>;
  /** Takes over exactly the lock that was read. */
  takeOver(
    seen: Lock,
    claim: Omit<Lock, 'fence'>,
  ): Promise<{ outcome: 'claimed'; fence: number } | { outcome: 'lost' }>;
  release(run: RunRef): Promise<boolean>;
  /** Once per cluster, schedule and time; the same run may ask again. `runId` may be `MISSED`. */
  claimSchedule(
    clusterId: string,
    schedule: string,
    scheduledTime: string,
    runId: string,
  ): Promise<{ firstRunId: string }>;
  /** Whether a scheduled time was given to a run, or reported as missed. */
  isScheduleClaimed(clusterId: string, schedule: string, scheduledTime: string): Promise<boolean>;
  /** The newest time that was. */
  newestSchedule(clusterId: string, schedule: string): Promise<string | undefined>;
  readWatch(clusterId: string, schedule: string): Promise<ScheduleWatch | undefined>;
  putWatch(clusterId: string, schedule: string, watch: ScheduleWatch): Promise<void>;
  /** A run that has no lock yet; never over one that has begun or ended. Also remembers which run its execution is. */
  putWaitingRun(record: RunRecord): Promise<void>;
  /** What a cluster is registered as; undefined where it is not. */
  readRegistration(clusterId: string): Promise<RegisteredSummary | undefined>;
  /** Never over that of a later run. */
  putRegistration(summary: RegistrationSummary): Promise<void>;
  runOfExecution(executionArn: string): Promise<{ clusterId: string; runId: string } | undefined>;
  /**
   * Creates or updates a run's item (`nodes` are items of their own), never over an ended status. `run` is who writes:
   * a Recover run also writes its subject's.
   */
  putRun(run: RunRef, record: RunRecord): Promise<void>;
  /** Item and nodes of an ended run, as its record in the vault says: not fenced, never over an ended status. */
  putEndedRun(record: RunRecord): Promise<void>;
  /** After its end, a run may still be told that it was undone, released, or that a warning came up. */
  amendRun(
    clusterId: string,
    runId: string,
    change: { undo?: RunRecord['undo']; warnings?: string[] },
  ): Promise<void>;
  readRun(clusterId: string, runId: string): Promise<RunRecord | undefined>;
  /** Newest first, without their nodes; where a node is named, with what became of that one. */
  listRuns(clusterId: string, filter?: RunFilter): Promise<RunRecord[]>;
  /**
   * Of a node whose outcome is final only command and attempt are still kept; its first `startedAt` stays, and INITIALIZED is
   * written only where nothing is known of it.
   */
  putNode(run: RunRef, outcome: NodeOutcome & { commandId?: string; attempt?: number }): Promise<void>;
  readNode(runId: string, instanceId: string): Promise<NodeItem | undefined>;
  /** Sorted by instance ID. */
  listNodes(runId: string): Promise<NodeItem[]>;
}

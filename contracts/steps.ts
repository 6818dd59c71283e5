// Steps: the key is the state's name, the Lambda's name, the file's name (kebab-case) and the test's name.
import { z } from 'zod';
import { actionName } from './actions.ts';
import {
  backupId,
  backupKind,
  byteCount,
  clusterId,
  count,
  executionArn,
  isoTime,
  runId,
} from './identifiers.ts';
import { application, applicationAnswer, applicationsRequest } from './pause.ts';
import { host } from './plans.ts';
import { recoverRequest, registerRequest } from './requests.ts';
import { askedWorkflow, MISSED, runRef, runStatus, toldError, workflowName } from './runs.ts';

const execution = z.strictObject({ arn: executionArn, startedAt: z.iso.datetime() });
const s3Key = z.string().min(1).max(1024);
/** S3 key of a host list, or "" where it would be empty: its Map is left out then. */
const listKey = z.string().max(1024);
/** As Step Functions hands it to a Catch. */
const caught = z.looseObject({
  Error: z.string(),
  Cause: z.string().default(''),
  /** Added by the workflow: the state that failed. */
  Step: z.string().optional(),
});

/** The part of a cluster's policy that states of a workflow need as numbers. */
export const runPolicy = z.strictObject({
  heartbeatSeconds: z.int().positive(),
  actionTimeoutSeconds: z.int().positive(),
  hostsAtOnce: z.int().positive(),
  /** Of applications, where the cluster has a hook to pause them. */
  maxPauseSeconds: z.int().positive().optional(),
});
export type RunPolicy = z.infer<typeof runPolicy>;

/** The run that a Recover run brings to an end. */
const subject = z.strictObject({ runId, workflow: workflowName, executionArn });

export const steps = {
  /** Takes the cluster's lock; re-entrant by execution ARN. @throws InvalidRequest UnknownCluster ClusterBusy ScheduleMissed RunSuperseded */
  ClaimRun: {
    input: z.strictObject({ workflow: askedWorkflow, request: z.unknown(), execution }),
    output: z.discriminatedUnion('outcome', [
      z.strictObject({
        outcome: z.literal('claimed'),
        run: runRef,
        request: z.record(z.string(), z.unknown()),
        policy: runPolicy,
      }),
      /** The same scheduled time was delivered before. */
      z.strictObject({ outcome: z.literal('already-run'), runId: z.union([runId, z.literal(MISSED)]) }),
      /** A scheduled run whose cluster is held: look again after so long. */
      z.strictObject({ outcome: z.literal('waiting'), seconds: z.int().positive() }),
      /** The lock's holder is not executed any more: Recover ends it first, by its execution ARN. */
      z.strictObject({ outcome: z.literal('stale'), executionArn }),
    ]),
  },
  /** All instances with the cluster's tag that SSM manages → host list. @throws NoHosts HostUnreachable */
  DiscoverHosts: {
    input: z.strictObject({ run: runRef, tolerateUnreachable: z.boolean().default(false) }),
    output: z.strictObject({ hostsKey: s3Key, hostCount: count, unreachable: z.array(z.string()) }),
  },
  /** Writes the action document and sends the command; the host answers the token. */
  StartAction: {
    input: z.strictObject({
      run: runRef,
      host,
      action: actionName,
      phase: z.string(),
      planKey: s3Key.optional(),
      /** What the state adds to the plan: the rendezvous, the run to be ended, the direction. */
      parameters: z.record(z.string(), z.unknown()).default({}),
      policy: runPolicy,
      taskToken: z.string(),
    }),
    output: z.strictObject({ commandId: z.string() }),
  },
  /** A child's last step but one: asks SSM what became of the command where the host did not say, keeps the cause. */
  FailAction: {
    input: z.strictObject({ run: runRef, host, action: actionName, phase: z.string(), error: caught }),
    output: toldError,
  },
  /** @throws NothingSelected HostUnreachable NodeDown UnmanagedNode RingDisagreement SchemaDisagreement InvalidConfiguration (datacenters) */
  PlanBackup: {
    input: z.strictObject({
      run: runRef,
      request: z.record(z.string(), z.unknown()),
      hostsKey: s3Key,
      /** Hosts that DiscoverHosts left out. */
      unreachable: z.array(z.string()).optional(),
      round: z.int().positive(),
    }),
    output: z.strictObject({ planKey: s3Key, nodesKey: s3Key, nodeCount: count, backupId, kind: backupKind }),
  },
  /**
   * Writes who is to be paused, sets the switch that resumes them if nobody else does, pauses all.
   * @throws ApplicationsUnknown PauseFailed PauseExceeded
   */
  PauseApplications: {
    input: z.strictObject({ run: runRef, round: z.int().positive() }),
    output: z.strictObject({ deadline: isoTime, applications: count }),
  },
  /** After the snapshots: whether all stood still, and nobody came. @throws PauseBroken PauseExceeded */
  CheckPaused: {
    input: z.strictObject({ run: runRef }),
    output: z.strictObject({ confirmed: count, warnings: z.array(z.string()) }),
  },
  /**
   * Resumes those that a run paused, whoever asks: the run, Recover, or the switch.
   * @throws ResumeFailed, unless it is tolerated
   */
  ResumeApplications: {
    input: z.strictObject({
      ...{ clusterId, runId, tolerant: z.boolean().default(false) },
      /** Of the switch: nobody asks after it. */
      last: z.boolean().default(false),
    }),
    output: z.strictObject({
      /** superseded: a later run has paused them; it is the one to resume them. */
      outcome: z.enum(['nothing-paused', 'resumed', 'superseded', 'not-resumed']),
      warnings: z.array(z.string()),
    }),
  },
  /** Not a state: called by the three above, one function for each cluster with a hook. @throws ApplicationsUnknown */
  CallApplications: {
    input: applicationsRequest,
    output: z.strictObject({
      /** Of `discover`; nobody is there, if it is empty. */
      found: z.array(application),
      /** Of `discover`: those that are known not to be reachable now. */
      away: z.array(application),
      answers: z.array(applicationAnswer),
    }),
  },
  SetRendezvous: {
    input: z.strictObject({
      run: runRef,
      nodeCount: count,
      /** The end of the applications' pause; "" where nobody is paused. @throws PauseExceeded */
      notAfter: z.union([isoTime, z.literal('')]).optional(),
    }),
    output: z.strictObject({ at: isoTime }),
  },
  /** @throws in round 2: RingChanged SchemaChanged; in any: SnapshotSpreadExceeded */
  CheckSnapshots: {
    input: z.strictObject({ run: runRef, planKey: s3Key, round: z.int().positive() }),
    output: z.discriminatedUnion('outcome', [
      z.strictObject({ outcome: z.literal('consistent'), spreadMs: count }),
      z.strictObject({ outcome: z.literal('retake'), reason: z.string() }),
    ]),
  },
  /** The same of an incremental. Where there is a gap the plan becomes one of a snapshot. @throws RingChanged SchemaChanged IncrementalGap */
  CheckIncrements: {
    input: z.strictObject({ run: runRef, planKey: s3Key, round: z.int().positive() }),
    output: z.discriminatedUnion('outcome', [
      z.strictObject({ outcome: z.literal('consistent'), spreadMs: count }),
      z.strictObject({ outcome: z.literal('retake'), reason: z.string() }),
      z.strictObject({ outcome: z.literal('base-needed'), gaps: z.array(z.string()) }),
    ]),
  },
  /** Checks every node's header, writes ring and schema, then the cluster manifest last. @throws BackupIncomplete */
  SealBackup: {
    input: z.strictObject({ run: runRef, planKey: s3Key, spreadMs: count }),
    output: z.strictObject({ backupId, files: count, bytes: byteCount, uploadedBytes: byteCount }),
  },
  /** @throws UnknownBackup NoBackup NothingToUndo TopologyMismatch SchemaConflict IncompatibleVersion RestoreNotAllowed … */
  PlanRestore: {
    input: z.strictObject({ run: runRef, request: z.record(z.string(), z.unknown()), hostsKey: s3Key }),
    output: z.strictObject({
      operation: z.enum(['restore', 'undo', 'release']),
      dryRun: z.boolean(),
      stopAfterDownload: z.boolean(),
      online: z.boolean(),
      /** By the bulk loader. */
      load: z.boolean(),
      /** A node is brought back on a host that has none. */
      deadNode: z.boolean(),
      planKey: s3Key,
      nodesKey: s3Key,
      /** One node that is up: applies the schema. Empty where there is nothing to apply. */
      schemaNodeKey: listKey,
      /** The same node, where indexes are made after a load. */
      indexNodeKey: listKey,
      /** All nodes where writes are to come to rest before the stop; else empty. */
      quietKey: listKey,
      seedsKey: listKey,
      othersKey: listKey,
      /** Nodes that are repaired at the end. */
      repairKey: listKey,
      /** Where a dead node is brought back: the nodes that are asked once more whether it is dead. */
      witnessesKey: listKey,
      /** What a person wants to read before going on. */
      summary: z.record(z.string(), z.unknown()),
    }),
  },
  /** Right before a dead node is started: the others still see it Down. @throws NodeNotDead NodeDown */
  CheckDead: {
    input: z.strictObject({ run: runRef, planKey: s3Key }),
    output: z.strictObject({}),
  },
  /** Ring, schema and each node's placed totals against the backup. @throws RestoreIncomplete */
  VerifyRestore: {
    input: z.strictObject({ run: runRef, planKey: s3Key }),
    output: z.strictObject({ nodes: count, files: count, bytes: byteCount }),
  },
  /** @throws NodeDown UnmanagedNode RingDisagreement SchemaDisagreement InvalidConfiguration (datacenter) UnknownNode (seed) */
  RegisterCluster: {
    input: z.strictObject({ run: runRef, request: registerRequest, hostsKey: s3Key }),
    output: z.strictObject({ nodes: count, changes: count }),
  },
  /** @throws UnknownRegistration */
  UnregisterCluster: {
    input: z.strictObject({ run: runRef }),
    output: z.strictObject({}),
  },
  /** The immutable record in the vault, then the catalog. Of a Recover run: of its subject, then of itself. */
  RecordRun: {
    input: z.strictObject({
      run: runRef,
      planKey: s3Key.optional(),
      status: runStatus,
      recovered: z.strictObject({ runId, status: runStatus }).optional(),
      warnings: z.array(z.string()).default([]),
    }),
    output: z.strictObject({ status: runStatus }),
  },
  /** A mail that a person understands. Never fails a run: its Catch adds a warning. */
  NotifyRun: {
    input: z.strictObject({
      run: runRef,
      aboutRunId: runId.optional(),
      warnings: z.array(z.string()).default([]),
    }),
    output: z.strictObject({ messageId: z.string() }),
  },
  /** For a start that was refused: there is no run, but people should know. Answers the cause for the Fail state. */
  ReportRefusal: {
    input: z.strictObject({ workflow: workflowName, request: z.unknown(), execution, error: caught }),
    output: toldError,
  },
  /** Keeps warnings in the catalog, then gives the lock back. */
  ReleaseRun: {
    input: z.strictObject({ run: runRef, warnings: z.array(z.string()).default([]) }),
    output: z.strictObject({ released: z.boolean() }),
  },
  /** Finds the first cause among the nodes' records, keeps it with the run. Recover follows. */
  FailRun: {
    input: z.strictObject({ run: runRef, error: caught }),
    output: toldError,
  },
  /** Takes over the lock of a run whose execution does not run. */
  ClaimRecovery: {
    input: z.strictObject({ request: recoverRequest, execution }),
    output: z.discriminatedUnion('outcome', [
      z.strictObject({ outcome: z.literal('nothing-to-recover') }),
      z.strictObject({ outcome: z.literal('claimed'), run: runRef, subject, policy: runPolicy }),
    ]),
  },
  /** Reads the vault and what each host said of its swap; chooses the one end for all. @throws RecoveryIncomplete */
  PlanRecovery: {
    input: z.strictObject({
      run: runRef,
      subject,
      hostsKey: s3Key,
      /** Hosts that DiscoverHosts left out. */
      unreachable: z.array(z.string()),
    }),
    output: z.strictObject({
      planKey: s3Key,
      /** What the subject's history will say. */
      status: runStatus,
      direction: z.enum(['none', 'back', 'forward']),
      nodesKey: listKey,
      /** Of a restore: nodes are started whether or not their swap had begun. */
      seedsKey: listKey,
      othersKey: listKey,
    }),
  },
  /** By schedule: starts Recover for runs that nobody executes, reports missed runs, emits the age of each cluster's newest backup. */
  SweepRuns: {
    input: z.unknown(),
    output: z.strictObject({ recovered: z.array(runId), missed: count }),
  },
} as const;

export type StepName = keyof typeof steps;
export type StepInput<Name extends StepName> = z.infer<(typeof steps)[Name]['input']>;
export type StepOutput<Name extends StepName> = z.infer<(typeof steps)[Name]['output']>;
export const stepNames = Object.keys(steps) as StepName[];

/** Steps with one function for all clusters: all but those that run in a cluster's own network. */
export type StateName = Exclude<StepName, 'CallApplications'>;
export const stateNames = stepNames.filter((name): name is StateName => name !== 'CallApplications');

/** `SealBackup` → `seal-backup`: the step's file in lambdas/. */
export function stepFileName(step: StepName): string {
  return step.replaceAll(/(?<!^)(?=[A-Z])/g, '-').toLowerCase();
}

// ClaimRun: checks the request, takes the cluster's lock, begins the run's history. Re-entrant by execution ARN.
import type { z } from 'zod';
import type { Lock } from '../adapters/ports.ts';
import type { ClusterConfiguration } from '../contracts/configuration.ts';
import { describeIssues } from '../contracts/documents.ts';
import { InvalidRequest, RunEnded } from '../contracts/errors.ts';
import {
  type BackupRequest,
  backupRequest,
  type RegisterRequest,
  type RestoreRequest,
  registerRequest,
  restoreRequest,
} from '../contracts/requests.ts';
import { type AskedWorkflow, ENDED_STATUSES, type RunRef, runRecord } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { begunRecord, keepConfiguration, nameRun, policyOf } from './locking/begin-run.ts';
import { isExecuted, leaseOf } from './locking/held-lock.ts';
import {
  heldBy,
  refuseCancelled,
  requireInTime,
  type ScheduledStart,
  scheduledStart,
  waitForCluster,
} from './locking/scheduled-start.ts';
import { findDocument } from './vault/documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import { deployedCluster } from './wrapper/deployed-clusters.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws InvalidRequest UnknownCluster ClusterBusy ScheduleMissed RunSuperseded RunEnded */
export async function claimRun(
  { workflow, request: given, execution }: StepInput<'ClaimRun'>,
  ports: StepPorts,
): Promise<StepOutput<'ClaimRun'>> {
  const request = parsers[workflow](given);
  const { clusterId } = request;
  const deployed = deployedCluster(ports, clusterId);
  if ('kind' in request) requireHook(request, deployed.cluster);
  const { runId, startedAt } = nameRun(execution);
  await refuseEnded(ports, clusterId, runId);
  const executionArn = execution.arn;
  const starting = { runId, clusterId, workflow, executionArn, startedAt };
  const scheduled = 'schedule' in request ? scheduledStart(deployed, starting, request) : undefined;

  if ('scheduledTime' in request && request.scheduledTime) {
    const { kind, schedule = kind, scheduledTime } = request;
    const first = await ports.catalog.claimSchedule(clusterId, schedule, scheduledTime, runId);
    if (first.firstRunId !== runId) return { outcome: 'already-run', runId: first.firstRunId };
  }
  if (scheduled) await requireInTime(ports, scheduled);
  const configurationKey = await keepConfiguration(ports, deployed);
  const claim = {
    clusterId,
    runId,
    workflow,
    executionArn,
    subjectRunId: runId,
    leaseUntil: leaseOf(startedAt),
  };
  const claimed = await ports.catalog.claim(claim);
  if (claimed.outcome === 'held') return waitOrRecover(ports, claimed.lock, scheduled);

  const { fence } = claimed;
  const run: RunRef = { ...starting, fence, configurationKey };
  await ports.catalog.putRun(run, begunRecord(run, 'STARTED', request));
  return { outcome: 'claimed', run, request, policy: policyOf(deployed) };
}

type Request = BackupRequest | RestoreRequest | RegisterRequest;
const parsers: Record<AskedWorkflow, (given: unknown) => Request> = {
  backup: (given) => parseRequest(backupRequest, given),
  restore: parseRestore,
  register: (given) => parseRequest(registerRequest, given),
};

/** By its operation, so that issues name fields and not the alternatives of a union. */
function parseRestore(given: unknown): RestoreRequest {
  const operation = (given as { operation?: unknown } | null)?.operation;
  const [restore, undoOrRelease] = restoreRequest.options;
  const known = ['restore', ...undoOrRelease.shape.operation.options];
  if (operation !== undefined && !known.some((each) => each === operation)) {
    const expected = known.map((each) => `"${each}"`).join('|');
    throw new InvalidRequest(`operation: got ${JSON.stringify(operation)}, expected ${expected}`);
  }
  return operation === 'undo' || operation === 'release'
    ? parseRequest(undoOrRelease, given)
    : parseRequest(restore, given);
}

function parseRequest<Schema extends z.ZodType>(schema: Schema, given: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidRequest(describeIssues(parsed.error), { cause: parsed.error });
}

function requireHook({ kind, clusterId }: BackupRequest, { pause }: ClusterConfiguration): void {
  if (kind !== 'consistent' || pause) return;
  throw new InvalidRequest(
    `kind: got "consistent", expected a cluster with \`pause\` in ringvault.yaml; "${clusterId}" has none`,
  );
}

/** A late delivery, or a redrive, of a run that has its end must not take the cluster again. */
async function refuseEnded(ports: StepPorts, clusterId: string, runId: string): Promise<void> {
  const known = await ports.catalog.readRun(clusterId, runId);
  const kept = await findDocument(ports, ports.layout.runRecord(clusterId, runId), runRecord);
  await refuseCancelled(ports, kept);
  const ended = known && ENDED_STATUSES.includes(known.status);
  if (!ended && !kept) return;
  throw new RunEnded(`run ${runId} of cluster "${clusterId}" has ended${known ? ` (${known.status})` : ''}`);
}

async function waitOrRecover(
  ports: StepPorts,
  holder: Lock,
  scheduled: ScheduledStart | undefined,
): Promise<StepOutput<'ClaimRun'>> {
  if (!(await isExecuted(ports, holder))) return { outcome: 'stale', executionArn: holder.executionArn };
  const busy = heldBy(holder);
  if (!scheduled) throw busy;
  return waitForCluster(ports, scheduled, busy);
}

export const handler = defineStep('ClaimRun', claimRun);

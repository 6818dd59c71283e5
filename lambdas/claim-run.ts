// ClaimRun: checks the request, takes the cluster's lock, begins the run's history. Re-entrant by execution ARN.
import type { z } from 'zod';
import { describeIssues } from '../contracts/documents.ts';
import { ClusterBusy, InvalidRequest, RunEnded } from '../contracts/errors.ts';
import {
  type BackupRequest,
  backupRequest,
  type RestoreRequest,
  restoreRequest,
} from '../contracts/requests.ts';
import { ENDED_STATUSES, type RunRef } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { begunRecord, keepConfiguration, nameRun, policyOf } from './locking/begin-run.ts';
import { isExecuted, leaseOf } from './locking/held-lock.ts';
import { defineStep } from './wrapper/define-step.ts';
import { deployedCluster } from './wrapper/deployed-clusters.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** @throws InvalidRequest UnknownCluster ClusterBusy RunEnded */
export async function claimRun(
  { workflow, request: given, execution }: StepInput<'ClaimRun'>,
  ports: StepPorts,
): Promise<StepOutput<'ClaimRun'>> {
  const request = workflow === 'backup' ? parseBackup(given) : parseRestore(given);
  const { clusterId } = request;
  const deployed = deployedCluster(ports, clusterId);
  const { runId, startedAt } = nameRun(execution);
  await refuseEnded(ports, clusterId, runId);

  if ('scheduledTime' in request && request.scheduledTime) {
    const { kind, scheduledTime } = request;
    const first = await ports.catalog.claimSchedule(clusterId, kind, scheduledTime, runId);
    if (first.firstRunId !== runId) return { outcome: 'already-run', runId: first.firstRunId };
  }
  const configurationKey = await keepConfiguration(ports, deployed);
  const executionArn = execution.arn;
  const claim = {
    clusterId,
    runId,
    workflow,
    executionArn,
    subjectRunId: runId,
    leaseUntil: leaseOf(startedAt),
  };
  const claimed = await ports.catalog.claim(claim);
  if (claimed.outcome === 'held') return refuseOrRecover(ports, claimed.lock);

  const { fence } = claimed;
  const run: RunRef = { runId, clusterId, workflow, executionArn, startedAt, fence, configurationKey };
  await ports.catalog.putRun(run, begunRecord(run, 'STARTED', request));
  return { outcome: 'claimed', run, request, policy: policyOf(deployed) };
}

function parseBackup(given: unknown): BackupRequest {
  return parseRequest(backupRequest, given);
}

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

/** A late delivery, or a redrive, of a run that has its end must not take the cluster again. */
async function refuseEnded({ catalog, vault, layout }: StepPorts, clusterId: string, runId: string) {
  const known = await catalog.readRun(clusterId, runId);
  const ended = known && ENDED_STATUSES.includes(known.status);
  if (ended || (await vault.attributes(layout.runRecord(clusterId, runId)))) {
    throw new RunEnded(
      `run ${runId} of cluster "${clusterId}" has ended${known ? ` (${known.status})` : ''}`,
    );
  }
}

async function refuseOrRecover(
  ports: StepPorts,
  holder: Parameters<typeof isExecuted>[1] & { workflow: string; clusterId: string },
): Promise<StepOutput<'ClaimRun'>> {
  if (!(await isExecuted(ports, holder))) return { outcome: 'stale', executionArn: holder.executionArn };
  throw new ClusterBusy(
    `cluster "${holder.clusterId}" is held by ${holder.workflow} run ${holder.runId} (${holder.executionArn})`,
  );
}

export const handler = defineStep('ClaimRun', claimRun);

// ClaimRecovery: takes over the lock of a run whose execution does not run any more.
import type { Lock } from '../adapters/ports.ts';
import { ClusterBusy, RunEnded, UnknownRun } from '../contracts/errors.ts';
import { startOfRun } from '../contracts/identifiers.ts';
import { ENDED_STATUSES, type RunRef } from '../contracts/runs.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { begunRecord, keepConfiguration, nameRun, policyOf } from './locking/begin-run.ts';
import { isExecuted, leaseOf } from './locking/held-lock.ts';
import { keepRecord } from './recording/keep-record.ts';
import { defineStep } from './wrapper/define-step.ts';
import { deployedCluster } from './wrapper/deployed-clusters.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** A failed run starts Recover just before its own end. */
const WAIT_FOR_END = { polls: 15, everyMs: 2_000 };

/** @throws ClusterBusy where the execution still runs; UnknownCluster RunEnded */
export async function claimRecovery(
  { request, execution }: StepInput<'ClaimRecovery'>,
  ports: StepPorts,
): Promise<StepOutput<'ClaimRecovery'>> {
  const known = await ports.catalog.runOfExecution(request.executionArn);
  if (!known) return { outcome: 'nothing-to-recover' };
  const lock = await ports.catalog.readLock(known.clusterId);
  const mine = lock?.executionArn === execution.arn;
  if (!lock || (!mine && lock.executionArn !== request.executionArn)) {
    await endWaiting(ports, known, request.executionArn);
    return { outcome: 'nothing-to-recover' };
  }

  const deployed = deployedCluster(ports, known.clusterId);
  const { runId, startedAt } = nameRun(execution);
  await refuseEnded(ports, known.clusterId, runId);
  const configurationKey = await keepConfiguration(ports, deployed);
  if (!mine) {
    await waitForEnd(ports, lock);
    await beginHistoryOf(ports, lock, configurationKey);
  }
  const { clusterId, subjectRunId } = lock;
  const identity = { clusterId, runId, workflow: 'recover' as const, executionArn: execution.arn };
  const claim = { ...identity, subjectRunId, leaseUntil: leaseOf(startedAt) };
  const claimed = await ports.catalog.takeOver(lock, claim);
  if (claimed.outcome === 'lost') return { outcome: 'nothing-to-recover' };

  const run: RunRef = { ...identity, startedAt, fence: claimed.fence, configurationKey };
  const begun = begunRecord(run, 'STARTED', { executionArn: request.executionArn });
  await ports.catalog.putRun(run, { ...begun, recoveredRunId: subjectRunId });
  return {
    outcome: 'claimed',
    run,
    subject: await subjectOf(ports, run, subjectRunId),
    policy: policyOf(deployed),
  };
}

/** A scheduled run that waited for its cluster has done nothing on hosts: its history is all that is to be ended. */
async function endWaiting(
  ports: StepPorts,
  { clusterId, runId }: { clusterId: string; runId: string },
  executionArn: string,
): Promise<void> {
  const waiting = await ports.catalog.readRun(clusterId, runId);
  if (waiting?.status !== 'INITIALIZED' || (await isExecuted(ports, { runId, executionArn }))) return;
  await keepRecord(ports, { ...waiting, status: 'CANCELLED', endedAt: ports.clock.now().toISOString() });
}

async function refuseEnded({ catalog }: StepPorts, clusterId: string, runId: string): Promise<void> {
  const own = await catalog.readRun(clusterId, runId);
  if (own && ENDED_STATUSES.includes(own.status))
    throw new RunEnded(`run ${runId} has ended (${own.status})`);
}

async function waitForEnd(ports: StepPorts, lock: Lock): Promise<void> {
  for (let poll = 1; await isExecuted(ports, lock); poll++) {
    if (poll >= WAIT_FOR_END.polls) {
      throw new ClusterBusy(`${lock.workflow} run ${lock.runId} is still executed (${lock.executionArn})`);
    }
    await ports.clock.sleep(WAIT_FOR_END.everyMs);
  }
}

/** A run that was killed between taking the lock and its first record: once the lock is taken over nobody knows it. */
async function beginHistoryOf(ports: StepPorts, lock: Lock, configurationKey: string): Promise<void> {
  if (await ports.catalog.readRun(lock.clusterId, lock.runId)) return;
  const { runId, clusterId, workflow, executionArn, fence, subjectRunId } = lock;
  const startedAt = startOfRun(runId);
  const run: RunRef = { runId, clusterId, workflow, executionArn, startedAt, fence, configurationKey };
  const recovered = workflow === 'recover' ? { recoveredRunId: subjectRunId } : {};
  await ports.catalog.putRun(run, { ...begunRecord(run, 'STARTED', { clusterId }), ...recovered });
}

async function subjectOf({ catalog }: StepPorts, run: RunRef, subjectRunId: string) {
  const subject = await catalog.readRun(run.clusterId, subjectRunId);
  if (!subject) throw new UnknownRun(`the catalog has no run ${subjectRunId}, which is to be recovered`);
  const { runId, workflow, executionArn } = subject;
  return { runId, workflow, executionArn };
}

export const handler = defineStep('ClaimRecovery', claimRecovery);

// StartAction: writes the action document under the host's own key, then sends the command. The host answers the token.
import { type ActionDocument, actionDocument, actions } from '../contracts/actions.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import { actionIdOf } from '../contracts/identifiers.ts';
import { SILENCE_RETRY, STEP_RETRY, STEP_TIMEOUT_SECONDS } from '../contracts/limits.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { actionInputs } from './action-inputs/action-input.ts';
import { requireLock } from './locking/held-lock.ts';
import { findDocument, readConfiguration, serialize } from './vault/documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/**
 * How long after a task timed out its retry may still bring a new token: all waits of both retriers, and the calls
 * between them, in the worst case.
 */
export const GRACE_SECONDS =
  STEP_RETRY.maxAttempts * STEP_RETRY.maxDelaySeconds +
  SILENCE_RETRY.maxAttempts * SILENCE_RETRY.maxDelaySeconds +
  2 * STEP_TIMEOUT_SECONDS;

/** @throws RunEnded HostUnreachable InvalidDocument ActionLost */
export async function startAction(
  asked: StepInput<'StartAction'>,
  ports: StepPorts,
): Promise<StepOutput<'StartAction'>> {
  const { run, host, action, phase } = asked;
  await requireLock(ports, run);
  const cluster = await readConfiguration(ports, run);
  const actionId = actionIdOf(run.runId, phase);
  const key = ports.layout.action(host.instanceArn, actionId);
  const before = await findDocument(ports, key, actionDocument);
  // The same token: this step was delivered twice. The document stands; sending twice does no harm.
  let attempt = before?.attempt ?? 0;
  if (before?.taskToken !== asked.taskToken) {
    attempt += 1;
    const given = await actionInputs[action]({ ...asked, cluster }, ports);
    const document: ActionDocument = {
      formatVersion: FORMAT_VERSION,
      ...{ clusterId: run.clusterId, runId: run.runId, actionId, action, phase, attempt },
      taskToken: asked.taskToken,
      heartbeatSeconds: asked.policy.heartbeatSeconds,
      ...timesOf(ports.clock.now(), asked.policy.actionTimeoutSeconds),
      cassandra: cluster.cassandra,
      compression: cluster.compression,
      limits: cluster.limits,
      input: actions[action].input.parse(given),
    };
    await ports.vault.put(key, serialize(document), 'overwrite');
  }
  const { instanceId, hostId } = host;
  const startedAt = ports.clock.now().toISOString();
  const begun = {
    instanceId,
    ...(hostId && { hostId }),
    status: 'STARTED' as const,
    phase,
    attempt,
    startedAt,
  };
  // Before the command goes out: Recover tells by the phase which nodes may have been stopped.
  await ports.catalog.putNode(run, begun);
  const { commandId } = await ports.hosts.send({
    instanceId,
    document: action === 'prepare' ? `prepare-${cluster.hosts.architecture}` : 'action',
    parameters: { runId: run.runId, actionId },
    comment: `ringvault ${run.clusterId} ${phase}`,
  });
  await ports.catalog.putNode(run, { ...begun, commandId });
  return { commandId };
}

function timesOf(now: Date, timeoutSeconds: number): { deadline: string; graceUntil: string } {
  const after = (seconds: number) => new Date(now.getTime() + seconds * 1_000).toISOString();
  return { deadline: after(timeoutSeconds), graceUntil: after(timeoutSeconds + GRACE_SECONDS) };
}

export const handler = defineStep('StartAction', startAction);

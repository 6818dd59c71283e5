// What ClaimRun and ClaimRecovery do alike: name the run, keep the configuration that it works by, begin its history.

import type { DeployedConfiguration } from '../../contracts/configuration.ts';
import { FORMAT_VERSION } from '../../contracts/documents.ts';
import { backupKind, runIdOf } from '../../contracts/identifiers.ts';
import type { RunRecord, RunRef } from '../../contracts/runs.ts';
import type { RunPolicy } from '../../contracts/steps.ts';
import { serialize, sha256Of } from '../vault/documents.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

interface Execution {
  arn: string;
  startedAt: string;
}

/** The same for each try of the same execution. */
export function nameRun(execution: Execution): { runId: string; startedAt: string } {
  const startedAt = new Date(execution.startedAt).toISOString();
  return { runId: runIdOf(startedAt, sha256Of(execution.arn)), startedAt };
}

/** @returns its key; create-only, named by its digest */
export async function keepConfiguration(
  { vault, layout }: Pick<StepPorts, 'vault' | 'layout'>,
  deployed: DeployedConfiguration,
): Promise<string> {
  const body = serialize(deployed);
  const key = layout.configuration(deployed.clusterId, sha256Of(body));
  await vault.put(key, body, 'create');
  return key;
}

export function policyOf({ cluster }: DeployedConfiguration): RunPolicy {
  return {
    heartbeatSeconds: cluster.policy.heartbeatSeconds,
    actionTimeoutSeconds: cluster.policy.actionTimeoutSeconds,
    hostsAtOnce: cluster.limits.hostsAtOnce,
    ...(cluster.pause && { maxPauseSeconds: cluster.pause.maxSeconds }),
  };
}

/** A run's history as it begins. */
export function begunRecord(
  run: Pick<RunRef, 'runId' | 'clusterId' | 'workflow' | 'executionArn' | 'startedAt'>,
  status: 'INITIALIZED' | 'STARTED',
  request: Record<string, unknown>,
): RunRecord {
  const { runId, clusterId, workflow, executionArn, startedAt } = run;
  // Where nobody knows any more what was asked for, no kind is told.
  const kind = backupKind.safeParse(request['kind']).data;
  return {
    formatVersion: FORMAT_VERSION,
    ...{ runId, clusterId, workflow, executionArn, status, startedAt, request },
    ...(workflow === 'backup' && kind && { kind }),
    warnings: [],
    nodes: [],
  };
}

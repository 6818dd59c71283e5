// The shapes in which the API tells of machines, executions and map runs. Dates are epoch seconds.
import type { Execution } from './execution.ts';
import { epochSeconds } from './history.ts';
import type { MapRun } from './map-run.ts';
import type { StateMachine } from './state-machines.ts';

const included = { included: true };

/** Fields that are undefined are left out of the JSON. */
export function executionAnswer(execution: Execution) {
  const { plan, outcome } = execution;
  return {
    ...executionItem(execution),
    input: plan.input,
    inputDetails: included,
    output: outcome?.output,
    outputDetails: outcome?.output === undefined ? undefined : included,
    error: outcome?.error,
    cause: outcome?.cause,
    redriveStatus: 'NOT_REDRIVABLE',
    redriveStatusReason: 'Redrive is not implemented by the local Step Functions',
  };
}

export function executionItem(execution: Execution) {
  const { plan, status, startDate, stopDate } = execution;
  return {
    executionArn: plan.arn,
    stateMachineArn: plan.stateMachineArn,
    name: plan.name,
    status,
    startDate: epochSeconds(startDate),
    stopDate: stopDate && epochSeconds(stopDate),
    mapRunArn: plan.mapRunArn,
    redriveCount: 0,
  };
}

export function machineAnswer(machine: StateMachine) {
  return {
    ...machineItem(machine),
    status: 'ACTIVE',
    definition: machine.definitionText,
    roleArn: machine.roleArn,
    loggingConfiguration: { level: 'OFF', includeExecutionData: false },
    revisionId: machine.revision?.id,
  };
}

export function machineItem(machine: StateMachine) {
  return {
    stateMachineArn: machine.arn,
    name: machine.name,
    type: 'STANDARD',
    creationDate: epochSeconds(machine.createdAt),
  };
}

/** The machine as the execution began with it. */
export function machineForExecutionAnswer(execution: Execution, mapRun: MapRun | undefined) {
  const { plan } = execution;
  const { machine } = plan;
  return {
    stateMachineArn: plan.stateMachineArn,
    name: machine.name,
    definition: mapRun ? JSON.stringify(plan.body) : machine.definitionText,
    roleArn: machine.roleArn,
    updateDate: epochSeconds(machine.revision?.madeAt ?? machine.createdAt),
    revisionId: machine.revision?.id,
    mapRunArn: plan.mapRunArn,
    label: mapRun?.settings.label,
  };
}

export function mapRunAnswer(mapRun: MapRun) {
  const { settings, counts, startDate, stopDate } = mapRun;
  return {
    mapRunArn: mapRun.arn,
    executionArn: mapRun.parent.plan.arn,
    status: mapRun.status,
    startDate: epochSeconds(startDate),
    stopDate: stopDate && epochSeconds(stopDate),
    maxConcurrency: settings.maxConcurrency,
    toleratedFailureCount: settings.toleratedFailureCount,
    toleratedFailurePercentage: settings.toleratedFailurePercentage,
    itemCounts: counts,
    executionCounts: counts,
    redriveCount: 0,
  };
}

export function mapRunItem(mapRun: MapRun) {
  return {
    executionArn: mapRun.parent.plan.arn,
    mapRunArn: mapRun.arn,
    stateMachineArn: mapRun.parent.plan.stateMachineArn,
    startDate: epochSeconds(mapRun.startDate),
    stopDate: mapRun.stopDate && epochSeconds(mapRun.stopDate),
  };
}

/** The detail of EventBridge's "Step Functions Execution Status Change"; times are epoch milliseconds. */
export interface ExecutionStatusChange {
  executionArn: string;
  stateMachineArn: string;
  name: string;
  status: Execution['status'];
  startDate: number;
  stopDate: number | null;
  input: string;
  inputDetails: { included: true };
  output: string | null;
  outputDetails: { included: true } | null;
  error: string | null;
  cause: string | null;
}

export function statusChange(execution: Execution): ExecutionStatusChange {
  const { plan, outcome, status, startDate, stopDate } = execution;
  return {
    executionArn: plan.arn,
    stateMachineArn: plan.stateMachineArn,
    name: plan.name,
    status,
    startDate: startDate.getTime(),
    stopDate: stopDate?.getTime() ?? null,
    input: plan.input,
    inputDetails: { included: true },
    output: outcome?.output ?? null,
    outputDetails: outcome?.output === undefined ? null : { included: true },
    error: outcome?.error ?? null,
    cause: outcome?.cause ?? null,
  };
}

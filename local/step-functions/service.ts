// The API of Step Functions, as the aws CLI and the SDK call it. Each operation checks the caller's leave first.
import { z } from 'zod';
import type { JsonService } from '../endpoint/service.ts';
import { operation } from '../services/operation.ts';
import { executionAnswer, executionItem, mapRunAnswer, mapRunItem } from './answers.ts';
import type { Executions } from './executions.ts';
import { epochSeconds, type HistoryEvent } from './history.ts';
import { machineOperations } from './machine-operations.ts';
import { pageOf } from './paging.ts';
import type { StateMachines } from './state-machines.ts';
import { taskTokenOperations } from './task-token-operations.ts';

const arn = z.string().min(1).max(256);
const paging = {
  maxResults: z.number().int().min(0).max(1000).optional(),
  nextToken: z.string().optional(),
};
const includedData = { includedData: z.literal('ALL_DATA').optional() };

export function statesService(executions: Executions, machines: StateMachines): JsonService {
  return {
    protocol: 'json',
    signingName: 'states',
    targetPrefix: 'AWSStepFunctions',
    jsonVersion: '1.0',
    operations: {
      ...machineOperations(executions, machines),
      ...executionOperations(executions),
      ...listOperations(executions),
      ...mapRunOperations(executions),
      ...taskTokenOperations(executions.tokens),
    },
  };
}

function executionOperations(executions: Executions): JsonService['operations'] {
  const startInput = z.strictObject({
    stateMachineArn: arn,
    name: z.string().optional(),
    input: z.string().default('{}'),
  });
  const stopInput = z.strictObject({
    executionArn: arn,
    error: z.string().max(256).optional(),
    cause: z.string().max(32_768).optional(),
  });
  const describeInput = z.strictObject({ executionArn: arn, ...includedData });
  return {
    StartExecution: operation(startInput, async ({ stateMachineArn, name, input }, context) => {
      context.authorize('states:StartExecution', stateMachineArn);
      const started = executions.start(stateMachineArn, { input, ...(name !== undefined && { name }) });
      return { executionArn: started.plan.arn, startDate: epochSeconds(started.startDate) };
    }),
    StopExecution: operation(stopInput, async ({ executionArn, error, cause }, context) => {
      context.authorize('states:StopExecution', executionArn);
      const { stopDate } = await executions.stop(executionArn, error, cause);
      return { stopDate: stopDate && epochSeconds(stopDate) };
    }),
    DescribeExecution: operation(describeInput, async ({ executionArn }, context) => {
      context.authorize('states:DescribeExecution', executionArn);
      return executionAnswer(executions.get(executionArn));
    }),
  };
}

function listOperations(executions: Executions): JsonService['operations'] {
  const listInput = z.strictObject({
    stateMachineArn: arn.optional(),
    mapRunArn: arn.optional(),
    statusFilter: z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']).optional(),
    ...paging,
  });
  const historyInput = z.strictObject({
    executionArn: arn,
    reverseOrder: z.boolean().default(false),
    includeExecutionData: z.boolean().default(true),
    ...paging,
  });
  return {
    ListExecutions: operation(
      listInput.refine(
        ({ stateMachineArn, mapRunArn }) => (stateMachineArn === undefined) !== (mapRunArn === undefined),
        'one of stateMachineArn and mapRunArn must be given',
      ),
      async (input, context) => {
        context.authorize('states:ListExecutions', input.mapRunArn ?? input.stateMachineArn ?? '');
        const wanted = executions.list().filter(({ plan, status }) => {
          const isOfList = input.mapRunArn
            ? plan.mapRunArn === input.mapRunArn
            : plan.stateMachineArn === input.stateMachineArn;
          return isOfList && (input.statusFilter === undefined || status === input.statusFilter);
        });
        const { items, nextToken } = pageOf(wanted, input, 100);
        return { executions: items.map(executionItem), nextToken };
      },
    ),
    GetExecutionHistory: operation(historyInput, async (input, context) => {
      context.authorize('states:GetExecutionHistory', input.executionArn);
      const { events } = executions.get(input.executionArn).history;
      const { items, nextToken } = pageOf(input.reverseOrder ? events.toReversed() : events, input, 100);
      return { events: input.includeExecutionData ? items : items.map(withoutData), nextToken };
    }),
  };
}

function mapRunOperations(executions: Executions): JsonService['operations'] {
  return {
    DescribeMapRun: operation(z.strictObject({ mapRunArn: arn }), async ({ mapRunArn }, context) => {
      context.authorize('states:DescribeMapRun', mapRunArn);
      return mapRunAnswer(executions.mapRun(mapRunArn));
    }),
    ListMapRuns: operation(z.strictObject({ executionArn: arn, ...paging }), async (input, context) => {
      context.authorize('states:ListMapRuns', input.executionArn);
      const parent = executions.get(input.executionArn);
      const own = executions.mapRuns().filter((mapRun) => mapRun.parent === parent);
      const { items, nextToken } = pageOf(own, input, 100);
      return { mapRuns: items.map(mapRunItem), nextToken };
    }),
  };
}

const data = new Set(['input', 'inputDetails', 'output', 'outputDetails', 'parameters', 'assignedVariables']);

function withoutData(event: HistoryEvent): Record<string, unknown> {
  const entries = Object.entries(event).map(([key, value]) => {
    if (typeof value !== 'object' || value === null) return [key, value];
    return [key, Object.fromEntries(Object.entries(value).filter(([field]) => !data.has(field)))];
  });
  return Object.fromEntries(entries);
}

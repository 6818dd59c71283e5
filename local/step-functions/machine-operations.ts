// State machines over the API: created, changed and deleted by callers, and shown.
import { z } from 'zod';
import { type CallContext, type JsonService, ServiceError } from '../endpoint/service.ts';
import { operation } from '../services/operation.ts';
import { machineAnswer, machineForExecutionAnswer, machineItem } from './answers.ts';
import { checkRoleArn, parseMachineArn } from './arns.ts';
import { InvalidDefinition } from './definition.ts';
import type { Executions } from './executions.ts';
import { epochSeconds } from './history.ts';
import { pageOf } from './paging.ts';
import type { StateMachines } from './state-machines.ts';

const arn = z.string().min(1).max(256);
const includedData = { includedData: z.literal('ALL_DATA').optional() };
const paging = {
  maxResults: z.number().int().min(0).max(1000).optional(),
  nextToken: z.string().optional(),
};
const definition = z.string().min(1).max(1_048_576);
const type = z.enum(['STANDARD', 'EXPRESS']).default('STANDARD');

function only<const Value extends boolean | string>(value: Value) {
  return z.literal(value, { error: `only ${value} is implemented here` }).optional();
}
/** What may be said of a machine as long as it changes nothing. */
const settings = {
  loggingConfiguration: z
    .strictObject({
      level: only('OFF'),
      includeExecutionData: z.boolean().optional(),
      destinations: z.array(z.unknown()).max(0, 'log destinations are not implemented here').optional(),
    })
    .optional(),
  tracingConfiguration: z.strictObject({ enabled: only(false) }).optional(),
  encryptionConfiguration: z.strictObject({ type: only('AWS_OWNED_KEY') }).optional(),
  publish: only(false),
};

export function machineOperations(
  executions: Executions,
  machines: StateMachines,
): JsonService['operations'] {
  return {
    CreateStateMachine: createStateMachine(executions, machines),
    UpdateStateMachine: updateStateMachine(executions, machines),
    DeleteStateMachine: deleteStateMachine(executions, machines),
    ValidateStateMachineDefinition: validateDefinition(machines),
    ...lookingOperations(executions, machines),
  };
}

/** Repeated with the same name and definition, it answers the machine that is there: the service ignores another role. */
function createStateMachine(executions: Executions, machines: StateMachines) {
  const input = z.strictObject({ name: z.string(), definition, roleArn: arn, type, ...settings });
  return operation(input, async (request, context) => {
    const stateMachineArn = machines.arnOf(request.name);
    context.authorize('states:CreateStateMachine', stateMachineArn);
    requireStandard(request.type);
    requireRole(executions, context, stateMachineArn, request.roleArn);
    const machine = machines.sameAs(request) ?? machines.create(request);
    return { stateMachineArn, creationDate: epochSeconds(machine.createdAt) };
  });
}

function updateStateMachine(executions: Executions, machines: StateMachines) {
  const input = z.strictObject({
    stateMachineArn: arn,
    definition: definition.optional(),
    roleArn: arn.optional(),
    ...settings,
  });
  return operation(input, async (request, context) => {
    const { stateMachineArn, roleArn } = request;
    context.authorize('states:UpdateStateMachine', stateMachineArn);
    parseMachineArn(stateMachineArn);
    if (request.definition === undefined && roleArn === undefined) {
      throw new ServiceError(
        'MissingRequiredParameter',
        'Either the definition, the role ARN, the LoggingConfiguration, the TracingConfiguration or the EncryptionConfiguration must be specified; here only the first two change anything',
      );
    }
    if (roleArn !== undefined) requireRole(executions, context, stateMachineArn, roleArn);
    const { revision } = machines.update(stateMachineArn, {
      ...(roleArn !== undefined && { roleArn }),
      ...(request.definition !== undefined && { definition: request.definition }),
    });
    return { updateDate: epochSeconds(revision.madeAt), revisionId: revision.id };
  });
}

/** Answers when the machine's executions have ended, so that nobody sees DELETING. One that is not there is no error. */
function deleteStateMachine(executions: Executions, machines: StateMachines) {
  return operation(z.strictObject({ stateMachineArn: arn }), async ({ stateMachineArn }, context) => {
    context.authorize('states:DeleteStateMachine', stateMachineArn);
    parseMachineArn(stateMachineArn);
    machines.delete(stateMachineArn);
    await executions.stopAllOf(stateMachineArn, 'The state machine was deleted');
    return {};
  });
}

function validateDefinition(machines: StateMachines) {
  const input = z.strictObject({
    definition,
    type,
    severity: z.enum(['ERROR', 'WARNING']).optional(),
    maxResults: z.number().int().min(0).max(100).default(100),
  });
  return operation(input, async (request, context) => {
    context.authorize('states:ValidateStateMachineDefinition', '*');
    requireStandard(request.type);
    const diagnostics = problemsOf(machines, request.definition).map((message) => ({
      severity: 'ERROR',
      code: 'SCHEMA_VALIDATION_FAILED',
      message,
    }));
    const limit = request.maxResults || 100;
    return {
      result: diagnostics.length === 0 ? 'OK' : 'FAIL',
      diagnostics: diagnostics.slice(0, limit),
      truncated: diagnostics.length > limit,
    };
  });
}

function problemsOf(machines: StateMachines, definitionText: string): readonly string[] {
  try {
    machines.read(definitionText);
    return [];
  } catch (error) {
    if (error instanceof InvalidDefinition) return error.problems;
    throw error;
  }
}

function requireStandard(wanted: 'STANDARD' | 'EXPRESS'): void {
  if (wanted === 'STANDARD') return;
  throw new ServiceError(
    'StateMachineTypeNotSupported',
    `State machines of type ${wanted} are not implemented`,
  );
}

/** The caller may pass the role to Step Functions, and Step Functions may take it. @throws ServiceError */
function requireRole(
  executions: Executions,
  context: CallContext,
  stateMachineArn: string,
  roleArn: string,
): void {
  checkRoleArn(roleArn);
  context.authorize('iam:PassRole', roleArn, { 'iam:passedtoservice': 'states.amazonaws.com' });
  const decision = executions.ports.mayHaveRole(stateMachineArn, roleArn);
  if (decision.allowed) return;
  throw new ServiceError(
    'AccessDeniedException',
    `states.amazonaws.com is not authorized to assume the provided role: ${decision.reason}`,
  );
}

function lookingOperations(executions: Executions, machines: StateMachines): JsonService['operations'] {
  return {
    DescribeStateMachine: operation(
      z.strictObject({ stateMachineArn: arn, ...includedData }),
      async (input, context) => {
        context.authorize('states:DescribeStateMachine', input.stateMachineArn);
        return machineAnswer(machines.get(input.stateMachineArn));
      },
    ),
    ListStateMachines: operation(z.strictObject(paging), async (input, context) => {
      context.authorize('states:ListStateMachines', '*');
      const { items, nextToken } = pageOf(machines.list(), input, 100);
      return { stateMachines: items.map(machineItem), nextToken };
    }),
    DescribeStateMachineForExecution: operation(
      z.strictObject({ executionArn: arn, ...includedData }),
      async (input, context) => {
        context.authorize('states:DescribeStateMachineForExecution', input.executionArn);
        const execution = executions.get(input.executionArn);
        const { mapRunArn } = execution.plan;
        return machineForExecutionAnswer(execution, mapRunArn ? executions.mapRun(mapRunArn) : undefined);
      },
    ),
  };
}

// SendCommand, CancelCommand, and what became of commands.
import { z } from 'zod';
import {
  type CallContext,
  LOCAL_ACCOUNT,
  LOCAL_PARTITION,
  LOCAL_REGION,
  type Operation,
  ServiceError,
} from '../endpoint/service.ts';
import type { LocalHost } from '../hosts/host.ts';
import { hasEnded, type Invocation, type StepResult } from '../hosts/invocation.ts';
import { parameterProblem } from '../hosts/ssm-document.ts';
import { operation } from './operation.ts';
import type { Command, RunCommand } from './ssm-commands.ts';

/** Of one step in ListCommandInvocations. */
const PLUGIN_OUTPUT_LIMIT = 2_500;
const anything = `arn:${LOCAL_PARTITION}:ssm:${LOCAL_REGION}:${LOCAL_ACCOUNT}:*`;

const sendCommandInput = z.strictObject({
  DocumentName: z.string(),
  DocumentVersion: z.enum(['$DEFAULT', '$LATEST', '1']).optional(),
  InstanceIds: z.array(z.string()).min(1).max(50),
  Parameters: z.record(z.string(), z.array(z.string())).default({}),
  /** Of the delivery. */
  TimeoutSeconds: z.int().min(30).max(2_592_000).default(3600),
  Comment: z.string().max(100).default(''),
});

export function commandOperations(runCommand: RunCommand): Record<string, Operation<never>> {
  return {
    SendCommand: operation(sendCommandInput, async (input, context) =>
      sendCommand(runCommand, input, context),
    ),
    GetCommandInvocation: operation(
      z.strictObject({ CommandId: z.string(), InstanceId: z.string(), PluginName: z.string().optional() }),
      async ({ CommandId, InstanceId, PluginName }, context) => {
        context.authorize('ssm:GetCommandInvocation', anything);
        const found = runCommand.invocation(CommandId, InstanceId);
        if (!found) throw new ServiceError('InvocationDoesNotExist', '');
        return invocationAnswer(found, chosenStep(found, PluginName));
      },
    ),
    ListCommandInvocations: operation(
      z.strictObject({
        CommandId: z.string().optional(),
        InstanceId: z.string().optional(),
        Details: z.boolean().default(false),
        MaxResults: z.int().optional(),
      }),
      async ({ CommandId, InstanceId, Details }, context) => {
        context.authorize('ssm:ListCommandInvocations', anything);
        const found = runCommand
          .list()
          .filter((each) => CommandId === undefined || each.commandId === CommandId)
          .flatMap((each) => each.invocations)
          .filter((each) => InstanceId === undefined || each.instanceId === InstanceId);
        return { CommandInvocations: found.map((each) => listedInvocation(each, Details)) };
      },
    ),
    ListCommands: operation(
      z.strictObject({
        CommandId: z.string().optional(),
        InstanceId: z.string().optional(),
        MaxResults: z.int().optional(),
      }),
      async ({ CommandId, InstanceId }, context) => {
        context.authorize('ssm:ListCommands', anything);
        const found = runCommand
          .list()
          .filter((each) => CommandId === undefined || each.commandId === CommandId)
          .filter((each) => InstanceId === undefined || each.instanceIds.includes(InstanceId));
        return { Commands: found.map(commandAnswer) };
      },
    ),
    CancelCommand: operation(
      z.strictObject({ CommandId: z.string(), InstanceIds: z.array(z.string()).default([]) }),
      async ({ CommandId, InstanceIds }, context) => {
        context.authorize('ssm:CancelCommand', anything);
        const command = runCommand.find(CommandId);
        if (!command) throw new ServiceError('InvalidCommandId', '');
        runCommand.cancel(command, InstanceIds);
        return {};
      },
    ),
  };
}

function sendCommand(
  runCommand: RunCommand,
  input: z.infer<typeof sendCommandInput>,
  context: CallContext,
): unknown {
  const document = runCommand.documents.get(input.DocumentName.split('/').at(-1) ?? '');
  if (!document) throw new ServiceError('InvalidDocument', `Document ${input.DocumentName} does not exist.`);
  context.authorize('ssm:SendCommand', document.arn);
  const hosts: LocalHost[] = [];
  for (const instanceId of input.InstanceIds) {
    const host = runCommand.hosts.get(instanceId);
    const arn =
      host?.instanceArn ??
      `arn:${LOCAL_PARTITION}:ec2:${LOCAL_REGION}:${LOCAL_ACCOUNT}:instance/${instanceId}`;
    context.authorize('ssm:SendCommand', arn, tagConditions(host));
    if (!host)
      throw new ServiceError(
        'InvalidInstanceId',
        `Instances [[${instanceId}]] not in a valid state for account`,
      );
    hosts.push(host);
  }
  const problem = parameterProblem(document.content, input.Parameters);
  if (problem) throw new ServiceError('InvalidParameters', problem);
  const command = runCommand.send({
    document,
    hosts,
    parameters: input.Parameters,
    comment: input.Comment,
    timeoutSeconds: input.TimeoutSeconds,
  });
  return { Command: commandAnswer(command) };
}

function tagConditions(host: LocalHost | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(host?.tags ?? {}).flatMap(([key, value]) =>
      ['ssm', 'aws', 'ec2'].map((prefix) => [`${prefix}:resourcetag/${key.toLowerCase()}`, value]),
    ),
  );
}

/** With several steps SSM wants to be told which one. */
function chosenStep(invocation: Invocation, name: string | undefined): StepResult {
  const [first, ...more] = invocation.steps;
  const found = name === undefined ? first : invocation.steps.find((step) => step.name === name);
  if (!found || (name === undefined && more.length > 0)) {
    const names = invocation.steps.map((step) => step.name).join(', ');
    throw new ServiceError('InvalidPluginName', `got ${name ?? 'none'}, expected one of ${names}`);
  }
  return found;
}

function invocationAnswer(invocation: Invocation, step: StepResult): unknown {
  // The command's own status tells what a step that has not ended cannot: never delivered, being cancelled.
  const shown = hasEnded(step) ? step : invocation;
  return {
    CommandId: invocation.commandId,
    InstanceId: invocation.instanceId,
    Comment: invocation.comment,
    DocumentName: invocation.documentName,
    DocumentVersion: '1',
    PluginName: step.name,
    ResponseCode: step.responseCode,
    ExecutionStartDateTime: step.startedAt?.toISOString() ?? '',
    ExecutionElapsedTime: elapsed(step),
    ExecutionEndDateTime: step.endedAt?.toISOString() ?? '',
    Status: shown.status,
    StatusDetails: shown.statusDetails,
    StandardOutputContent: step.stdout,
    StandardOutputUrl: '',
    StandardErrorContent: step.stderr,
    StandardErrorUrl: '',
    CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
  };
}

function elapsed({ startedAt, endedAt }: StepResult): string {
  return startedAt && endedAt ? `PT${(endedAt.getTime() - startedAt.getTime()) / 1000}S` : '';
}

function listedInvocation(invocation: Invocation, details: boolean): unknown {
  return {
    CommandId: invocation.commandId,
    InstanceId: invocation.instanceId,
    Comment: invocation.comment,
    DocumentName: invocation.documentName,
    DocumentVersion: '1',
    RequestedDateTime: invocation.requestedAt,
    Status: invocation.status,
    StatusDetails: invocation.statusDetails,
    CommandPlugins: details ? invocation.steps.map(pluginAnswer) : [],
  };
}

function pluginAnswer(step: StepResult): unknown {
  return {
    Name: step.name,
    Status: step.status,
    StatusDetails: step.statusDetails,
    ResponseCode: step.responseCode,
    ResponseStartDateTime: step.startedAt,
    ResponseFinishDateTime: step.endedAt,
    Output: [step.stdout, ...(step.stderr ? [`----------ERROR-------\n${step.stderr}`] : [])]
      .join('\n')
      .slice(0, PLUGIN_OUTPUT_LIMIT),
  };
}

function commandAnswer(command: Command): unknown {
  const ended = command.invocations.filter(hasEnded);
  const failed = ended.filter((each) => each.status !== 'Success');
  const started = command.invocations.some((each) => each.status !== 'Pending');
  const status =
    ended.length < command.invocations.length
      ? started
        ? 'InProgress'
        : 'Pending'
      : (failed[0]?.status ?? 'Success');
  return {
    CommandId: command.commandId,
    DocumentName: command.document.name,
    DocumentVersion: '$DEFAULT',
    Comment: command.comment,
    ExpiresAfter: command.deliverBy,
    Parameters: command.parameters,
    InstanceIds: command.instanceIds,
    Targets: [],
    RequestedDateTime: command.requestedAt,
    Status: status,
    StatusDetails: status,
    MaxConcurrency: '50',
    MaxErrors: '0',
    TargetCount: command.invocations.length,
    CompletedCount: ended.length,
    ErrorCount: failed.length,
  };
}

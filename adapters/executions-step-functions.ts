// Executions of the workflows, by Step Functions' API.
import {
  DescribeExecutionCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { InvalidConfiguration } from '../contracts/errors.ts';
import type { WorkflowName } from '../contracts/runs.ts';
import { callAws, nameOf } from './aws-call.ts';
import type { ExecutionStatus, Executions } from './ports.ts';

export interface StepFunctionsOptions {
  /** ARNs of the state machines that may be started here. */
  machines: Partial<Record<WorkflowName, string | undefined>>;
  /** The default client takes region, endpoint and credentials from the environment. */
  client?: SFNClient;
}

export function stepFunctionsExecutions({ machines, client }: StepFunctionsOptions): Executions {
  const sfn = client ?? new SFNClient({ maxAttempts: 8 });
  return {
    async status(executionArn) {
      const describe = new DescribeExecutionCommand({ executionArn });
      try {
        const found = await callAws('states:DescribeExecution', () => sfn.send(describe), [
          'ExecutionDoesNotExist',
        ]);
        return statusOf(found);
      } catch (error) {
        if (nameOf(error) === 'ExecutionDoesNotExist') return undefined;
        throw error;
      }
    },
    async start(workflow, input, name) {
      const stateMachineArn = machines[workflow];
      if (!stateMachineArn)
        throw new InvalidConfiguration(`got no state machine for the workflow ${workflow}`);
      const start = new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input), name });
      const { executionArn } = await callAws('states:StartExecution', () => sfn.send(start));
      return { executionArn: executionArn ?? '' };
    },
    async stop(executionArn, reason) {
      const stop = new StopExecutionCommand({ executionArn, error: reason.errorName, cause: reason.message });
      await callAws('states:StopExecution', () => sfn.send(stop));
    },
  };
}

function statusOf(found: {
  status?: string;
  startDate?: Date;
  output?: string;
  error?: string;
  cause?: string;
}): ExecutionStatus {
  return {
    status: found.status ?? 'RUNNING',
    startedAt: found.startDate ?? new Date(0),
    ...(found.output !== undefined && { output: JSON.parse(found.output) as unknown }),
    ...(found.error !== undefined && { error: found.error }),
    ...(found.cause !== undefined && { cause: found.cause }),
  };
}

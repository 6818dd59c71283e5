// states:startExecution, and the same waiting for the execution's end (.sync:2).
import { ServiceError } from '../../endpoint/service.ts';
import { executionArn, parseMachineArn } from '../arns.ts';
import type { Execution } from '../execution.ts';
import { ExecutionEnd, limitedJson, StateFailure } from '../failures.ts';
import { rejectWhenAborted } from '../waiting.ts';
import { type Attempt, tellSubmitted } from './attempt.ts';

/** @throws StateFailure StepFunctions.…Exception, or States.TaskFailed with the execution that failed as its cause */
export async function startExecution(attempt: Attempt, signal: AbortSignal): Promise<unknown> {
  const { StateMachineArn: machineArn, Name: name, Input: input } = attempt.arguments;
  if (typeof machineArn !== 'string' || (name !== undefined && typeof name !== 'string')) {
    throw new StateFailure('States.Runtime', 'StateMachineArn and Name must be strings');
  }
  authorize(attempt, 'states:StartExecution', machineArn);
  const isSync = attempt.resource.resource === 'startExecution.sync:2';
  if (isSync) authorizeWatching(attempt, machineArn);
  const started = start(attempt, machineArn, name, input);
  const answer = { ExecutionArn: started.plan.arn, StartDate: started.startDate.toISOString() };
  if (!isSync) return answer;
  tellSubmitted(attempt, answer);
  return untilEnded(started, signal);
}

function start(attempt: Attempt, machineArn: string, name: string | undefined, input: unknown): Execution {
  const { engine } = attempt.visit.strand;
  try {
    return engine.start(machineArn, {
      input: limitedJson(input ?? {}, 'Input'),
      ...(name !== undefined && { name }),
    });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new StateFailure(`StepFunctions.${error.code}Exception`, error.message);
  }
}

async function untilEnded(started: Execution, signal: AbortSignal): Promise<unknown> {
  const stopped = rejectWhenAborted(signal);
  try {
    await Promise.race([started.done, stopped]);
  } catch (error) {
    // Stopped or timed out here: what was started for this task goes with it.
    started.end(
      new ExecutionEnd('ABORTED', undefined, 'The task that waited for this execution was stopped'),
    );
    await started.done;
    throw error;
  }
  const { status, output, error, cause } = await started.done;
  const description = {
    ExecutionArn: started.plan.arn,
    Input: JSON.parse(started.plan.input),
    InputDetails: { Included: true },
    Name: started.plan.name,
    StartDate: started.startDate.getTime(),
    StateMachineArn: started.plan.stateMachineArn,
    Status: status,
    StopDate: started.stopDate?.getTime(),
  };
  if (status === 'SUCCEEDED') {
    return { ...description, Output: JSON.parse(output ?? 'null'), OutputDetails: { Included: true } };
  }
  throw new StateFailure('States.TaskFailed', JSON.stringify({ ...description, Error: error, Cause: cause }));
}

/** What the service needs to wait: to look, to stop, and the EventBridge rule that tells it of the end. */
function authorizeWatching(attempt: Attempt, machineArn: string): void {
  const { partition, region, account } = parseMachineArn(machineArn);
  const anyExecution = executionArn(machineArn, '*');
  const rule = `arn:${partition}:events:${region}:${account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule`;
  authorize(attempt, 'states:DescribeExecution', anyExecution);
  authorize(attempt, 'states:StopExecution', anyExecution);
  for (const action of ['events:PutTargets', 'events:PutRule', 'events:DescribeRule']) {
    authorize(attempt, action, rule);
  }
}

function authorize(attempt: Attempt, action: string, resource: string): void {
  const { engine, execution } = attempt.visit.strand;
  const { roleArn } = execution.plan.machine;
  const decision = engine.ports.authorize(roleArn, action, resource);
  if (decision.allowed) return;
  throw new StateFailure(
    'StepFunctions.AWSStepFunctionsException',
    `${roleArn} is not authorized to perform: ${action} on resource: ${resource}: ${decision.reason} (Status Code: 400; Error Code: AccessDeniedException)`,
  );
}

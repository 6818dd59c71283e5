// lambda:invoke, and the same waiting for a task token.
import { parseMachineArn } from '../arns.ts';
import { StateFailure } from '../failures.ts';
import { rejectWhenAborted } from '../waiting.ts';
import { type Attempt, tellSubmitted } from './attempt.ts';

/** @throws StateFailure with the function's own error, or what a token was failed with */
export async function invokeLambda(attempt: Attempt, signal: AbortSignal): Promise<unknown> {
  const { token } = attempt;
  if (!token) return invoke(attempt);
  return Promise.race([token.answer, handOver(attempt, signal)]);
}

/** A function that fails before its token is answered fails the task at once; otherwise the token decides. */
async function handOver(attempt: Attempt, signal: AbortSignal): Promise<never> {
  let answer: unknown;
  try {
    answer = await invoke(attempt);
  } catch (error) {
    if (attempt.token?.expire()) throw error;
    return rejectWhenAborted(signal);
  }
  if (!signal.aborted) tellSubmitted(attempt, answer);
  return rejectWhenAborted(signal);
}

async function invoke(attempt: Attempt): Promise<unknown> {
  const { engine, execution } = attempt.visit.strand;
  const { roleArn, arn } = execution.plan.machine;
  const functionName = attempt.arguments['FunctionName'];
  if (typeof functionName !== 'string') {
    throw new StateFailure(
      'States.Runtime',
      `FunctionName must be a string, got ${JSON.stringify(functionName)}`,
    );
  }
  const resource = functionArn(functionName, arn);
  const decision = engine.ports.authorize(roleArn, 'lambda:InvokeFunction', resource);
  if (!decision.allowed) {
    // The service has no name of its own for this; its Lambda integration tells every other answer by this one.
    throw new StateFailure(
      'Lambda.AWSLambdaException',
      `${roleArn} is not authorized to perform: lambda:InvokeFunction on resource: ${resource}: ${decision.reason} (Service: AWSLambda; Status Code: 403; Error Code: AccessDeniedException)`,
    );
  }
  const outcome = await engine.ports.invokeLambda({
    roleArn,
    functionName,
    payload: attempt.arguments['Payload'] ?? {},
  });
  if ('error' in outcome) throw new StateFailure(outcome.error, outcome.cause);
  return { ExecutedVersion: '$LATEST', Payload: outcome.ok ?? null, StatusCode: 200 };
}

function functionArn(functionName: string, machineArn: string): string {
  if (functionName.startsWith('arn:')) return functionName;
  const { partition, region, account } = parseMachineArn(machineArn);
  return `arn:${partition}:lambda:${region}:${account}:function:${functionName}`;
}

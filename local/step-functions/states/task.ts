// Task: its time limits and events. What each integration does is in lambda-invoke.ts and start-execution.ts.
import type { TaskState } from '../definition.ts';
import { argumentProblems } from '../definition-checks.ts';
import { limitedJson, StateFailure } from '../failures.ts';
import { parseResource, type Resource } from '../resources.ts';
import { evaluate, type Visit } from '../strand.ts';
import { pause, race, rejectWhenAborted } from '../waiting.ts';
import { type Attempt, resourceDetails } from './attempt.ts';
import { evaluateWholeNumber } from './flow.ts';
import { invokeLambda } from './lambda-invoke.ts';
import { startExecution } from './start-execution.ts';

interface TimeLimits {
  timeoutMs: number | undefined;
  heartbeatMs: number | undefined;
}

/** One attempt: the retries around it are the caller's. @throws StateFailure */
export async function performTask(visit: Visit, state: TaskState): Promise<unknown> {
  const { engine, execution } = visit.strand;
  const resource = parseResource(state.Resource);
  if (!resource) throw new StateFailure('States.Runtime', `Resource ${state.Resource} is not implemented`);
  const token = resource.resource.endsWith('waitForTaskToken')
    ? engine.tokens.open(execution.plan.stateMachineArn)
    : undefined;
  if (token) visit.taskToken = token.token;
  try {
    const given = await evaluateArguments(visit, state, resource);
    const limits = await timeLimits(visit, state);
    const attempt: Attempt = { visit, resource, arguments: given, ...(token && { token }) };
    tellScheduled(attempt, limits);
    return await endingInAnEvent(attempt, () => withinLimits(attempt, limits));
  } finally {
    token?.expire();
    delete visit.taskToken;
  }
}

async function evaluateArguments(
  visit: Visit,
  state: TaskState,
  resource: Resource,
): Promise<Record<string, unknown>> {
  const value = await evaluate(visit, state.Arguments ?? {}, 'Arguments');
  const problems = argumentProblems(resource.kind, value);
  if (problems.length > 0 || typeof value !== 'object' || value === null) {
    throw new StateFailure('States.Runtime', `state '${visit.name}': ${problems.join('; ')}`);
  }
  limitedJson(value, `Arguments of state '${visit.name}'`);
  return Object.fromEntries(Object.entries(value));
}

async function timeLimits(visit: Visit, state: TaskState): Promise<TimeLimits> {
  const inMs = async (template: unknown, field: string) =>
    template === undefined ? undefined : (await evaluateWholeNumber(visit, template, field)) * 1000;
  const timeoutMs = await inMs(state.TimeoutSeconds, 'TimeoutSeconds');
  const heartbeatMs = await inMs(state.HeartbeatSeconds, 'HeartbeatSeconds');
  return { timeoutMs, heartbeatMs };
}

/** Heartbeats put off HeartbeatSeconds only; TimeoutSeconds runs from the start of the attempt. */
function withinLimits(attempt: Attempt, limits: TimeLimits): Promise<unknown> {
  const { visit, resource } = attempt;
  const { clock } = visit.strand.engine.ports;
  const { timeoutMs, heartbeatMs } = limits;
  const contenders = [
    (signal: AbortSignal): Promise<unknown> =>
      resource.kind === 'lambda' ? invokeLambda(attempt, signal) : startExecution(attempt, signal),
  ];
  if (timeoutMs !== undefined) {
    contenders.push(async (signal) => {
      await pause(clock, timeoutMs, signal);
      return expired(attempt, signal, 'States.Timeout', `no answer within ${timeoutMs / 1000} s`);
    });
  }
  if (heartbeatMs !== undefined) {
    contenders.push(async (signal) => {
      await untilHeartbeatIsMissed(attempt, heartbeatMs, signal);
      return expired(attempt, signal, 'States.HeartbeatTimeout', `no heartbeat for ${heartbeatMs / 1000} s`);
    });
  }
  return race(visit.strand.signal, contenders);
}

async function untilHeartbeatIsMissed(attempt: Attempt, heartbeatMs: number, signal: AbortSignal) {
  const { clock } = attempt.visit.strand.engine.ports;
  const startedAt = clock.now();
  for (;;) {
    const last = attempt.token?.lastHeartbeat ?? startedAt;
    const remaining = last.getTime() + heartbeatMs - clock.now().getTime();
    if (remaining <= 0) return;
    await pause(clock, remaining, signal);
  }
}

/** An answer that was accepted just before counts, so that nobody is told "accepted" in vain. */
function expired(attempt: Attempt, signal: AbortSignal, error: string, why: string): Promise<never> {
  if (attempt.token && !attempt.token.expire()) return rejectWhenAborted(signal);
  throw new StateFailure(error, why);
}

function tellScheduled(attempt: Attempt, limits: TimeLimits): void {
  const { strand } = attempt.visit;
  const { history, plan } = strand.execution;
  history.add(strand, 'TaskScheduled', {
    ...resourceDetails(attempt),
    region: plan.machine.arn.split(':')[3],
    parameters: JSON.stringify(attempt.arguments),
    ...(limits.timeoutMs !== undefined && { timeoutInSeconds: limits.timeoutMs / 1000 }),
    ...(limits.heartbeatMs !== undefined && { heartbeatInSeconds: limits.heartbeatMs / 1000 }),
  });
  history.add(strand, 'TaskStarted', resourceDetails(attempt));
}

async function endingInAnEvent(attempt: Attempt, run: () => Promise<unknown>): Promise<unknown> {
  const { strand, name } = attempt.visit;
  const { history } = strand.execution;
  const details = resourceDetails(attempt);
  try {
    const result = await run();
    const output = limitedJson(result, `the result of state '${name}'`);
    history.add(strand, 'TaskSucceeded', { ...details, output, outputDetails: { truncated: false } });
    return result;
  } catch (error) {
    if (error instanceof StateFailure) {
      const isTimeout = error.error === 'States.Timeout' || error.error === 'States.HeartbeatTimeout';
      const type = isTimeout ? 'TaskTimedOut' : 'TaskFailed';
      history.addIfRoom(strand, type, { ...details, error: error.error, cause: error.why });
    }
    throw error;
  }
}

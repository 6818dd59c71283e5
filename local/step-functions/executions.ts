// All executions and map runs of this process. They live in memory: a restart forgets them, like a new account.
import { ServiceError } from '../endpoint/service.ts';
import { childArns, executionArn, isValidName, mapRunArn } from './arns.ts';
import type { MapState } from './definition.ts';
import type { Evaluator } from './evaluator.ts';
import { Execution, type ExecutionOutcome, type ExecutionPlan } from './execution.ts';
import { ExecutionEnd, PAYLOAD_LIMIT_BYTES, StateFailure } from './failures.ts';
import { MapRun } from './map-run.ts';
import type { StepFunctionsPorts } from './ports.ts';
import { runStates } from './run-states.ts';
import type { StateMachines } from './state-machines.ts';
import type { Engine, MapRunSettings, Strand } from './strand.ts';
import { TaskTokens } from './task-tokens.ts';
import { pause } from './waiting.ts';

export class Executions implements Engine {
  readonly ports: StepFunctionsPorts;
  readonly evaluator: Evaluator;
  readonly tokens: TaskTokens;
  readonly #machines: StateMachines;
  readonly #byArn = new Map<string, Execution>();
  readonly #mapRuns = new Map<string, MapRun>();
  readonly #listeners = new Set<(execution: Execution) => void>();
  /** A Distributed Map without a Label keeps the one it was given first. */
  readonly #labels = new WeakMap<MapState, string>();
  #isClosed = false;

  constructor(ports: StepFunctionsPorts, evaluator: Evaluator, machines: StateMachines) {
    this.ports = ports;
    this.evaluator = evaluator;
    this.#machines = machines;
    this.tokens = new TaskTokens(ports.clock, ports.newId);
  }

  /**
   * The same name with the same input, still running, is the same execution.
   * @throws ServiceError StateMachineDoesNotExist, InvalidName, InvalidExecutionInput, ExecutionAlreadyExists
   */
  start(machineArn: string, request: { name?: string; input: string }): Execution {
    if (this.#isClosed) throw new ServiceError('ServiceUnavailable', 'Step Functions is closing', 503);
    const machine = this.#machines.get(machineArn);
    const name = request.name ?? this.ports.newId();
    if (!isValidName(name)) throw new ServiceError('InvalidName', `Invalid Name: '${name}'`);
    checkInput(request.input);
    const arn = executionArn(machineArn, name);
    const known = this.#byArn.get(arn);
    if (known) {
      if (known.status === 'RUNNING' && known.plan.input === request.input) return known;
      throw new ServiceError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
    }
    const { definition } = machine;
    return this.#begin({
      arn,
      name,
      machine,
      stateMachineArn: machine.arn,
      body: definition,
      input: request.input,
      ...(definition.TimeoutSeconds !== undefined && { timeoutSeconds: definition.TimeoutSeconds }),
    });
  }

  openMapRun(parent: Execution, state: MapState, settings: Omit<MapRunSettings, 'label'>): MapRun {
    const label = state.Label ?? this.#labels.get(state) ?? this.ports.newId();
    this.#labels.set(state, label);
    const arn = mapRunArn(parent.plan.machine.arn, label, this.ports.newId());
    const mapRun = new MapRun(arn, parent, { ...settings, label }, this.ports.clock);
    this.#mapRuns.set(arn, mapRun);
    return mapRun;
  }

  startChild(
    mapRun: MapRun,
    parent: Execution,
    state: MapState,
    input: string,
    signal: AbortSignal,
  ): Execution {
    const { machine } = parent.plan;
    const name = this.ports.newId();
    const arns = childArns(machine.arn, mapRun.settings.label, name);
    const child = this.#begin({
      arn: arns.executionArn,
      name,
      machine,
      stateMachineArn: arns.stateMachineArn,
      body: state.ItemProcessor,
      input,
      mapRunArn: mapRun.arn,
    });
    const stop = () => child.end(new ExecutionEnd('ABORTED'));
    signal.addEventListener('abort', stop, { once: true });
    child.done.finally(() => signal.removeEventListener('abort', stop));
    return child;
  }

  /** @throws ServiceError ExecutionDoesNotExist */
  get(arn: string): Execution {
    const execution = this.#byArn.get(arn);
    if (!execution) throw new ServiceError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    return execution;
  }

  /** @throws ServiceError ResourceNotFound */
  mapRun(arn: string): MapRun {
    const mapRun = this.#mapRuns.get(arn);
    if (!mapRun) throw new ServiceError('ResourceNotFound', `Resource not found: '${arn}'`);
    return mapRun;
  }

  /** Newest first. */
  list(): Execution[] {
    return [...this.#byArn.values()].reverse();
  }
  mapRuns(): MapRun[] {
    return [...this.#mapRuns.values()].reverse();
  }

  /** Returns when nothing of it runs any more; its children have ended too. */
  async stop(arn: string, error?: string, cause?: string): Promise<Execution> {
    const execution = this.get(arn);
    execution.end(new ExecutionEnd('ABORTED', error, cause));
    await execution.done;
    return execution;
  }

  /** Returns when nothing of the machine runs any more. */
  async stopAllOf(machineArn: string, cause: string): Promise<void> {
    await this.#endAll(
      this.list().filter(({ plan }) => plan.stateMachineArn === machineArn),
      cause,
    );
  }

  /** Told of each start and end, but for a Distributed Map's children. Returns how to stop listening. */
  onStatusChange(listener: (execution: Execution) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends everything; fulfilled when nothing runs. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#endAll(this.list(), 'The local Step Functions was closed');
  }

  async #endAll(executions: readonly Execution[], cause: string): Promise<void> {
    const running = executions.filter((execution) => execution.status === 'RUNNING');
    for (const execution of running) execution.end(new ExecutionEnd('ABORTED', undefined, cause));
    await Promise.all(running.map((execution) => execution.done));
  }

  #begin(plan: ExecutionPlan): Execution {
    const execution = new Execution(plan, this.ports.clock);
    this.#byArn.set(plan.arn, execution);
    void this.#run(execution);
    return execution;
  }

  async #run(execution: Execution): Promise<void> {
    const { plan, history } = execution;
    const strand: Strand = {
      engine: this,
      execution,
      scope: { variables: {} },
      signal: execution.signal,
      lastEventId: 0,
    };
    history.add(strand, 'ExecutionStarted', {
      input: plan.input,
      inputDetails: { truncated: false },
      roleArn: plan.machine.roleArn,
    });
    this.#tell(execution);
    this.#endInTime(execution);
    const outcome = await this.#outcomeOf(execution, strand);
    const { status, ...details } = outcome;
    history.addLast(strand, lastEvents[status], details);
    execution.settle(outcome);
    this.#tell(execution);
  }

  async #outcomeOf(execution: Execution, strand: Strand): Promise<ExecutionOutcome> {
    const { plan } = execution;
    try {
      const output = await runStates(strand, plan.body, JSON.parse(plan.input));
      return { status: 'SUCCEEDED', output: JSON.stringify(output) };
    } catch (error) {
      return failedOutcome(error);
    }
  }

  #endInTime(execution: Execution): void {
    const { timeoutSeconds } = execution.plan;
    if (timeoutSeconds === undefined) return;
    pause(this.ports.clock, timeoutSeconds * 1000, execution.signal).then(
      () =>
        execution.end(new ExecutionEnd('TIMED_OUT', 'States.Timeout', `TimeoutSeconds: ${timeoutSeconds}`)),
      () => {},
    );
  }

  #tell(execution: Execution): void {
    if (execution.plan.mapRunArn !== undefined) return;
    for (const listener of this.#listeners) listener(execution);
  }
}

const lastEvents = {
  SUCCEEDED: 'ExecutionSucceeded',
  FAILED: 'ExecutionFailed',
  TIMED_OUT: 'ExecutionTimedOut',
  ABORTED: 'ExecutionAborted',
} as const;

function failedOutcome(error: unknown): ExecutionOutcome {
  if (error instanceof ExecutionEnd) {
    return {
      status: error.status,
      ...(error.error !== undefined && { error: error.error }),
      ...(error.why !== undefined && { cause: error.why }),
    };
  }
  if (error instanceof StateFailure) {
    // Uncaught, a missed heartbeat is told as the timeout that it is.
    const name = error.error === 'States.HeartbeatTimeout' ? 'States.Timeout' : error.error;
    return { status: 'FAILED', error: name, cause: error.why };
  }
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { status: 'FAILED', error: 'States.Runtime', cause: `a defect of the local interpreter: ${why}` };
}

function checkInput(input: string): void {
  const sizeBytes = Buffer.byteLength(input);
  if (sizeBytes > PAYLOAD_LIMIT_BYTES) {
    throw new ServiceError(
      'InvalidExecutionInput',
      `Invalid State Machine Execution Input: ${sizeBytes} bytes; the limit is ${PAYLOAD_LIMIT_BYTES}`,
    );
  }
  try {
    JSON.parse(input);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ServiceError('InvalidExecutionInput', `Invalid State Machine Execution Input: ${why}`);
  }
}

// One execution: what DescribeExecution tells of it, its history, and the signal that ends it.
import type { Clock } from '../../adapters/ports.ts';
import type { StateList } from './definition.ts';
import { ExecutionEnd } from './failures.ts';
import { History } from './history.ts';
import type { StateMachine } from './state-machines.ts';

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

export interface ExecutionPlan {
  arn: string;
  name: string;
  /** As it was when the execution began: a later definition does not touch it. */
  machine: StateMachine;
  /** The machine's, or `<machine>/<label>` for a Distributed Map's child. */
  stateMachineArn: string;
  body: StateList;
  /** JSON text. */
  input: string;
  mapRunArn?: string;
  timeoutSeconds?: number;
}

export interface ExecutionOutcome {
  status: Exclude<ExecutionStatus, 'RUNNING'>;
  output?: string;
  error?: string;
  cause?: string;
}

export class Execution {
  readonly plan: ExecutionPlan;
  readonly startDate: Date;
  readonly history: History;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #done = Promise.withResolvers<ExecutionOutcome>();
  #outcome: ExecutionOutcome | undefined;
  #stopDate: Date | undefined;

  constructor(plan: ExecutionPlan, clock: Clock) {
    this.plan = plan;
    this.#clock = clock;
    this.startDate = clock.now();
    this.history = new History(clock, (end) => this.end(end));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get status(): ExecutionStatus {
    return this.#outcome?.status ?? 'RUNNING';
  }
  get outcome(): ExecutionOutcome | undefined {
    return this.#outcome;
  }
  get stopDate(): Date | undefined {
    return this.#stopDate;
  }
  /** Fulfilled when nothing of it runs any more; never rejected. */
  get done(): Promise<ExecutionOutcome> {
    return this.#done.promise;
  }

  /** Asks it to end; `done` tells when it has. Only the first reason counts. */
  end(reason: ExecutionEnd): void {
    this.#controller.abort(reason);
  }

  settle(outcome: ExecutionOutcome): void {
    this.#outcome = outcome;
    this.#stopDate = this.#clock.now();
    this.#controller.abort(new ExecutionEnd('ABORTED'));
    this.#done.resolve(outcome);
  }
}

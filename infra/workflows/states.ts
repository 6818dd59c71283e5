// The states that the workflows are made of: a step (one Lambda), an action on each host, forks, and the failed end.
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import {
  Chain,
  Choice,
  Condition,
  DistributedMap,
  Errors,
  Fail,
  type IChainable,
  IntegrationPattern,
  type IStateMachine,
  Pass,
  QueryLanguage,
  S3JsonItemReader,
  StateMachineType,
  TaskInput,
  type TaskStateBase,
  Wait,
  WaitTime,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import type { ActionName } from '../../contracts/actions.ts';
import type { StateName } from '../../contracts/steps.ts';
import type { StepFunctions } from '../constructs/steps.ts';
import { actionOnHost } from './action-on-host.ts';
import {
  ANSWER,
  caught,
  jsonata,
  KEEP_INPUT,
  reportableCause,
  reportableName,
  toldFrom,
} from './expressions.ts';
import { TRANSIENT } from './retries.ts';

export interface WorkflowParts {
  functions: StepFunctions;
  vault: IBucket;
  /** Of the vault: empty, or ends with "/". */
  prefix: string;
}

/** A JSON value with an expression wherever the run decides. */
type Values = Record<string, unknown>;

interface OnFailure {
  /** Where a failure leads, by default to what {@link WorkflowStates.failuresLeadTo} said. */
  onFailure?: IChainable;
  /** What a failure assigns, by default `$error`. */
  onFailureAssign?: Values;
}

interface StepOptions extends OnFailure {
  assign?: Values;
  output?: unknown;
  /** Follows the state's name, where the step is a state of the machine already. */
  of?: string;
  /** An expression, of seconds. */
  timeoutSeconds?: string;
}

/** The CDK would render an expression of a time-out as JSONPath. */
class Step extends LambdaInvoke {
  timeoutSeconds: string | undefined;

  override toStateJson(language?: QueryLanguage): object {
    const { timeoutSeconds } = this;
    return { ...super.toStateJson(language), ...(timeoutSeconds && { TimeoutSeconds: timeoutSeconds }) };
  }
}

/** Where failures lead. */
export interface FailedEnds {
  /** Keeps the cause (`$error`) with the run. */
  failed: IChainable;
  /** For a run that was recorded and has only its lock left (`$told`). */
  unreleased: IChainable;
}

interface ActionOptions extends OnFailure {
  /** Variable that holds the host list's key. */
  list:
    | 'hostsKey'
    | 'nodesKey'
    | 'schemaNodeKey'
    | 'indexNodeKey'
    | 'quietKey'
    | 'seedsKey'
    | 'othersKey'
    | 'repairKey'
    | 'witnessesKey';
  /** By default the action's name. */
  phase?: string;
  /** True once there is a plan. */
  planned?: boolean;
  parameters?: Values;
  /** True for cleaning: one host's failure does not stop the others. */
  tolerant?: boolean;
  /** One host after another, whatever the policy. */
  oneByOne?: boolean;
}

/** A machine may read the host lists of runs, and nothing else in the vault. */
class HostListReader extends S3JsonItemReader {
  private readonly lists: string;
  constructor(parts: WorkflowParts, key: string) {
    super({ bucket: parts.vault, key });
    this.lists = parts.vault.arnForObjects(`${parts.prefix}plans/*`);
  }
  override providePolicyStatements(): PolicyStatement[] {
    return [new PolicyStatement({ actions: ['s3:GetObject'], resources: [this.lists] })];
  }
}

export class WorkflowStates {
  private readonly scope: Construct;
  private readonly parts: WorkflowParts;
  private failureHandler?: IChainable;

  constructor(scope: Construct, parts: WorkflowParts) {
    this.scope = scope;
    this.parts = parts;
  }

  /** Gives the variables their first values. */
  begin(assign: Values): Pass {
    return Pass.jsonata(this.scope, 'Begin', { assign, outputs: KEEP_INPUT });
  }

  /** Changes variables. */
  let(name: string, assign: Values): Pass {
    return Pass.jsonata(this.scope, name, { assign, outputs: KEEP_INPUT });
  }

  /** @param seconds an expression */
  wait(name: string, seconds: string): Wait {
    return Wait.jsonata(this.scope, name, { time: WaitTime.seconds(seconds), outputs: KEEP_INPUT });
  }

  /** Calls the Lambda of the same name. */
  step(name: StateName, input: Values, options: StepOptions = {}): LambdaInvoke {
    const id = options.of ? `${name} (${options.of})` : name;
    const task = new Step(this.scope, id, {
      queryLanguage: QueryLanguage.JSONATA,
      lambdaFunction: this.parts.functions[name],
      retryOnServiceExceptions: false,
      payload: TaskInput.fromObject(input),
      outputs: options.output ?? KEEP_INPUT,
      ...(options.assign && { assign: options.assign }),
    });
    task.timeoutSeconds = options.timeoutSeconds;
    task.addRetry(TRANSIENT);
    this.catchAll(task, options);
    return task;
  }

  /** Carries an action out on each host of a list; without `tolerant`, one host's failure fails it and stops the rest. */
  onEach(name: string, action: ActionName, options: ActionOptions): DistributedMap {
    const map = DistributedMap.jsonata(this.scope, name, {
      label: name,
      mapExecutionType: StateMachineType.STANDARD,
      itemReader: new HostListReader(this.parts, jsonata(`$${options.list}`)),
      itemSelector: {
        run: jsonata('$run'),
        host: jsonata('$states.context.Map.Item.Value'),
        action,
        phase: options.phase ?? action,
        ...(options.planned && { planKey: jsonata('$planKey') }),
        ...(options.parameters && { parameters: options.parameters }),
        policy: jsonata('$policy'),
      },
      ...(options.oneByOne
        ? { maxConcurrency: 1 }
        : { jsonataMaxConcurrency: jsonata('$policy.hostsAtOnce') }),
      ...(options.tolerant && { toleratedFailurePercentage: 100 }),
      outputs: KEEP_INPUT,
    });
    map.itemProcessor(actionOnHost(this.scope, name, this.parts.functions));
    this.catchAll(map, options);
    return map;
  }

  /** Runs Recover for an execution and waits for its end. */
  runToItsEnd(
    name: string,
    machine: IStateMachine,
    input: Values,
    options: StepOptions,
  ): StepFunctionsStartExecution {
    const task = StepFunctionsStartExecution.jsonata(this.scope, name, {
      stateMachine: machine,
      integrationPattern: IntegrationPattern.RUN_JOB,
      input: TaskInput.fromObject(input),
      outputs: KEEP_INPUT,
      ...(options.assign && { assign: options.assign }),
    });
    this.catchAll(task, options);
    return task;
  }

  /** Leaves the procedure where a condition holds; the first that does is taken. Goes on otherwise. */
  fork(name: string, ways: Record<string, IChainable>): Chain {
    const choice = Choice.jsonata(this.scope, name, { outputs: KEEP_INPUT });
    for (const [condition, way] of Object.entries(ways)) {
      choice.when(Condition.jsonata(jsonata(condition)), way);
    }
    const otherwise = {
      next(state: IChainable): Chain {
        choice.otherwise(state);
        return Chain.start(state);
      },
    };
    return Chain.custom(choice, [otherwise], choice);
  }

  /** Where every state leads that is made after this and fails. */
  failuresLeadTo(handler: IChainable): void {
    this.failureHandler = handler;
  }

  /** The failed ends of a run: Recover ends the run on its hosts, and the run fails by the first cause's name. */
  failRun(recover: IStateMachine): FailedEnds {
    const runFailed = this.fail('RunFailed');
    const startRecover = StepFunctionsStartExecution.jsonata(this.scope, 'StartRecover', {
      stateMachine: recover,
      input: TaskInput.fromObject({ executionArn: jsonata('$states.context.Execution.Id') }),
      outputs: KEEP_INPUT,
    });
    // The rule on execution status and the sweep start Recover as well.
    this.catchAll(startRecover, { onFailure: runFailed, onFailureAssign: {} });
    startRecover.next(runFailed);
    return { failed: this.keepCause(startRecover), unreleased: startRecover };
  }

  /** The failed ends of Recover: the sweep starts the next one. */
  failRecovery(): FailedEnds {
    const runFailed = this.fail('RunFailed');
    return { failed: this.keepCause(runFailed), unreleased: runFailed };
  }

  /** Fails by `$told`. */
  fail(name: string): Fail {
    return Fail.jsonata(this.scope, name, {
      error: reportableName('$told.errorName'),
      cause: reportableCause('$told'),
    });
  }

  private keepCause(then: IChainable): IChainable {
    const failRun = this.step(
      'FailRun',
      { run: jsonata('$run'), error: jsonata('$error') },
      {
        assign: { told: jsonata(ANSWER) },
        onFailure: then,
        onFailureAssign: { told: toldFrom('$error') },
      },
    );
    failRun.next(then);
    return failRun;
  }

  private catchAll(state: TaskStateBase | DistributedMap, options: OnFailure): void {
    const handler = options.onFailure ?? this.failureHandler;
    if (!handler)
      throw new Error(`${state.id}: expected failuresLeadTo() before the first state that may fail`);
    state.addCatch(handler, {
      errors: [Errors.ALL],
      assign: options.onFailureAssign ?? { error: caught() },
      outputs: KEEP_INPUT,
    });
  }
}

/** What a failure assigns that leads to {@link FailedEnds.unreleased}. */
export const TOLD: Values = { told: toldFrom('$states.errorOutput') };

/** What a failure assigns where it does not fail the run. */
export function addWarning(text: string): Values {
  return {
    warnings: jsonata(`[$warnings, '${text}: ' & $states.errorOutput.Error]`),
  };
}

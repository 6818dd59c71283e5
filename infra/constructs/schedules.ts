// What starts workflows by itself: the clusters' schedules, the rule on execution status, and the sweep.
import { Duration, TimeZone } from 'aws-cdk-lib';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleTargetInput,
  TimeWindow,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';

export interface SchedulesProps {
  configuration: RingvaultConfiguration;
  backup: IStateMachine;
  restore: IStateMachine;
  register: IStateMachine;
  recover: IStateMachine;
  sweepRuns: IFunction;
}

const SWEEP_EVERY = Duration.minutes(15);
/** Of events that start Recover: the sweep finds what they missed. */
const MAX_EVENT_AGE = Duration.hours(1);

export class Schedules extends Construct {
  /** Starts that could not be delivered. */
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id);
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.addBackups(props);
    this.addRecoverOnEnd(props);
    const deadLetterQueue = this.deadLetters;
    new Schedule(this, 'Sweep', {
      description:
        'Ringvault: starts Recover for runs that nobody executes any more, and measures backup ages',
      schedule: ScheduleExpression.rate(SWEEP_EVERY),
      target: new LambdaInvoke(props.sweepRuns, {
        deadLetterQueue,
        maxEventAge: SWEEP_EVERY,
        retryAttempts: 3,
      }),
    });
  }

  private addBackups({ configuration, backup }: SchedulesProps): void {
    for (const [clusterId, cluster] of Object.entries(configuration.clusters)) {
      const ofCluster = new Construct(this, clusterId);
      for (const schedule of cluster.schedules) {
        const { name, kind, expression, timezone, enabled, windowMinutes, flexible, overlap, ...chosen } =
          schedule;
        const window = Duration.minutes(windowMinutes);
        new Schedule(ofCluster, name, {
          description: `Ringvault: ${kind} of ${clusterId}, schedule ${name}`,
          schedule: ScheduleExpression.expression(expression, TimeZone.of(timezone)),
          enabled,
          timeWindow: flexible ? TimeWindow.flexible(window) : TimeWindow.off(),
          target: new StepFunctionsStartExecution(backup, {
            deadLetterQueue: this.deadLetters,
            maxEventAge: window,
            input: ScheduleTargetInput.fromObject({
              clusterId,
              kind,
              ...chosen,
              schedule: name,
              scheduledTime: ContextAttribute.scheduledTime,
              requestedBy: `schedule ${name}`,
            }),
          }),
        });
      }
    }
  }

  /**
   * A Recover that failed is not started again at once, because nothing has changed since: the sweep does it.
   * Events are best effort; the next claim and the sweep find what they missed.
   */
  private addRecoverOnEnd({ backup, restore, register, recover }: SchedulesProps): void {
    const rules = [
      {
        name: 'RecoverRun',
        machines: [backup, restore, register],
        status: ['FAILED', 'ABORTED', 'TIMED_OUT'],
      },
      { name: 'RecoverRecovery', machines: [recover], status: ['ABORTED', 'TIMED_OUT'] },
    ];
    for (const { name, machines, status } of rules) {
      const rule = new Rule(this, name, {
        description: 'Ringvault: an execution ended that may not have ended its run',
        eventPattern: {
          source: ['aws.states'],
          detailType: ['Step Functions Execution Status Change'],
          detail: { stateMachineArn: machines.map((machine) => machine.stateMachineArn), status },
        },
      });
      rule.addTarget(
        new SfnStateMachine(recover, {
          input: RuleTargetInput.fromObject({ executionArn: EventField.fromPath('$.detail.executionArn') }),
          deadLetterQueue: this.deadLetters,
          maxEventAge: MAX_EVENT_AGE,
        }),
      );
    }
  }
}

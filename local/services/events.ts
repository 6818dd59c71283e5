// EventBridge: rules on events and on time, and the part of its API that looks at them.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type JsonService, LOCAL_ACCOUNT, LOCAL_REGION, ServiceError } from '../endpoint/service.ts';
import type { ExecutionStatusChange } from '../step-functions/answers.ts';
import { inputOf, type RuleEvent, type TargetInput } from './event-inputs.ts';
import { type EventPattern, matchesPattern } from './event-patterns.ts';
import { operation } from './operation.ts';
import type { ScheduleClock } from './schedule-clock.ts';
import { timetableOf } from './schedule-expression.ts';
import type { Targets } from './targets.ts';

export interface RuleTarget extends TargetInput {
  id: string;
  arn: string;
  roleArn?: string;
  maximumRetryAttempts: number;
  deadLetterArn?: string;
}

export interface RuleDefinition {
  arn: string;
  name: string;
  description?: string;
  enabled: boolean;
  pattern?: EventPattern;
  scheduleExpression?: string;
  targets: RuleTarget[];
}

export class EventBus {
  readonly rules = new Map<string, RuleDefinition>();
  readonly #clock: ScheduleClock;
  readonly #targets: Targets;
  /** Test lever: events are best effort, and these are lost. */
  dropEvents = false;

  constructor(clock: ScheduleClock, targets: Targets) {
    this.#clock = clock;
    this.#targets = targets;
  }

  /** @throws ServiceError ValidationException */
  addRule(rule: RuleDefinition): void {
    for (const { arn } of rule.targets) this.#targets.check(arn);
    this.rules.set(rule.name, rule);
    if (!rule.scheduleExpression || !rule.enabled) return;
    this.#clock.add({
      timetable: timetableOf(rule.scheduleExpression, 'UTC', this.#clock.now()),
      fire: (at) => this.#send(rule, scheduledEvent(rule, at)),
    });
  }

  /** Answers when every rule that matches has been served. */
  async put(event: RuleEvent): Promise<void> {
    if (this.dropEvents) return;
    for (const rule of this.rules.values()) {
      if (rule.enabled && rule.pattern && matchesPattern(rule.pattern, event)) await this.#send(rule, event);
    }
  }

  executionStatusChanged(change: ExecutionStatusChange): Promise<void> {
    return this.put({
      ...envelope('Step Functions Execution Status Change', 'aws.states', new Date()),
      resources: [change.executionArn],
      detail: change,
    });
  }

  async #send(rule: RuleDefinition, event: RuleEvent): Promise<void> {
    for (const target of rule.targets) {
      await this.#targets.deliver(
        {
          targetArn: target.arn,
          input: inputOf(target, event, rule.arn),
          principal: 'events.amazonaws.com',
          sourceArn: rule.arn,
          roleArn: target.roleArn,
          id: randomUUID(),
        },
        { attempts: target.maximumRetryAttempts, deadLetterArn: target.deadLetterArn },
      );
    }
  }
}

function envelope(detailType: string, source: string, time: Date): RuleEvent {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': detailType,
    source,
    account: LOCAL_ACCOUNT,
    time: time.toISOString().replace(/\.\d+Z$/, 'Z'),
    region: LOCAL_REGION,
  };
}

function scheduledEvent(rule: RuleDefinition, at: Date): RuleEvent {
  return { ...envelope('Scheduled Event', 'aws.events', at), resources: [rule.arn], detail: {} };
}

export function eventsService(bus: EventBus): JsonService {
  return {
    protocol: 'json',
    signingName: 'events',
    targetPrefix: 'AWSEvents',
    jsonVersion: '1.1',
    operations: {
      ListRules: operation(
        z.strictObject({ NamePrefix: z.string().default('') }),
        async ({ NamePrefix }, context) => {
          context.authorize('events:ListRules', '*');
          return {
            Rules: [...bus.rules.values()].filter((each) => each.name.startsWith(NamePrefix)).map(describe),
          };
        },
      ),
      DescribeRule: operation(z.strictObject({ Name: z.string() }), async ({ Name }, context) => {
        const rule = found(bus, Name);
        context.authorize('events:DescribeRule', rule.arn);
        return describe(rule);
      }),
      ListTargetsByRule: operation(z.strictObject({ Rule: z.string() }), async ({ Rule }, context) => {
        const rule = found(bus, Rule);
        context.authorize('events:ListTargetsByRule', rule.arn);
        return {
          Targets: rule.targets.map(({ id, arn, roleArn }) => ({ Id: id, Arn: arn, RoleArn: roleArn })),
        };
      }),
    },
  };
}

function found(bus: EventBus, name: string): RuleDefinition {
  const rule = bus.rules.get(name);
  if (!rule) throw new ServiceError('ResourceNotFoundException', `Rule ${name} does not exist.`);
  return rule;
}

function describe(rule: RuleDefinition) {
  return {
    Name: rule.name,
    Arn: rule.arn,
    Description: rule.description,
    EventPattern: rule.pattern && JSON.stringify(rule.pattern),
    ScheduleExpression: rule.scheduleExpression,
    State: rule.enabled ? 'ENABLED' : 'DISABLED',
    EventBusName: 'default',
  };
}

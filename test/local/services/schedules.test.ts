// Schedules fire at the moments that their expressions mean, by a clock that tests move, and lose nothing silently.
import { beforeEach, describe, expect, it } from 'vitest';
import { PolicyAuthorizer } from '../../../local/endpoint/authorize/policy-authorizer.ts';
import { Functions } from '../../../local/lambda/functions.ts';
import { EventBus, type RuleDefinition } from '../../../local/services/events.ts';
import { Queues } from '../../../local/services/queues.ts';
import { ScheduleClock } from '../../../local/services/schedule-clock.ts';
import { timetableOf } from '../../../local/services/schedule-expression.ts';
import { type ScheduleDefinition, Scheduler } from '../../../local/services/scheduler.ts';
import { Targets } from '../../../local/services/targets.ts';

const START = new Date('2026-11-21T11:00:00Z');
const ACCOUNT = '111122223333';
const MACHINE = `arn:aws:states:eu-west-1:${ACCOUNT}:stateMachine:Backup`;
const QUEUE = `arn:aws:sqs:eu-west-1:${ACCOUNT}:dead`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/starter`;

describe('an expression', () => {
  const next = (expression: string, zone = 'UTC', after = '2026-11-21T11:00:00Z') =>
    timetableOf(expression, zone, START)(new Date(after))?.toISOString();

  it.each([
    ['cron(0 2 * * ? *)', 'UTC', '2026-11-22T02:00:00.000Z'],
    ['cron(0 2 ? * MON-FRI *)', 'Europe/Berlin', '2026-11-23T01:00:00.000Z'],
    // Sunday is 1.
    ['cron(0 2 ? * 2-6 *)', 'Europe/Berlin', '2026-11-23T01:00:00.000Z'],
    ['cron(0/15 * * * ? *)', 'UTC', '2026-11-21T11:15:00.000Z'],
    ['cron(5/20 12 * * ? *)', 'UTC', '2026-11-21T12:05:00.000Z'],
    ['cron(0 2 L * ? *)', 'UTC', '2026-11-30T02:00:00.000Z'],
    ['cron(0 2 ? * 6L *)', 'UTC', '2026-11-27T02:00:00.000Z'],
    ['cron(0 2 ? * 3#2 *)', 'UTC', '2026-12-08T02:00:00.000Z'],
    ['cron(0 2 1 * ? 2028)', 'UTC', '2028-01-01T02:00:00.000Z'],
    ['rate(1 hour)', 'UTC', '2026-11-21T12:00:00.000Z'],
    ['rate(15 minutes)', 'UTC', '2026-11-21T11:15:00.000Z'],
    ['at(2027-01-01T00:00:00)', 'America/New_York', '2027-01-01T05:00:00.000Z'],
  ])('%s in %s', (expression, zone, expected) => {
    expect(next(expression, zone)).toBe(expected);
  });

  it('skips a time that daylight saving jumps over, and fires once where it comes twice', () => {
    const daily = 'cron(30 2 * * ? *)';
    expect(next(daily, 'Europe/Berlin', '2027-03-27T12:00:00Z')).toBe('2027-03-29T00:30:00.000Z');
    expect(next(daily, 'Europe/Berlin', '2027-10-30T12:00:00Z')).toBe('2027-10-31T00:30:00.000Z');
    expect(next(daily, 'Europe/Berlin', '2027-10-31T00:30:00Z')).toBe('2027-11-01T01:30:00.000Z');
  });

  it('is over when its year or its moment is', () => {
    expect(next('cron(0 2 1 1 ? 2026)')).toBeUndefined();
    expect(next('at(2026-01-01T00:00:00)')).toBeUndefined();
  });

  it.each([
    'cron(0 2 * * *)',
    'cron(0 2 * * * *)',
    'cron(0 2 ? * ? *)',
    'rate(0 minutes)',
    'every day',
    'cron(99 2 * * ? *)',
  ])('%s is refused', (expression) => {
    expect(() => next(expression)).toThrow(expect.objectContaining({ code: 'ValidationException' }));
  });
});

describe('the parts that start things', () => {
  let authorizer: PolicyAuthorizer;
  let clock: ScheduleClock;
  let queues: Queues;
  let scheduler: Scheduler;
  let bus: EventBus;
  let started: Array<{ arn: string; input: unknown }>;
  let failing: boolean;

  beforeEach(() => {
    authorizer = new PolicyAuthorizer();
    putRole(['states:StartExecution', 'sqs:SendMessage']);
    clock = new ScheduleClock(START);
    queues = new Queues();
    queues.create(QUEUE);
    started = [];
    failing = false;
    const functions = new Functions(
      {
        endpointUrl: '',
        region: '',
        logDirectory: '',
        credentials: () => ({ accessKeyId: '', secretAccessKey: '', sessionToken: '' }),
      },
      authorizer,
    );
    const stepFunctions = {
      start(arn: string, { name, input }: { name?: string; input: string }) {
        if (failing) throw new Error('the state machine is away');
        started.push({ arn, input: JSON.parse(input) });
        return { executionArn: `${arn}:${name}` };
      },
    };
    const targets = new Targets(authorizer, functions, stepFunctions, queues);
    scheduler = new Scheduler(clock, targets);
    bus = new EventBus(clock, targets);
  });

  function putRole(actions: string[], service = ['scheduler.amazonaws.com', 'events.amazonaws.com']): void {
    authorizer.putRole({
      arn: ROLE,
      name: 'starter',
      managedPolicies: {},
      inlinePolicies: {
        own: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: actions, Resource: [MACHINE, QUEUE] }],
        },
      },
      trust: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: 'sts:AssumeRole',
            Principal: { Service: service },
            Condition: { StringEquals: { 'aws:SourceAccount': ACCOUNT } },
          },
        ],
      },
    });
  }

  const daily: ScheduleDefinition = {
    arn: `arn:aws:scheduler:eu-west-1:${ACCOUNT}:schedule/default/daily`,
    name: 'daily',
    groupName: 'default',
    groupArn: `arn:aws:scheduler:eu-west-1:${ACCOUNT}:schedule-group/default`,
    expression: 'cron(0 2 * * ? *)',
    timeZone: 'UTC',
    enabled: true,
    target: {
      arn: MACHINE,
      roleArn: ROLE,
      input: '{"clusterId":"demo","scheduledTime":"<aws.scheduler.scheduled-time>"}',
      maximumRetryAttempts: 2,
      maximumEventAgeSeconds: 3600,
      deadLetterArn: QUEUE,
    },
  };

  it('fires what is due, in order, with the scheduled time put in', async () => {
    scheduler.create(daily);
    await clock.moveTo(new Date('2026-11-22T01:59:59Z'));
    expect(started).toEqual([]);
    await clock.moveTo(new Date('2026-11-23T02:00:00Z'));
    expect(started.map(({ input }) => input)).toEqual([
      { clusterId: 'demo', scheduledTime: '2026-11-22T02:00:00Z' },
      { clusterId: 'demo', scheduledTime: '2026-11-23T02:00:00Z' },
    ]);
    await expect(clock.moveTo(START)).rejects.toThrow(RangeError);
  });

  it('leaves a disabled schedule alone', async () => {
    scheduler.create({ ...daily, enabled: false });
    await clock.moveTo(new Date('2026-11-23T02:00:00Z'));
    expect(started).toEqual([]);
  });

  it('may deliver twice', async () => {
    scheduler.create(daily);
    scheduler.deliverTwice = true;
    await clock.moveTo(new Date('2026-11-22T02:00:00Z'));
    expect(started).toHaveLength(2);
  });

  it('puts what cannot be delivered into the dead-letter queue', async () => {
    scheduler.create(daily);
    failing = true;
    await clock.moveTo(new Date('2026-11-22T02:00:00Z'));
    const [letter] = queues.messages(QUEUE);
    expect(letter?.body).toContain('2026-11-22T02:00:00Z');
    expect(letter?.attributes['ERROR_MESSAGE']).toContain('the state machine is away');
  });

  it('needs the role’s permission, and the role’s trust', async () => {
    scheduler.create(daily);
    putRole(['sqs:SendMessage']);
    await clock.moveTo(new Date('2026-11-22T02:00:00Z'));
    putRole(['states:StartExecution', 'sqs:SendMessage'], ['events.amazonaws.com']);
    await clock.moveTo(new Date('2026-11-23T02:00:00Z'));
    expect(started).toEqual([]);
    // Without trust the dead letter cannot be written either.
    expect(queues.messages(QUEUE)).toHaveLength(1);
  });

  const change = (status: 'FAILED' | 'SUCCEEDED', stateMachineArn = MACHINE) => ({
    executionArn: `${stateMachineArn}:one`,
    stateMachineArn,
    name: 'one "quoted"',
    status,
    startDate: 0,
    stopDate: 1,
    input: '{}',
    inputDetails: { included: true } as const,
    output: null,
    outputDetails: null,
    error: null,
    cause: null,
  });
  const rule: RuleDefinition = {
    arn: `arn:aws:events:eu-west-1:${ACCOUNT}:rule/recover`,
    name: 'recover',
    enabled: true,
    pattern: {
      source: ['aws.states'],
      'detail-type': ['Step Functions Execution Status Change'],
      detail: { status: ['FAILED', 'ABORTED'], stateMachineArn: [MACHINE] },
    },
    targets: [
      {
        id: 'Target0',
        arn: MACHINE,
        roleArn: ROLE,
        maximumRetryAttempts: 1,
        deadLetterArn: QUEUE,
        InputTransformer: {
          InputPathsMap: { arn: '$.detail.executionArn', name: '$.detail.name' },
          InputTemplate: '{"executionArn":<arn>,"text":"of <name>"}',
        },
      },
    ],
  };

  it('sends an event that a rule’s pattern matches, and no other', async () => {
    bus.addRule(rule);
    await bus.executionStatusChanged(change('SUCCEEDED'));
    await bus.executionStatusChanged(change('FAILED', `${MACHINE}2`));
    expect(started).toEqual([]);
    await bus.executionStatusChanged(change('FAILED'));
    expect(started).toEqual([
      { arn: MACHINE, input: { executionArn: `${MACHINE}:one`, text: 'of one "quoted"' } },
    ]);
  });

  it('may lose events', async () => {
    bus.addRule(rule);
    bus.dropEvents = true;
    await bus.executionStatusChanged(change('FAILED'));
    expect(started).toEqual([]);
  });

  it('lets a rule write dead letters only where the queue’s policy names it', async () => {
    bus.addRule(rule);
    failing = true;
    await bus.executionStatusChanged(change('FAILED'));
    expect(queues.messages(QUEUE)).toEqual([]);
    queues.addPolicy(QUEUE, {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'sqs:SendMessage',
          Principal: { Service: 'events.amazonaws.com' },
          Resource: QUEUE,
          Condition: { ArnEquals: { 'aws:SourceArn': rule.arn } },
        },
      ],
    });
    await bus.executionStatusChanged(change('FAILED'));
    expect(queues.messages(QUEUE)).toHaveLength(1);
  });

  it('fires a rule by time from the same clock', async () => {
    bus.addRule({ ...rule, pattern: undefined, scheduleExpression: 'rate(1 hour)' });
    await clock.moveTo(new Date('2026-11-21T13:00:00Z'));
    expect(started).toHaveLength(2);
  });

  it('refuses targets that it cannot reach', () => {
    const target = { ...daily.target, arn: 'arn:aws:scheduler:::aws-sdk:s3:putObject' };
    expect(() => scheduler.create({ ...daily, target })).toThrow('aws-sdk:s3:putObject');
  });
});

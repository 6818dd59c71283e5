// EventBridge Scheduler's API: looking at schedules, and the one-time ones that programs make.
import { z } from 'zod';
import { type Operation, type RestJsonService, type RestRoute, ServiceError } from '../endpoint/service.ts';
import { operation } from './operation.ts';
import type { ScheduleDefinition, Scheduler } from './scheduler.ts';

export function schedulerService(scheduler: Scheduler): RestJsonService {
  const route = (path: string, name: string, made: Operation<never>, method = 'GET'): RestRoute => ({
    method,
    path,
    operation: name,
    ...made,
  });
  const getSchedule = operation(
    z.strictObject({ Name: z.string(), groupName: z.string().default('default') }),
    async ({ Name, groupName }, context) => {
      const schedule = scheduler.find(groupName, Name);
      context.authorize('scheduler:GetSchedule', schedule.arn);
      return describe(schedule);
    },
  );
  const listSchedules = operation(
    z.strictObject({
      ScheduleGroup: z.string().optional(),
      NamePrefix: z.string().default(''),
      State: z.enum(['ENABLED', 'DISABLED']).optional(),
      MaxResults: z.string().optional(),
    }),
    async ({ ScheduleGroup, NamePrefix, State }, context) => {
      context.authorize('scheduler:ListSchedules', '*');
      const found = scheduler
        .list()
        .filter((each) => ScheduleGroup === undefined || each.groupName === ScheduleGroup)
        .filter((each) => each.name.startsWith(NamePrefix))
        .filter((each) => State === undefined || stateOf(each) === State);
      return { Schedules: found.map(summary) };
    },
  );
  return {
    protocol: 'rest-json',
    signingName: 'scheduler',
    routes: [
      route('/schedules/{Name}', 'CreateSchedule', createSchedule(scheduler), 'POST'),
      route('/schedules/{Name}', 'GetSchedule', getSchedule),
      route('/schedules/{Name}', 'DeleteSchedule', deleteSchedule(scheduler), 'DELETE'),
      route('/schedules', 'ListSchedules', listSchedules),
    ],
  };
}

/** One-time schedules alone, as programs make them; the others come with a stack. */
function createSchedule(scheduler: Scheduler): Operation<never> {
  const input = z.strictObject({
    Name: z.string().regex(/^[0-9a-zA-Z-_.]{1,64}$/),
    GroupName: z.string(),
    Description: z.string().max(512).optional(),
    ClientToken: z.string().optional(),
    ScheduleExpression: z.string().startsWith('at('),
    ScheduleExpressionTimezone: z.literal('UTC'),
    FlexibleTimeWindow: z.strictObject({ Mode: z.literal('OFF') }),
    ActionAfterCompletion: z.enum(['NONE', 'DELETE']).default('NONE'),
    Target: z.strictObject({ Arn: z.string(), RoleArn: z.string(), Input: z.string().default('{}') }),
  });
  return operation(input, async (asked, context) => {
    const groupArn = scheduler.groupArn(asked.GroupName);
    const arn = `${groupArn.replace(':schedule-group/', ':schedule/')}/${asked.Name}`;
    context.authorize('scheduler:CreateSchedule', arn);
    context.authorize('iam:PassRole', asked.Target.RoleArn, {
      'iam:passedtoservice': 'scheduler.amazonaws.com',
    });
    const [, moment] = /^at\((.+)\)$/.exec(asked.ScheduleExpression) ?? [];
    const due = new Date(`${moment}Z`);
    if (Number.isNaN(due.getTime())) {
      throw new ServiceError(
        'ValidationException',
        `Invalid Schedule Expression ${asked.ScheduleExpression}.`,
      );
    }
    scheduler.create({
      ...{ arn, groupArn, name: asked.Name, groupName: asked.GroupName },
      ...(asked.Description !== undefined && { description: asked.Description }),
      expression: `at(${scheduler.momentOf(due).toISOString().slice(0, 19)})`,
      timeZone: 'UTC',
      enabled: true,
      deletesItself: asked.ActionAfterCompletion === 'DELETE',
      target: {
        arn: asked.Target.Arn,
        roleArn: asked.Target.RoleArn,
        input: asked.Target.Input,
        maximumRetryAttempts: 185,
        maximumEventAgeSeconds: 86_400,
      },
    });
    return { ScheduleArn: arn };
  });
}

function deleteSchedule(scheduler: Scheduler): Operation<never> {
  const input = z.strictObject({
    Name: z.string(),
    groupName: z.string().default('default'),
    clientToken: z.string().optional(),
  });
  return operation(input, async ({ Name, groupName }, context) => {
    const schedule = scheduler.find(groupName, Name);
    context.authorize('scheduler:DeleteSchedule', schedule.arn);
    scheduler.delete(schedule);
    return {};
  });
}

function stateOf({ enabled }: ScheduleDefinition): string {
  return enabled ? 'ENABLED' : 'DISABLED';
}

function summary(schedule: ScheduleDefinition) {
  const { arn, name, groupName, target } = schedule;
  return {
    Arn: arn,
    Name: name,
    GroupName: groupName,
    State: stateOf(schedule),
    Target: { Arn: target.arn },
  };
}

function describe(schedule: ScheduleDefinition) {
  const { target } = schedule;
  return {
    ...summary(schedule),
    Description: schedule.description,
    ScheduleExpression: schedule.expression,
    ScheduleExpressionTimezone: schedule.timeZone,
    FlexibleTimeWindow: schedule.windowMinutes
      ? { Mode: 'FLEXIBLE', MaximumWindowInMinutes: schedule.windowMinutes }
      : { Mode: 'OFF' },
    Target: {
      Arn: target.arn,
      RoleArn: target.roleArn,
      Input: target.input,
      DeadLetterConfig: target.deadLetterArn ? { Arn: target.deadLetterArn } : undefined,
      RetryPolicy: {
        MaximumRetryAttempts: target.maximumRetryAttempts,
        MaximumEventAgeInSeconds: target.maximumEventAgeSeconds,
      },
    },
  };
}

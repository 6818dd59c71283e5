// What starts things by itself: schedules and rules.
import { z } from 'zod';
import { targetInput } from '../../services/event-inputs.ts';
import { eventPattern } from '../../services/event-patterns.ts';
import { resourceType } from '../resource-type.ts';

const retryPolicy = z.strictObject({
  MaximumEventAgeInSeconds: z.int().min(60).max(86_400).default(86_400),
  MaximumRetryAttempts: z.int().min(0).max(185).default(185),
});
const deadLetters = z.strictObject({ Arn: z.string() });

export const scheduleGroup = resourceType(
  { Name: z.string().optional() },
  ['Tags'],
  async ({ Name }, { platform, physicalName, arn }) => {
    const name = Name ?? physicalName(64);
    const groupArn = arn('scheduler', `schedule-group/${name}`);
    platform.scheduler.createGroup(name, groupArn);
    return { id: name, attributes: { Arn: groupArn } };
  },
);

export const schedule = resourceType(
  {
    Name: z.string().optional(),
    GroupName: z.string().default('default'),
    Description: z.string().optional(),
    ScheduleExpression: z.string(),
    ScheduleExpressionTimezone: z.string().default('UTC'),
    State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
    StartDate: z.coerce.date().optional(),
    EndDate: z.coerce.date().optional(),
    /** A window is kept to by starting at its begin. */
    FlexibleTimeWindow: z.strictObject({
      Mode: z.enum(['OFF', 'FLEXIBLE']),
      MaximumWindowInMinutes: z.int().optional(),
    }),
    Target: z.strictObject({
      Arn: z.string(),
      RoleArn: z.string(),
      Input: z.string().default('{}'),
      RetryPolicy: retryPolicy.prefault({}),
      DeadLetterConfig: deadLetters.optional(),
    }),
  },
  [],
  async (properties, { platform, physicalName, arn }) => {
    const name = properties.Name ?? physicalName(64);
    const { GroupName, Target } = properties;
    const scheduleArn = arn('scheduler', `schedule/${GroupName}/${name}`);
    platform.scheduler.create({
      arn: scheduleArn,
      name,
      groupName: GroupName,
      groupArn: arn('scheduler', `schedule-group/${GroupName}`),
      description: properties.Description,
      expression: properties.ScheduleExpression,
      timeZone: properties.ScheduleExpressionTimezone,
      enabled: properties.State === 'ENABLED',
      windowMinutes: properties.FlexibleTimeWindow.MaximumWindowInMinutes,
      startDate: properties.StartDate,
      endDate: properties.EndDate,
      target: {
        arn: Target.Arn,
        roleArn: Target.RoleArn,
        input: Target.Input,
        maximumRetryAttempts: Target.RetryPolicy.MaximumRetryAttempts,
        maximumEventAgeSeconds: Target.RetryPolicy.MaximumEventAgeInSeconds,
        deadLetterArn: Target.DeadLetterConfig?.Arn,
      },
    });
    return { id: name, attributes: { Arn: scheduleArn } };
  },
);

export const rule = resourceType(
  {
    Name: z.string().optional(),
    Description: z.string().optional(),
    EventPattern: eventPattern.optional(),
    ScheduleExpression: z.string().optional(),
    State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
    Targets: z
      .array(
        targetInput
          .extend({
            Id: z.string(),
            Arn: z.string(),
            RoleArn: z.string().optional(),
            RetryPolicy: retryPolicy.prefault({}),
            DeadLetterConfig: deadLetters.optional(),
          })
          .strict(),
      )
      .default([]),
  },
  [],
  async (properties, { platform, physicalName, arn }) => {
    const name = properties.Name ?? physicalName(64);
    const ruleArn = arn('events', `rule/${name}`);
    platform.events.addRule({
      arn: ruleArn,
      name,
      description: properties.Description,
      enabled: properties.State === 'ENABLED',
      pattern: properties.EventPattern,
      scheduleExpression: properties.ScheduleExpression,
      targets: properties.Targets.map(({ Id, Arn, RoleArn, RetryPolicy, DeadLetterConfig, ...input }) => ({
        ...input,
        id: Id,
        arn: Arn,
        roleArn: RoleArn,
        maximumRetryAttempts: RetryPolicy.MaximumRetryAttempts,
        deadLetterArn: DeadLetterConfig?.Arn,
      })),
    });
    return { id: name, attributes: { Arn: ruleArn } };
  },
);

// The switch that resumes applications if their run does not: a one-time schedule of EventBridge Scheduler.
import { CreateScheduleCommand, DeleteScheduleCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { z } from 'zod';
import { callAws, nameOf } from './aws-call.ts';
import type { PauseSwitch } from './ports.ts';

/** Given to the steps as JSON by the stack. */
export const pauseSwitchTarget = z.strictObject({
  groupName: z.string().min(1),
  /** What is invoked, and the role that Scheduler invokes it by; of who only clears a switch there are none. */
  functionArn: z.string().min(1).optional(),
  roleArn: z.string().min(1).optional(),
});

export function schedulerPauseSwitch(
  { groupName, functionArn, roleArn }: z.infer<typeof pauseSwitchTarget>,
  client?: SchedulerClient,
): PauseSwitch {
  const scheduler = client ?? new SchedulerClient({ maxAttempts: 8 });
  return {
    async set({ name, at, input }) {
      const create = new CreateScheduleCommand({
        Name: name,
        GroupName: groupName,
        Description: 'Ringvault: resumes the applications if their run has not',
        ScheduleExpression: `at(${at.toISOString().slice(0, 19)})`,
        ScheduleExpressionTimezone: 'UTC',
        FlexibleTimeWindow: { Mode: 'OFF' },
        ActionAfterCompletion: 'DELETE',
        Target: { Arn: functionArn, RoleArn: roleArn, Input: JSON.stringify(input) },
      });
      // An earlier try has set it, for the same moment or one just before.
      await ignoring('ConflictException', () =>
        callAws('scheduler:CreateSchedule', () => scheduler.send(create), ['ConflictException']),
      );
    },
    async clear(name) {
      const remove = new DeleteScheduleCommand({ Name: name, GroupName: groupName });
      await ignoring('ResourceNotFoundException', () =>
        callAws('scheduler:DeleteSchedule', () => scheduler.send(remove), ['ResourceNotFoundException']),
      );
    },
  };
}

async function ignoring(errorName: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (nameOf(error) !== errorName) throw error;
  }
}

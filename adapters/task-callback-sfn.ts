// Step Functions' task tokens, as the host program answers them.
import {
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
} from '@aws-sdk/client-sfn';
import { nameOf } from './aws-call.ts';
import type { TaskCallback } from './ports.ts';

/** Step Functions keeps 256 characters of an error's name and 32,768 of its cause. */
const CAUSE_LIMIT = 32_768;

export function sfnTaskCallback(options: { region?: string; client?: SFNClient } = {}): TaskCallback {
  const client =
    options.client ?? new SFNClient({ ...(options.region && { region: options.region }), maxAttempts: 6 });
  return {
    heartbeat: (taskToken) => answered(() => client.send(new SendTaskHeartbeatCommand({ taskToken }))),
    succeed: (taskToken, output) =>
      answered(() => client.send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) }))),
    fail: (taskToken, { errorName, message, hint }) => {
      const cause = `${message.slice(0, CAUSE_LIMIT - hint.length - 1)}\n${hint}`;
      return answered(() => client.send(new SendTaskFailureCommand({ taskToken, error: errorName, cause })));
    },
  };
}

async function answered(send: () => Promise<unknown>): Promise<'accepted' | 'invalid-token'> {
  try {
    await send();
    return 'accepted';
  } catch (error) {
    if (['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken'].includes(nameOf(error))) return 'invalid-token';
    throw error;
  }
}

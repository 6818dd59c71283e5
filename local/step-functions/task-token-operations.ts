// SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat. Leave is asked for on the machine that the token's task is of.
import { z } from 'zod';
import type { JsonService } from '../endpoint/service.ts';
import { operation } from '../services/operation.ts';
import { PAYLOAD_LIMIT_BYTES } from './failures.ts';
import type { TaskTokens } from './task-tokens.ts';

const taskToken = z.string().min(1).max(2048);
const output = z
  .string()
  .refine(
    (text) => Buffer.byteLength(text) <= PAYLOAD_LIMIT_BYTES,
    `output must have at most ${PAYLOAD_LIMIT_BYTES} bytes`,
  );
const failure = z.strictObject({
  taskToken,
  error: z.string().max(256).default(''),
  cause: z.string().max(32_768).default(''),
});

export function taskTokenOperations(tokens: TaskTokens): JsonService['operations'] {
  return {
    SendTaskSuccess: operation(z.strictObject({ taskToken, output }), async (input, context) => {
      context.authorize('states:SendTaskSuccess', tokens.machineOf(input.taskToken));
      tokens.succeed(input.taskToken, input.output);
      return {};
    }),
    SendTaskFailure: operation(failure, async (input, context) => {
      context.authorize('states:SendTaskFailure', tokens.machineOf(input.taskToken));
      tokens.fail(input.taskToken, input.error, input.cause);
      return {};
    }),
    SendTaskHeartbeat: operation(z.strictObject({ taskToken }), async (input, context) => {
      context.authorize('states:SendTaskHeartbeat', tokens.machineOf(input.taskToken));
      tokens.heartbeat(input.taskToken);
      return {};
    }),
  };
}

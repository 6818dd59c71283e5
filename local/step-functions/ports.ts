// What the interpreter needs of the world outside. local/ wires it to the Lambda runtime, the S3 server and the
// policies; tests wire it to a virtual clock.
import type { Clock, Random } from '../../adapters/ports.ts';

/** `ok` is the function's answer; `error` and `cause` reach `ErrorEquals` and `$states.errorOutput` as they are. */
export type LambdaOutcome = { ok: unknown } | { error: string; cause: string };

export interface StepFunctionsPorts {
  clock: Clock;
  random: Random;
  /** A UUID of version 4 that nobody can guess: names, map runs, task tokens and `$uuid()` are made of it. */
  newId(): string;
  /**
   * A function's own failure has `error` = errorType and `cause` = the JSON `{ errorType, errorMessage, trace }`; one of
   * the service has `error` = `Lambda.TooManyRequestsException` and the like.
   */
  invokeLambda(call: { roleArn: string; functionName: string; payload: unknown }): Promise<LambdaOutcome>;
  /** Undefined: no such bucket or key. A rejection fails the Map with States.ItemReaderFailed and its message. */
  readObject(call: { roleArn: string; bucket: string; key: string }): Promise<Buffer | undefined>;
  /** By the policies of the state machine's role. */
  authorize(roleArn: string, action: string, resource: string): { allowed: boolean; reason: string };
  /** Whether a state machine may have the role: the role is there and trusts Step Functions for this machine. */
  mayHaveRole(stateMachineArn: string, roleArn: string): { allowed: boolean; reason: string };
}

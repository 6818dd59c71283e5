// The two ways in which work ends early: a failure that Retry and Catch may handle, and an end that they may not.

/** A failure with Step Functions' own names: the `Error` and `Cause` of `$states.errorOutput`. */
export class StateFailure extends Error {
  override readonly name = 'StateFailure';
  readonly error: string;
  readonly why: string;

  constructor(error: string, why: string) {
    super(`${error}: ${why}`);
    this.error = error;
    this.why = why;
  }

  get errorOutput(): { Error: string; Cause: string } {
    return { Error: this.error, Cause: this.why };
  }
}

/** The end of a whole execution, past every Catch: stopped, timed out, or out of room for events. */
export class ExecutionEnd extends Error {
  override readonly name = 'ExecutionEnd';
  readonly status: 'ABORTED' | 'TIMED_OUT' | 'FAILED';
  readonly error: string | undefined;
  readonly why: string | undefined;

  constructor(status: ExecutionEnd['status'], error?: string, why?: string) {
    super(`the execution ended ${status}`);
    this.status = status;
    this.error = error;
    this.why = why;
  }
}

/** Why a branch, an iteration or a timer is stopped: something beside it has decided the matter. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/** Not matched by States.ALL: they end the execution, or must be named. */
const uncatchable = new Set(['States.DataLimitExceeded', 'States.Runtime']);
const timeouts = new Set(['States.Timeout', 'States.HeartbeatTimeout']);

/**
 * Whether an `ErrorEquals` names an error. States.ALL and States.TaskFailed are wildcards with exceptions; a missed
 * heartbeat is also a timeout (Step Functions Developer Guide, "Handling errors").
 */
export function errorMatches(errorEquals: readonly string[], error: string): boolean {
  return errorEquals.some((wanted) => {
    if (wanted === error) return true;
    if (wanted === 'States.ALL') return !uncatchable.has(error);
    if (wanted === 'States.TaskFailed') return !uncatchable.has(error) && !timeouts.has(error);
    return wanted === 'States.Timeout' && error === 'States.HeartbeatTimeout';
  });
}

/** 256 KiB in UTF-8 for any input, output, payload or set of variables. */
export const PAYLOAD_LIMIT_BYTES = 262_144;

/** The value's JSON text. @throws StateFailure States.DataLimitExceeded */
export function limitedJson(value: unknown, what: string): string {
  const text = JSON.stringify(value);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > PAYLOAD_LIMIT_BYTES) {
    throw new StateFailure(
      'States.DataLimitExceeded',
      `${what} has ${sizeBytes} bytes; the limit is ${PAYLOAD_LIMIT_BYTES} bytes of JSON`,
    );
  }
  return text;
}

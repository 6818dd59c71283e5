// Limits of the workflows that more than one part leans on: the machines (infra/), the lock's lease and the grace of a
// host program (lambdas/).

/**
 * A machine's own TimeoutSeconds, longer than the longest action that a policy may ask for. The lock's lease outlives it:
 * past the lease no execution of ours can be running.
 */
export const MACHINE_TIMEOUT_SECONDS = 21 * 86_400;

/** How a failed step is tried again: 2, 4, 8 … seconds, each drawn between 0 and that (full jitter), capped. */
export const STEP_RETRY = {
  intervalSeconds: 2,
  backoffRate: 2,
  maxDelaySeconds: 60,
  maxAttempts: 6,
} as const;

/** How an action whose host was not heard of is tried again. Its waits are below those of {@link STEP_RETRY}'s cap. */
export const SILENCE_RETRY = {
  intervalSeconds: 1,
  backoffRate: 2,
  maxDelaySeconds: 15,
  maxAttempts: 3,
} as const;

/**
 * Input, output and payload of a state. Source: Step Functions quotas, "Maximum input or output size for a task, state,
 * or execution".
 */
export const MAX_PAYLOAD_BYTES = 256 * 1024;

/** How long a Lambda step may take in the worst case. Source: Lambda quotas, "Function timeout". */
export const STEP_TIMEOUT_SECONDS = 15 * 60;

/** Commands that a fan-out gets sent a second. AWS publishes no rate for SendCommand: a cautious assumption. */
export const COMMANDS_PER_SECOND = 10;

/** How often a scheduled run that waits for its cluster looks again: some ten events of an execution's 25,000 each time. */
export const LOOK_AGAIN_SECONDS = 30;

/** A start is on its way: EventBridge Scheduler is precise to a minute, and Lambda may retry. Within it nothing is missed yet. */
export const START_GRACE_MINUTES = 5;

/** A call of the program that pauses applications, through Run Command, in seconds. */
export const PAUSE_PROGRAM = {
  /** SSM's least. What waits for its host may still be run until this and the script's own time-out are over. */
  delivery: 30,
  /** How long `resume` and `check` may take; six resumes of a run must fit into one step. `pause` has `waitSeconds`. */
  answer: 30,
  /** Beyond `waitSeconds`, for a program that says itself that it took too long. */
  script: 10,
  /** Of SSM itself: from a script's end to its status. */
  status: 15,
} as const;

// What the phase that a node is in tells.

/** From which on it may have served again, if it was stopped. A run that only releases is not asked. */
export const FROM_START: readonly string[] = ['start', 'describe-after', 'release-old', 'repair'];
/** From which on it may be stopped or swapped. */
export const FROM_STOP: readonly string[] = ['stop', 'place', 'put-back', ...FROM_START];
/** Phases in which a node may serve no clients, while it runs. */
export const WITHOUT_CLIENTS: readonly string[] = ['stop-clients', 'settle-writes'];

// Phases from which on a node may be stopped or swapped.
export const FROM_STOP: readonly string[] = [
  ...['stop', 'place', 'put-back', 'start', 'describe-after'],
  // At the end of a restore, too; a run that only releases places nothing.
  ...['release-old', 'repair'],
];
/** Phases from which on a node that is brought back may have served. */
export const FROM_START: readonly string[] = ['start', 'describe-after', 'release-old', 'repair'];
/** Phases in which a node may serve no clients, while it runs. */
export const WITHOUT_CLIENTS: readonly string[] = ['stop-clients', 'settle-writes'];

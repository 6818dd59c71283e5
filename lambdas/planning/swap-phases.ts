// Phases from which on a node may be stopped or swapped.
export const FROM_STOP: readonly string[] = ['stop', 'place', 'put-back', 'start', 'describe-after'];

// Phases from which on a node may be without clients, stopped or swapped.
export const FROM_STOP: readonly string[] = [
  'stop-clients',
  'settle-writes',
  'stop',
  'place',
  'put-back',
  'start',
  'describe-after',
];

// The metric that SweepRuns emits (in CloudWatch's embedded format) and that infra/ raises alarms on.

/** Seconds since the newest completed backup's snapshot, per cluster; no value for a cluster that has no backup. */
export const BACKUP_AGE_METRIC = {
  namespace: 'Ringvault',
  name: 'BackupAge',
  dimension: 'ClusterId',
} as const;

/** Scheduled times that the sweep found to have begun no run, per cluster. */
export const MISSED_RUNS_METRIC = {
  namespace: 'Ringvault',
  name: 'MissedRuns',
  dimension: 'ClusterId',
} as const;

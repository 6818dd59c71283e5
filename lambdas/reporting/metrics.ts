// Metrics in CloudWatch's embedded format: a line of log that CloudWatch counts.
import type { BACKUP_AGE_METRIC, MISSED_RUNS_METRIC } from '../../contracts/metrics.ts';
import type { StepPorts } from '../wrapper/step-ports.ts';

export function emitMetric(
  { clock, emitMetrics }: Pick<StepPorts, 'clock' | 'emitMetrics'>,
  { namespace, name, dimension }: typeof BACKUP_AGE_METRIC | typeof MISSED_RUNS_METRIC,
  { clusterId, unit, value }: { clusterId: string; unit: 'Seconds' | 'Count'; value: number },
): void {
  emitMetrics({
    _aws: {
      Timestamp: clock.now().getTime(),
      CloudWatchMetrics: [
        { Namespace: namespace, Dimensions: [[dimension]], Metrics: [{ Name: name, Unit: unit }] },
      ],
    },
    [dimension]: clusterId,
    [name]: value,
  });
}

// What people must hear of though no run says it: starts that were never delivered, and backups that are too old.
import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { RingvaultConfiguration } from '../../contracts/configuration.ts';
import { BACKUP_AGE_METRIC, MISSED_RUNS_METRIC } from '../../contracts/metrics.ts';

export interface AlarmsProps {
  configuration: RingvaultConfiguration;
  deadLetters: IQueue;
  resumeApplications: IFunction;
  topic: ITopic;
}

export class Alarms extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const tell = new SnsAction(props.topic);
    new Alarm(this, 'UndeliveredStarts', {
      alarmDescription:
        'Ringvault: a schedule or rule could not start its workflow. See the dead-letter queue.',
      metric: props.deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(5),
        statistic: Stats.MAXIMUM,
      }),
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(tell);
    if (Object.values(props.configuration.clusters).some(({ pause }) => pause)) {
      new Alarm(this, 'ApplicationsPaused', {
        alarmDescription:
          'Ringvault: applications that a backup has paused could not be resumed. They may still be paused: see docs/operations.md.',
        metric: props.resumeApplications.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }).addAlarmAction(tell);
    }
    for (const [clusterId, { policy, schedules }] of Object.entries(props.configuration.clusters)) {
      const { namespace, name, dimension } = BACKUP_AGE_METRIC;
      const alarm = new Alarm(this, `BackupAge-${clusterId}`, {
        alarmDescription: `Ringvault: the newest backup of ${clusterId} is older than ${policy.backupAgeAlarmHours} hours, or nothing measures its age.`,
        // The sweep measures four times in it.
        metric: new Metric({
          namespace,
          metricName: name,
          dimensionsMap: { [dimension]: clusterId },
          period: Duration.hours(1),
          statistic: Stats.MAXIMUM,
        }),
        threshold: policy.backupAgeAlarmHours * 3600,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.BREACHING,
      });
      alarm.addAlarmAction(tell);
      alarm.addOkAction(tell);
      if (schedules.length > 0) this.addMissedRuns(clusterId).addAlarmAction(tell);
    }
  }

  /** The sweep says it once of each time. */
  private addMissedRuns(clusterId: string): Alarm {
    const { namespace, name, dimension } = MISSED_RUNS_METRIC;
    return new Alarm(this, `MissedRuns-${clusterId}`, {
      alarmDescription: `Ringvault: a schedule of ${clusterId} began no run at its time.`,
      metric: new Metric({
        namespace,
        metricName: name,
        dimensionsMap: { [dimension]: clusterId },
        period: Duration.minutes(15),
        statistic: Stats.SUM,
      }),
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}

// Resources that are recorded as a whole: they have names to refer to, and nothing else happens.
import { z } from 'zod';
import { type ResourceType, resourceType } from '../resource-type.ts';

export const alarm = resourceType(
  { AlarmName: z.string().optional() },
  [
    'ActionsEnabled',
    'AlarmActions',
    'AlarmDescription',
    'ComparisonOperator',
    'DatapointsToAlarm',
    'Dimensions',
    'EvaluationPeriods',
    'InsufficientDataActions',
    'MetricName',
    'Metrics',
    'Namespace',
    'OKActions',
    'Period',
    'Statistic',
    'ExtendedStatistic',
    'Threshold',
    'TreatMissingData',
    'Unit',
    'Tags',
  ],
  async ({ AlarmName }, { physicalName, arn }) => {
    const name = AlarmName ?? physicalName(255);
    return { id: name, attributes: { Arn: arn('cloudwatch', `alarm:${name}`) } };
  },
);

export const key = resourceType(
  {},
  ['KeyPolicy', 'Description', 'EnableKeyRotation', 'RotationPeriodInDays', 'PendingWindowInDays', 'Tags'],
  async (_properties, { physicalName, arn }) => {
    const id = physicalName(60);
    return { id, attributes: { Arn: arn('kms', `key/${id}`), KeyId: id } };
  },
);

export const keyAlias = resourceType({ AliasName: z.string() }, ['TargetKeyId'], async ({ AliasName }) => ({
  id: AliasName,
}));

/** CDK's statistics: nothing is sent from here. */
export const cdkMetadata: ResourceType = resourceType(
  {},
  ['Analytics'],
  async (_properties, { physicalName }) => ({
    id: physicalName(60),
  }),
);

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

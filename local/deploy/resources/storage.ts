// Buckets and tables: created through the endpoint, as anybody would create them.
import {
  CreateTableCommand,
  DescribeTableCommand,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, PutBucketPolicyCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { resourceType } from '../resource-type.ts';

export const bucket = resourceType(
  {
    BucketName: z.string().optional(),
    VersioningConfiguration: z.strictObject({ Status: z.enum(['Enabled', 'Suspended']) }).optional(),
  },
  [
    'BucketEncryption',
    'PublicAccessBlockConfiguration',
    'LifecycleConfiguration',
    'OwnershipControls',
    'Tags',
  ],
  async ({ BucketName, VersioningConfiguration }, { platform, physicalName, partition, region }) => {
    const Bucket = BucketName ?? physicalName(63).toLowerCase();
    await platform.s3.send(new CreateBucketCommand({ Bucket }));
    if (VersioningConfiguration) {
      await platform.s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    }
    return {
      id: Bucket,
      attributes: {
        Arn: `arn:${partition}:s3:::${Bucket}`,
        DomainName: `${Bucket}.s3.amazonaws.com`,
        RegionalDomainName: `${Bucket}.s3.${region}.amazonaws.com`,
      },
    };
  },
);

export const bucketPolicy = resourceType(
  { Bucket: z.string(), PolicyDocument: z.record(z.string(), z.unknown()) },
  [],
  async ({ Bucket, PolicyDocument }, { platform, physicalName }) => {
    await platform.s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(PolicyDocument) }));
    return { id: physicalName(128) };
  },
);

const keySchema = z.array(z.strictObject({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }));
const projection = z.strictObject({
  ProjectionType: z.enum(['ALL', 'KEYS_ONLY', 'INCLUDE']),
  NonKeyAttributes: z.array(z.string()).optional(),
});

export const table = resourceType(
  {
    TableName: z.string().optional(),
    KeySchema: keySchema,
    AttributeDefinitions: z.array(
      z.strictObject({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) }),
    ),
    BillingMode: z.literal('PAY_PER_REQUEST'),
    GlobalSecondaryIndexes: z
      .array(z.strictObject({ IndexName: z.string(), KeySchema: keySchema, Projection: projection }))
      .optional(),
    TimeToLiveSpecification: z
      .strictObject({ AttributeName: z.string(), Enabled: z.literal(true) })
      .optional(),
    PointInTimeRecoverySpecification: z
      .strictObject({ PointInTimeRecoveryEnabled: z.boolean(), RecoveryPeriodInDays: z.number().optional() })
      .optional(),
    DeletionProtectionEnabled: z.boolean().optional(),
  },
  ['SSESpecification', 'ContributorInsightsSpecification', 'Tags'],
  async (properties, { platform: { dynamodb }, physicalName, arn }) => {
    const {
      TableName = physicalName(255),
      TimeToLiveSpecification,
      PointInTimeRecoverySpecification,
    } = properties;
    const {
      KeySchema,
      AttributeDefinitions,
      BillingMode,
      GlobalSecondaryIndexes,
      DeletionProtectionEnabled,
    } = properties;
    await dynamodb.send(
      new CreateTableCommand({
        TableName,
        KeySchema,
        AttributeDefinitions,
        BillingMode,
        GlobalSecondaryIndexes,
        DeletionProtectionEnabled,
      }),
    );
    await dynamodb.send(new DescribeTableCommand({ TableName }));
    if (TimeToLiveSpecification) {
      await dynamodb.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
    }
    if (PointInTimeRecoverySpecification) {
      await dynamodb.send(
        new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }),
      );
    }
    return { id: TableName, attributes: { Arn: arn('dynamodb', `table/${TableName}`) } };
  },
);

/** Its policy is the account's own, which leaves everything to roles. */
export const key = resourceType(
  { Description: z.string().default('') },
  ['KeyPolicy', 'EnableKeyRotation', 'RotationPeriodInDays', 'PendingWindowInDays', 'Tags'],
  async ({ Description }, { platform, physicalName }) => {
    const { id, arn } = platform.keys.create(Description, physicalName(60));
    return { id, attributes: { Arn: arn, KeyId: id } };
  },
);

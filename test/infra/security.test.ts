// What the template promises of data and rights. One assertion a promise of docs/, none of the CDK's own work.
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { vaultLayout, WORKING_PREFIXES } from '../../contracts/layout.ts';
import { stateNames } from '../../contracts/steps.ts';
import {
  actionsOf,
  asText,
  type Resource,
  resourcesOf,
  resourceTexts,
  type Statement,
  statementsOf,
  exampleTemplate as template,
} from './synthesized.ts';

const [[vaultId, vault] = ['', undefined]] = resourcesOf('AWS::S3::Bucket');
const [[keyId] = ['']] = resourcesOf('AWS::KMS::Key');
const OWN = `\${ec2:SourceInstanceARN}`;

function property<Value>(resource: Resource | undefined, name: string): Value {
  return resource?.Properties[name] as Value;
}

function hostStatements(): Statement[] {
  const [[, policy] = ['', undefined]] = resourcesOf('AWS::IAM::ManagedPolicy');
  return statementsOf(policy?.Properties['PolicyDocument']);
}

/** What a policy allows of an action, as resource texts. */
function allowed(statements: Statement[], action: string): string[] {
  return statements
    .filter((each) => actionsOf(each).includes(action))
    .flatMap(resourceTexts)
    .sort();
}

function stepStatements(step: string): Statement[] {
  return resourcesOf('AWS::IAM::Policy')
    .filter(([id]) => id.startsWith(`Steps${step}Role`))
    .flatMap(([, { Properties }]) => statementsOf(Properties['PolicyDocument']));
}

describe('the vault', () => {
  it('is encrypted, versioned, not public and kept when the stack is deleted', () => {
    template.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      },
    });
  });

  it('refuses plain HTTP', () => {
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Action: 's3:*',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ]),
      },
    });
  });

  it('lets nobody overwrite objects and manifests', () => {
    const [[, policy] = ['', undefined]] = resourcesOf('AWS::S3::BucketPolicy');
    const statement = statementsOf(policy?.Properties['PolicyDocument']).find(
      ({ Sid }) => Sid === 'CreateOnly',
    );
    expect(statement).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:PutObject',
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    });
    expect(statement && resourceTexts(statement)).toEqual([
      `<${vaultId}.Arn>/clusters/*/backups/*`,
      `<${vaultId}.Arn>/clusters/*/objects/*`,
    ]);
  });

  it('expires working state and unfinished uploads, and nothing that a backup needs', () => {
    const { Rules: rules } = property<{
      Rules: Array<{ Prefix?: string; ExpirationInDays?: number; NoncurrentVersionExpiration?: unknown }>;
    }>(vault, 'LifecycleConfiguration');
    const expiring = rules.filter((rule) => rule.ExpirationInDays ?? rule.NoncurrentVersionExpiration);
    expect(expiring.map(({ Prefix }) => Prefix)).toEqual([...WORKING_PREFIXES]);
    for (const prefix of WORKING_PREFIXES) expect(vaultLayout('').clusters.startsWith(prefix)).toBe(false);
    expect(JSON.stringify(rules)).toContain('"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}');
  });
});

it('keeps the keys of clusters, which are rotated', () => {
  template.hasResource('AWS::KMS::Key', {
    DeletionPolicy: 'Retain',
    UpdateReplacePolicy: 'Retain',
    Properties: { EnableKeyRotation: true },
  });
});

it('keeps the catalog: point-in-time recovery, deletion protection, retained', () => {
  template.hasResource('AWS::DynamoDB::Table', {
    DeletionPolicy: 'Retain',
    Properties: {
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
    },
  });
});

describe('a host', () => {
  const statements = hostStatements();

  it('deletes nothing, sets no retention and lists nothing in the vault', () => {
    const actions = statements.flatMap(actionsOf);
    expect(actions.filter((action) => /Delete|Retention|LegalHold|Tagging|Acl|\*/.test(action))).toEqual([]);
    expect(allowed(statements, 's3:ListBucket').join()).not.toContain(vaultId);
  });

  it('writes objects of its cluster, and only its own manifests, results and progress', () => {
    expect(allowed(statements, 's3:PutObject')).toEqual([
      `<${vaultId}.Arn>/clusters/demo/backups/*/nodes/${OWN}/*`,
      `<${vaultId}.Arn>/clusters/demo/objects/*`,
      `<${vaultId}.Arn>/progress/${OWN}/*`,
      `<${vaultId}.Arn>/results/${OWN}/*`,
    ]);
  });

  it('uses its cluster’s key alone: through S3, and for what is bound to its cluster', () => {
    const ofKms = statements.filter((each) => actionsOf(each).some((action) => action.startsWith('kms:')));
    expect(ofKms.map((each) => [actionsOf(each).join(), each.Condition])).toEqual([
      ['kms:Decrypt,kms:GenerateDataKey', { StringEquals: { 'kms:ViaService': expect.anything() } }],
      ['kms:Decrypt', { StringEquals: { 'kms:EncryptionContext:ringvault:cluster': ['demo'] } }],
    ]);
    expect(new Set(ofKms.flatMap(resourceTexts))).toEqual(new Set([`<${keyId}.Arn>`]));
  });

  it('puts nothing with a stranger’s key', () => {
    const [put] = statements.filter((each) => actionsOf(each).includes('s3:PutObject'));
    const { StringEqualsIfExists, Null } = put?.Condition ?? {};
    expect(asText(StringEqualsIfExists?.['s3:x-amz-server-side-encryption-aws-kms-key-id'])).toBe(
      `<${keyId}.Arn>`,
    );
    expect(Null).toEqual({ 's3:x-amz-server-side-encryption-customer-algorithm': 'true' });
  });

  it('ends the uploads in parts that it may begin, of objects and of its own listings', () => {
    for (const action of ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts']) {
      expect(allowed(statements, action)).toEqual([
        `<${vaultId}.Arn>/clusters/demo/backups/*/nodes/${OWN}/*`,
        `<${vaultId}.Arn>/clusters/demo/objects/*`,
      ]);
    }
  });

  it('reads its cluster’s backups and its own action documents', () => {
    const inVault = allowed(statements, 's3:GetObject').filter((arn) => arn.includes(vaultId));
    expect(inVault).toEqual([
      `<${vaultId}.Arn>/actions/${OWN}/*`,
      `<${vaultId}.Arn>/clusters/demo/backups/*`,
      `<${vaultId}.Arn>/clusters/demo/objects/*`,
    ]);
  });

  it('answers tokens of our machines alone, and reads the secret of its cluster alone', () => {
    for (const arn of allowed(statements, 'states:SendTaskSuccess')) {
      expect(arn).toMatch(/:stateMachine:Ringvault-(Backup|Restore|Register|Recover)(\/\*)?$/);
    }
    expect(allowed(statements, 'secretsmanager:GetSecretValue')).toEqual([
      'arn:aws:secretsmanager:eu-west-1:111122223333:secret:ringvault/demo-AbCdEf',
    ]);
  });

  it('fits a managed policy of 6,144 characters', () => {
    const [[, policy] = ['', undefined]] = resourcesOf('AWS::IAM::ManagedPolicy');
    // Rendered names and ARNs are longer than what stands for them here.
    expect(JSON.stringify(policy?.Properties['PolicyDocument']).length).toBeLessThan(5_000);
  });
});

describe('the steps', () => {
  it('have each a role and a log group of their own', () => {
    const functions = resourcesOf('AWS::Lambda::Function');
    expect(functions).toHaveLength(stateNames.length);
    for (const field of ['Role', 'LoggingConfig']) {
      expect(new Set(functions.map(([, { Properties }]) => JSON.stringify(Properties[field]))).size).toBe(
        stateNames.length,
      );
    }
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: Match.anyValue() });
    template.allResourcesProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
      LoggingConfig: Match.objectLike({ LogFormat: 'JSON' }),
    });
  });

  it('never delete or read objects, and no step but the sealing one writes into backups', () => {
    for (const step of stateNames) {
      const statements = stepStatements(step);
      expect(statements.flatMap(actionsOf).filter((action) => /^s3:.*(Delete|\*)/.test(action))).toEqual([]);
      const writes = allowed(statements, 's3:PutObject');
      expect(writes.some((arn) => arn.includes('/backups/'))).toBe(step === 'SealBackup');
      expect([...writes, ...allowed(statements, 's3:GetObject')].join()).not.toContain('/objects/');
    }
  });

  it('use keys through S3 alone: to read backups, and one to write them', () => {
    for (const step of stateNames) {
      const statements = stepStatements(step);
      const reads = allowed(statements, 's3:GetObject').some((arn) => arn.includes('/backups/'));
      expect(allowed(statements, 'kms:Decrypt')).toEqual(reads ? [`<${keyId}.Arn>`] : []);
      expect(allowed(statements, 'kms:GenerateDataKey')).toEqual(
        step === 'SealBackup' ? [`<${keyId}.Arn>`] : [],
      );
      for (const statement of statements) {
        if (!actionsOf(statement).some((action) => action.startsWith('kms:'))) continue;
        expect(Object.keys(statement.Condition?.['StringEquals'] ?? {})).toEqual(['kms:ViaService']);
      }
    }
  });

  it('send commands only by our documents and only to hosts with a cluster’s tag', () => {
    const sending = stateNames.filter((step) => allowed(stepStatements(step), 'ssm:SendCommand').length > 0);
    expect(sending).toEqual(['StartAction']);
    for (const statement of stepStatements('StartAction')) {
      if (!actionsOf(statement).includes('ssm:SendCommand')) continue;
      const arns = resourceTexts(statement);
      if (arns.some((arn) => arn.includes(':instance/'))) {
        expect(statement.Condition).toEqual({
          StringEquals: { 'ssm:resourceTag/ringvault:cluster': ['demo'] },
        });
      } else {
        for (const arn of arns) expect(arn).toMatch(/:document\/<Documents\w+>$/);
      }
    }
  });
});

describe('schedules', () => {
  it('start a backup with the time they were meant for, for an hour, and then leave a dead letter', () => {
    const [, schedule] = resourcesOf('AWS::Scheduler::Schedule').find(([id]) => /daily/.test(id)) ?? [
      '',
      undefined,
    ];
    expect(schedule?.Properties).toMatchObject({
      ScheduleExpression: 'cron(0 2 * * ? *)',
      ScheduleExpressionTimezone: 'UTC',
      State: 'ENABLED',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { RetryPolicy: { MaximumEventAgeInSeconds: 3600 } },
    });
    const { Input, DeadLetterConfig } = property<Record<string, unknown>>(schedule, 'Target');
    expect(JSON.parse(String(Input))).toEqual({
      clusterId: 'demo',
      kind: 'snapshot',
      schedule: 'daily',
      scheduledTime: '<aws.scheduler.scheduled-time>',
      requestedBy: 'schedule daily',
    });
    expect(DeadLetterConfig).toBeDefined();
  });

  it('recover runs whose execution failed, was aborted or timed out', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.states'],
        'detail-type': ['Step Functions Execution Status Change'],
        detail: { status: ['FAILED', 'ABORTED', 'TIMED_OUT'] },
      },
      Targets: [
        Match.objectLike({
          InputTransformer: {
            InputPathsMap: { 'detail-executionArn': '$.detail.executionArn' },
            InputTemplate: '{"executionArn":<detail-executionArn>}',
          },
        }),
      ],
    });
  });
});

it('raises an alarm for a scheduled time that began no run', () => {
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    ...{ Namespace: 'Ringvault', MetricName: 'MissedRuns', Statistic: 'Sum', Threshold: 0 },
    Dimensions: [{ Name: 'ClusterId', Value: 'demo' }],
    TreatMissingData: 'notBreaching',
    AlarmActions: Match.anyValue(),
  });
});

it('raises alarms for dead letters and for a backup that is too old or not measured', () => {
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateNumberOfMessagesVisible',
  });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    Namespace: 'Ringvault',
    MetricName: 'BackupAge',
    Dimensions: [{ Name: 'ClusterId', Value: 'demo' }],
    Threshold: 26 * 3600,
    TreatMissingData: 'breaching',
    AlarmActions: Match.anyValue(),
  });
});

it('tells a cluster’s subscribers of its runs and of alarms, which have no cluster', () => {
  template.hasResourceProperties('AWS::SNS::Subscription', {
    Protocol: 'email',
    Endpoint: 'cassandra-operators@example.com',
    FilterPolicy: { clusterId: ['demo', 'unknown', { exists: false }] },
  });
});

it('gives the outputs by which the command finds the deployment', () => {
  expect(Object.keys(template.findOutputs('*')).sort()).toEqual([
    'BackupArn',
    'CatalogTable',
    'HostPolicyArns',
    'KmsKeyArns',
    'RecoverArn',
    'RegisterArn',
    'RestoreArn',
    'TopicArn',
    'VaultBucket',
    'VaultPrefix',
  ]);
  const [[, machine] = ['', undefined]] = resourcesOf('AWS::StepFunctions::StateMachine');
  expect(asText(machine?.Properties['StateMachineName'])).toMatch(/^Ringvault-/);
});

// What the deployer puts resources into: the parts of the local cloud, and clients of its endpoint for those that are reached
// as anybody reaches them.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { PolicyAuthorizer } from '../endpoint/authorize/policy-authorizer.ts';
import type { Functions } from '../lambda/functions.ts';
import type { EventBus } from '../services/events.ts';
import type { Keys } from '../services/kms/keys.ts';
import type { Queues } from '../services/queues.ts';
import type { Scheduler } from '../services/scheduler.ts';
import type { RunCommand } from '../services/ssm-commands.ts';
import type { StepFunctions } from '../step-functions/step-functions.ts';
import type { Roles } from './roles.ts';
import type { StackRecords } from './stack-records.ts';

export interface Platform {
  s3: S3Client;
  dynamodb: DynamoDBClient;
  sns: SNSClient;
  authorizer: PolicyAuthorizer;
  keys: Keys;
  roles: Roles;
  functions: Functions;
  runCommand: RunCommand;
  scheduler: Scheduler;
  events: EventBus;
  queues: Queues;
  stepFunctions: Pick<StepFunctions, 'create'>;
  stacks: StackRecords;
}

// The resource types that the local cloud implements. Any other in a template is refused by name.
import type { ResourceType } from '../resource-type.ts';
import { lambdaFunction, lambdaPermission, logGroup, ssmDocument, stateMachine } from './compute.ts';
import { managedPolicy, policy, role } from './identity.ts';
import { queue, queuePolicy, subscription, topic, topicPolicy } from './messaging.ts';
import { alarm, cdkMetadata, keyAlias } from './recorded.ts';
import { bucket, bucketPolicy, key, table } from './storage.ts';
import { rule, schedule, scheduleGroup } from './timing.ts';

export const resourceTypes: Readonly<Record<string, ResourceType>> = {
  'AWS::CDK::Metadata': cdkMetadata,
  'AWS::CloudWatch::Alarm': alarm,
  'AWS::DynamoDB::Table': table,
  'AWS::Events::Rule': rule,
  'AWS::IAM::ManagedPolicy': managedPolicy,
  'AWS::IAM::Policy': policy,
  'AWS::IAM::Role': role,
  'AWS::KMS::Alias': keyAlias,
  'AWS::KMS::Key': key,
  'AWS::Lambda::Function': lambdaFunction,
  'AWS::Lambda::Permission': lambdaPermission,
  'AWS::Logs::LogGroup': logGroup,
  'AWS::S3::Bucket': bucket,
  'AWS::S3::BucketPolicy': bucketPolicy,
  'AWS::SNS::Subscription': subscription,
  'AWS::SNS::Topic': topic,
  'AWS::SNS::TopicPolicy': topicPolicy,
  'AWS::SQS::Queue': queue,
  'AWS::SQS::QueuePolicy': queuePolicy,
  'AWS::SSM::Document': ssmDocument,
  'AWS::Scheduler::Schedule': schedule,
  'AWS::Scheduler::ScheduleGroup': scheduleGroup,
  'AWS::StepFunctions::StateMachine': stateMachine,
};

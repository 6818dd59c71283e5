// Topics and queues.
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { z } from 'zod';
import { resourceType } from '../resource-type.ts';

const document = z.record(z.string(), z.unknown());

export const topic = resourceType(
  { TopicName: z.string().optional(), DisplayName: z.string().optional() },
  ['KmsMasterKeyId', 'SignatureVersion', 'TracingConfig', 'Tags'],
  async ({ TopicName, DisplayName }, { platform, physicalName }) => {
    const Name = TopicName ?? physicalName(256);
    const Attributes = DisplayName === undefined ? undefined : { DisplayName };
    const { TopicArn } = await platform.sns.send(new CreateTopicCommand({ Name, Attributes }));
    return { id: TopicArn ?? '', attributes: { TopicArn, TopicName: Name } };
  },
);

export const topicPolicy = resourceType(
  { Topics: z.array(z.string()), PolicyDocument: document },
  [],
  async ({ Topics, PolicyDocument }, { platform, physicalName }) => {
    for (const arn of Topics) platform.authorizer.putResourcePolicy(arn, PolicyDocument);
    return { id: physicalName(100) };
  },
);

export const subscription = resourceType(
  {
    TopicArn: z.string(),
    Protocol: z.enum(['email', 'http', 'https']),
    Endpoint: z.string(),
    FilterPolicy: document.optional(),
    RawMessageDelivery: z.boolean().optional(),
  },
  ['DeliveryPolicy'],
  async ({ TopicArn, Protocol, Endpoint, FilterPolicy, RawMessageDelivery }, { platform }) => {
    const Attributes = {
      ...(FilterPolicy && { FilterPolicy: JSON.stringify(FilterPolicy) }),
      ...(RawMessageDelivery !== undefined && { RawMessageDelivery: String(RawMessageDelivery) }),
    };
    const answer = await platform.sns.send(
      new SubscribeCommand({ TopicArn, Protocol, Endpoint, Attributes, ReturnSubscriptionArn: true }),
    );
    const arn = answer.SubscriptionArn ?? '';
    return { id: arn, attributes: { Arn: arn } };
  },
);

/** For dead letters alone: nobody polls a queue here. */
export const queue = resourceType(
  { QueueName: z.string().optional() },
  ['MessageRetentionPeriod', 'SqsManagedSseEnabled', 'KmsMasterKeyId', 'VisibilityTimeout', 'Tags'],
  async ({ QueueName }, { platform, physicalName, arn, region, account }) => {
    const name = QueueName ?? physicalName(80);
    const queueArn = arn('sqs', name);
    platform.queues.create(queueArn);
    const url = `https://sqs.${region}.amazonaws.com/${account}/${name}`;
    return { id: url, attributes: { Arn: queueArn, QueueName: name, QueueUrl: url } };
  },
);

export const queuePolicy = resourceType(
  { Queues: z.array(z.string()), PolicyDocument: document },
  [],
  async ({ Queues, PolicyDocument }, { platform, physicalName, arn }) => {
    for (const url of Queues)
      platform.queues.addPolicy(arn('sqs', url.split('/').at(-1) ?? ''), PolicyDocument);
    return { id: physicalName(100) };
  },
);

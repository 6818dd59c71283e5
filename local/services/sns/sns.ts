// SNS's API: topics, subscriptions (confirmed at once) and publishing.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LOCAL_ACCOUNT, LOCAL_REGION, type QueryService, ServiceError } from '../../endpoint/service.ts';
import { operation } from '../operation.ts';
import type { Deliveries } from './deliveries.ts';
import { readFilterPolicy } from './filter-policy.ts';
import type { Subscription, Topics } from './topics.ts';

/** A map in the query protocol. */
const entries = z
  .array(z.strictObject({ key: z.string(), value: z.string() }))
  .default([])
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, value])));
const messageAttributes = z
  .array(
    z.strictObject({
      Name: z.string().min(1),
      Value: z.strictObject({ DataType: z.enum(['String', 'Number']), StringValue: z.string().min(1) }),
    }),
  )
  .default([])
  .transform((list) =>
    Object.fromEntries(
      list.map(({ Name, Value }) => [Name, { type: Value.DataType, value: Value.StringValue }]),
    ),
  );

const publishInput = z.strictObject({
  TopicArn: z.string(),
  Message: z.string().min(1).max(262_144),
  /** SNS: ASCII text without line breaks, fewer than 100 characters. */
  Subject: z
    .string()
    .regex(/^[\x20-\x7e]{1,99}$/)
    .optional(),
  MessageAttributes: messageAttributes,
});
const topicAttribute = z.enum(['DisplayName', 'KmsMasterKeyId', 'SignatureVersion', 'TracingConfig']);
const subscriptionAttribute = z.enum(['FilterPolicy', 'FilterPolicyScope', 'RawMessageDelivery']);
const paging = { NextToken: z.string().optional() };

export function snsService(topics: Topics, deliveries: Deliveries, now: () => Date): QueryService {
  return {
    protocol: 'query',
    signingName: 'sns',
    xmlNamespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
    operations: {
      ...topicOperations(topics),
      ...subscriptionOperations(topics),
      Publish: operation(publishInput, async ({ TopicArn, Message, Subject, MessageAttributes }, context) => {
        context.authorize('sns:Publish', TopicArn);
        await topics.find(TopicArn);
        const id = randomUUID();
        const message = {
          id,
          topicArn: TopicArn,
          ...(Subject === undefined ? {} : { subject: Subject }),
          text: Message,
          attributes: MessageAttributes,
          publishedAt: now(),
        };
        deliveries.start(message, await topics.subscriptions(TopicArn));
        return { MessageId: id };
      }),
    },
  };
}

function topicOperations(topics: Topics): QueryService['operations'] {
  const createInput = z.strictObject({ Name: z.string().regex(/^[\w-]{1,256}$/), Attributes: entries });
  return {
    CreateTopic: operation(createInput, async ({ Name, Attributes }, context) => {
      context.authorize('sns:CreateTopic', `arn:aws:sns:${LOCAL_REGION}:${LOCAL_ACCOUNT}:${Name}`);
      checkAttributes(Attributes, topicAttribute);
      return { TopicArn: (await topics.create(Name, Attributes)).arn };
    }),
    ListTopics: operation(z.strictObject(paging), async (_input, context) => {
      context.authorize('sns:ListTopics', '*');
      return { Topics: (await topics.list()).map(({ arn }) => ({ TopicArn: arn })) };
    }),
    GetTopicAttributes: operation(z.strictObject({ TopicArn: z.string() }), async ({ TopicArn }, context) => {
      context.authorize('sns:GetTopicAttributes', TopicArn);
      const { attributes } = await topics.find(TopicArn);
      const confirmed = String((await topics.subscriptions(TopicArn)).length);
      const all = { TopicArn, Owner: LOCAL_ACCOUNT, SubscriptionsConfirmed: confirmed, ...attributes };
      return { Attributes: new Map(Object.entries(all)) };
    }),
  };
}

function subscriptionOperations(topics: Topics): QueryService['operations'] {
  const subscribeInput = z.strictObject({
    TopicArn: z.string(),
    Protocol: z.enum(['email', 'http', 'https']),
    Endpoint: z.string().min(1),
    Attributes: entries,
    ReturnSubscriptionArn: z.string().optional(),
  });
  return {
    Subscribe: operation(subscribeInput, async ({ TopicArn, Protocol, Endpoint, Attributes }, context) => {
      context.authorize('sns:Subscribe', TopicArn, { 'sns:protocol': Protocol, 'sns:endpoint': Endpoint });
      checkAttributes(Attributes, subscriptionAttribute);
      const scope = Attributes['FilterPolicyScope'] ?? 'MessageAttributes';
      if (scope !== 'MessageAttributes') throw invalid(`FilterPolicyScope ${scope} is not implemented`);
      if (Attributes['FilterPolicy'] !== undefined) readFilterPolicy(Attributes['FilterPolicy']);
      if (Protocol !== 'email' && !Endpoint.startsWith(`${Protocol}://`)) {
        throw invalid(`Endpoint: got ${Endpoint}, expected ${Protocol}://…`);
      }
      const wanted = { topicArn: TopicArn, protocol: Protocol, endpoint: Endpoint, attributes: Attributes };
      return { SubscriptionArn: (await topics.subscribe(wanted)).arn };
    }),
    Unsubscribe: operation(z.strictObject({ SubscriptionArn: z.string() }), async (input, context) => {
      context.authorize('sns:Unsubscribe', input.SubscriptionArn);
      await topics.unsubscribe(input.SubscriptionArn);
    }),
    ListSubscriptions: operation(z.strictObject(paging), async (_input, context) => {
      context.authorize('sns:ListSubscriptions', '*');
      return { Subscriptions: (await topics.subscriptions()).map(describe) };
    }),
    ListSubscriptionsByTopic: operation(
      z.strictObject({ TopicArn: z.string(), ...paging }),
      async ({ TopicArn }, context) => {
        context.authorize('sns:ListSubscriptionsByTopic', TopicArn);
        await topics.find(TopicArn);
        return { Subscriptions: (await topics.subscriptions(TopicArn)).map(describe) };
      },
    ),
  };
}

function describe({ arn, topicArn, protocol, endpoint }: Subscription) {
  return {
    SubscriptionArn: arn,
    Owner: LOCAL_ACCOUNT,
    Protocol: protocol,
    Endpoint: endpoint,
    TopicArn: topicArn,
  };
}

function checkAttributes(given: Record<string, string>, known: z.ZodEnum<Record<string, string>>): void {
  const unknown = Object.keys(given).find((name) => !known.options.includes(name));
  if (unknown !== undefined) throw invalid(`attribute ${unknown} is not implemented`);
}

function invalid(message: string): ServiceError {
  return new ServiceError('InvalidParameter', `Invalid parameter: ${message}`);
}

// What becomes of a published message: a file for each mail, a POST for each HTTP endpoint, as SNS would send it.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { passes, readFilterPolicy } from './filter-policy.ts';
import type { Subscription } from './topics.ts';

export interface Message {
  id: string;
  topicArn: string;
  subject?: string;
  text: string;
  attributes: Record<string, { type: string; value: string }>;
  publishedAt: Date;
}
/** How one delivery ended, for people and tests. */
export interface DeliveryRecord {
  messageId: string;
  subscriptionArn: string;
  endpoint: string;
  outcome: 'delivered' | 'failed';
  /** Of a mail: its file. */
  file?: string;
  reason?: string;
}

/** SNS tries an endpoint again for over 20 minutes; a demo does not wait as long. */
const RETRY_AFTER_MS = [0, 200, 1_000];
const ANSWER_WITHIN_MS = 15_000;

export class Deliveries {
  readonly records: DeliveryRecord[] = [];
  readonly #mailDirectory: string;
  readonly #underWay = new Set<Promise<void>>();

  constructor(mailDirectory: string) {
    this.#mailDirectory = mailDirectory;
  }

  /** Starts the deliveries to those subscriptions whose filter the message passes. */
  start(message: Message, subscriptions: Subscription[]): void {
    const values = Object.fromEntries(
      Object.entries(message.attributes).map(([name, { value }]) => [name, value]),
    );
    for (const subscription of subscriptions) {
      const filter = subscription.attributes['FilterPolicy'];
      if (filter !== undefined && !passes(readFilterPolicy(filter), values)) continue;
      const delivery = this.#deliver(message, subscription).finally(() => this.#underWay.delete(delivery));
      this.#underWay.add(delivery);
    }
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #deliver(message: Message, { arn, protocol, endpoint, attributes }: Subscription): Promise<void> {
    const record = { messageId: message.id, subscriptionArn: arn, endpoint };
    try {
      if (protocol === 'email') {
        const file = await this.#writeMail(message, endpoint);
        this.records.push({ ...record, outcome: 'delivered', file });
        return;
      }
      await post(message, arn, endpoint, attributes['RawMessageDelivery'] === 'true');
      this.records.push({ ...record, outcome: 'delivered' });
    } catch (error) {
      this.records.push({ ...record, outcome: 'failed', reason: String(error) });
    }
  }

  async #writeMail(message: Message, address: string): Promise<string> {
    await mkdir(this.#mailDirectory, { recursive: true });
    const time = message.publishedAt.toISOString().replaceAll(':', '-');
    const recipient = address.replaceAll(/[^\w.@+-]/g, '_');
    const file = join(this.#mailDirectory, `${time}-${recipient}-${message.id.slice(0, 8)}.eml`);
    const mail = [
      'From: AWS Notifications <no-reply@sns.amazonaws.com>',
      `To: ${address}`,
      `Subject: ${message.subject ?? 'AWS Notification Message'}`,
      `Date: ${message.publishedAt.toUTCString()}`,
      `Message-ID: <${message.id}@local>`,
      'Content-Type: text/plain; charset=UTF-8',
      '',
      message.text,
      '',
    ];
    // A reader of the directory never sees half a mail.
    await writeFile(`${file}.new`, mail.join('\n'));
    await rename(`${file}.new`, file);
    return file;
  }
}

async function post(
  message: Message,
  subscriptionArn: string,
  endpoint: string,
  raw: boolean,
): Promise<void> {
  let failure: unknown;
  for (const wait of RETRY_AFTER_MS) {
    await sleep(wait);
    try {
      const answer = await fetch(endpoint, {
        method: 'POST',
        headers: {
          'content-type': 'text/plain; charset=UTF-8',
          'user-agent': 'Amazon Simple Notification Service Agent',
          'x-amz-sns-message-type': 'Notification',
          'x-amz-sns-message-id': message.id,
          'x-amz-sns-topic-arn': message.topicArn,
          'x-amz-sns-subscription-arn': subscriptionArn,
          ...(raw ? { 'x-amz-sns-rawdelivery': 'true' } : {}),
        },
        body: raw ? message.text : notification(message),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      await answer.arrayBuffer();
      if (answer.ok) return;
      failure = new Error(`${endpoint} answered ${answer.status}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Without the signature that SNS makes with a key of its own: who verifies it must know that it comes from here. */
function notification({ id, topicArn, subject, text, publishedAt, attributes }: Message): string {
  const named = Object.entries(attributes).map(([name, { type, value }]) => [
    name,
    { Type: type, Value: value },
  ]);
  return JSON.stringify({
    Type: 'Notification',
    MessageId: id,
    TopicArn: topicArn,
    Subject: subject,
    Message: text,
    Timestamp: publishedAt.toISOString(),
    ...(named.length === 0 ? {} : { MessageAttributes: Object.fromEntries(named) }),
  });
}

// Topics and their subscriptions, as they were created.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { JsonFile } from '../../endpoint/json-file.ts';
import { LOCAL_ACCOUNT, LOCAL_REGION, ServiceError } from '../../endpoint/service.ts';

const attributes = z.record(z.string(), z.string());
const topic = z.strictObject({ arn: z.string(), attributes });
const subscription = z.strictObject({
  arn: z.string(),
  topicArn: z.string(),
  protocol: z.enum(['email', 'http', 'https']),
  endpoint: z.string(),
  attributes,
});
const state = z.strictObject({ topics: z.array(topic), subscriptions: z.array(subscription) });
export type Topic = z.infer<typeof topic>;
export type Subscription = z.infer<typeof subscription>;

export class Topics {
  readonly #file: JsonFile<typeof state>;

  constructor(path: string) {
    this.#file = new JsonFile(path, state, { topics: [], subscriptions: [] });
  }

  /** Creating what is there already changes nothing. */
  async create(name: string, given: Record<string, string>): Promise<Topic> {
    const arn = `arn:aws:sns:${LOCAL_REGION}:${LOCAL_ACCOUNT}:${name}`;
    await this.#file.update((now) =>
      now.topics.some((each) => each.arn === arn)
        ? now
        : { ...now, topics: [...now.topics, { arn, attributes: given }] },
    );
    return this.find(arn);
  }

  /** An endpoint has one subscription to a topic. @throws ServiceError NotFound */
  async subscribe(wanted: Omit<Subscription, 'arn'>): Promise<Subscription> {
    await this.find(wanted.topicArn);
    const added = { ...wanted, arn: `${wanted.topicArn}:${randomUUID()}` };
    await this.#file.update((now) =>
      now.subscriptions.some((each) => isSame(each, wanted))
        ? now
        : { ...now, subscriptions: [...now.subscriptions, added] },
    );
    const { subscriptions } = await this.#file.read();
    return subscriptions.find((each) => isSame(each, wanted)) ?? added;
  }

  async unsubscribe(arn: string): Promise<void> {
    await this.#file.update((now) => ({
      ...now,
      subscriptions: now.subscriptions.filter((each) => each.arn !== arn),
    }));
  }

  async list(): Promise<Topic[]> {
    return (await this.#file.read()).topics;
  }

  /** @throws ServiceError NotFound */
  async find(arn: string): Promise<Topic> {
    const found = (await this.list()).find((each) => each.arn === arn);
    if (found === undefined) throw new ServiceError('NotFound', `Topic does not exist: ${arn}`, 404);
    return found;
  }

  async subscriptions(topicArn?: string): Promise<Subscription[]> {
    const { subscriptions } = await this.#file.read();
    return subscriptions.filter((each) => topicArn === undefined || each.topicArn === topicArn);
  }
}

function isSame(a: Omit<Subscription, 'arn'>, b: Omit<Subscription, 'arn'>): boolean {
  return a.topicArn === b.topicArn && a.protocol === b.protocol && a.endpoint === b.endpoint;
}

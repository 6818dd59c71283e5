// The dead-letter queues: messages that schedules and rules could not deliver, kept until somebody looks.
import { readPolicy } from '../endpoint/authorize/policy-document.ts';
import { judge } from '../endpoint/authorize/statements.ts';
import { LOCAL_ACCOUNT, ServiceError } from '../endpoint/service.ts';

export interface DeadLetter {
  body: string;
  attributes: Record<string, string>;
  sentAt: Date;
}

interface Queue {
  messages: DeadLetter[];
  /** As deployed; who is not named by it may not send. */
  policies: unknown[];
}

export class Queues {
  readonly #queues = new Map<string, Queue>();

  create(arn: string): void {
    this.#queues.set(arn, { messages: [], policies: [] });
  }

  addPolicy(arn: string, document: unknown): void {
    this.#find(arn).policies.push(document);
  }

  messages(arn: string): readonly DeadLetter[] {
    return this.#find(arn).messages;
  }

  /** @throws ServiceError QueueDoesNotExist */
  send(arn: string, body: string, attributes: Record<string, string>): void {
    this.#find(arn).messages.push({ body, attributes, sentAt: new Date() });
  }

  /** A service without a role is let in by the queue's own policy. @throws ServiceError AccessDeniedException */
  sendAsService(
    principal: string,
    sourceArn: string,
    arn: string,
    body: string,
    attributes: Record<string, string>,
  ): void {
    const policies = this.#find(arn).policies.map((each) => readPolicy(`the policy of ${arn}`, each));
    const context = {
      'aws:securetransport': 'true',
      'aws:sourcearn': sourceArn,
      'aws:sourceaccount': LOCAL_ACCOUNT,
      'aws:principalisawsservice': 'true',
    };
    const names = { aws: [], account: LOCAL_ACCOUNT, service: principal };
    const verdict = judge(policies, { action: 'sqs:SendMessage', resource: arn, context }, names);
    if (verdict.kind !== 'allow') {
      throw new ServiceError(
        'AccessDeniedException',
        `${principal} may not send to ${arn}: ${JSON.stringify(verdict)}`,
        403,
      );
    }
    this.send(arn, body, attributes);
  }

  #find(arn: string): Queue {
    const found = this.#queues.get(arn);
    if (!found) throw new ServiceError('QueueDoesNotExist', `There is no queue ${arn}.`);
    return found;
  }
}

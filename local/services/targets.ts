// What schedules and rules can send to: state machines, Lambda functions, and a queue for what could not be sent.
import type { PolicyAuthorizer } from '../endpoint/authorize/policy-authorizer.ts';
import { type Caller, LOCAL_ACCOUNT, ServiceError } from '../endpoint/service.ts';
import type { Functions } from '../lambda/functions.ts';
import type { StepFunctions } from '../step-functions/step-functions.ts';
import type { Queues } from './queues.ts';

export interface Delivery {
  targetArn: string;
  /** JSON. */
  input: string;
  /** scheduler.amazonaws.com, events.amazonaws.com. */
  principal: string;
  /** What the trust policy may ask for in `aws:SourceArn`. */
  sourceArn: string;
  /** The role to act by; without one the target's own policy must name the principal. */
  roleArn?: string;
  /** Unique: the name of an execution that is started. */
  id: string;
}

/** How a delivery ended, for people and tests. */
export interface DeliveryRecord extends Delivery {
  outcome: 'delivered' | 'dead-letter' | 'dropped';
  /** Why it was not delivered. */
  reason?: string;
}

export interface RetryRule {
  attempts: number;
  deadLetterArn?: string;
}

type TrustAuthorizer = Pick<PolicyAuthorizer, 'decide' | 'decideServiceTrust'>;

export class Targets {
  readonly #authorizer: TrustAuthorizer;
  readonly #functions: Functions;
  readonly #stepFunctions: Pick<StepFunctions, 'start'>;
  readonly #queues: Queues;
  readonly deliveries: DeliveryRecord[] = [];

  constructor(
    authorizer: TrustAuthorizer,
    functions: Functions,
    stepFunctions: Pick<StepFunctions, 'start'>,
    queues: Queues,
  ) {
    this.#authorizer = authorizer;
    this.#functions = functions;
    this.#stepFunctions = stepFunctions;
    this.#queues = queues;
  }

  /** The kinds of target that there are. @throws ServiceError ValidationException */
  check(targetArn: string): void {
    if (/:states:[^:]*:\d+:stateMachine:|:lambda:[^:]*:\d+:function:/.test(targetArn)) return;
    throw new ServiceError(
      'ValidationException',
      `The local cloud sends to state machines and functions, not to ${targetArn}.`,
    );
  }

  /** Tries as often as the rule says, without waiting, then writes a dead letter. Never rejects. */
  async deliver(delivery: Delivery, retry: RetryRule): Promise<DeliveryRecord> {
    let reason = '';
    for (let attempt = 0; attempt <= retry.attempts; attempt++) {
      try {
        await this.#send(delivery);
        return this.#ended({ ...delivery, outcome: 'delivered' });
      } catch (error) {
        reason = describeFailure(error);
      }
    }
    if (!retry.deadLetterArn) return this.#ended({ ...delivery, outcome: 'dropped', reason });
    try {
      this.#bury(delivery, retry.deadLetterArn, reason);
      return this.#ended({ ...delivery, outcome: 'dead-letter', reason });
    } catch (error) {
      return this.#ended({ ...delivery, outcome: 'dropped', reason: `${reason}; ${describeFailure(error)}` });
    }
  }

  #ended(record: DeliveryRecord): DeliveryRecord {
    this.deliveries.push(record);
    return record;
  }

  async #send({ targetArn, input, principal, sourceArn, roleArn, id }: Delivery): Promise<void> {
    const caller = roleArn === undefined ? undefined : this.#assume(roleArn, principal, sourceArn);
    if (targetArn.includes(':function:')) {
      if (caller) await this.#functions.invoke(caller, targetArn, input);
      else await this.#functions.invokeAsService(principal, sourceArn, targetArn, input);
      return;
    }
    if (!caller)
      throw new ServiceError('AccessDeniedException', `A role is needed to start ${targetArn}.`, 403);
    this.#authorize(caller, 'states:StartExecution', targetArn);
    this.#stepFunctions.start(targetArn, { name: id, input });
  }

  /** @throws ServiceError AccessDeniedException, QueueDoesNotExist */
  #bury(delivery: Delivery, queueArn: string, reason: string): void {
    const { principal, sourceArn, roleArn, targetArn, input } = delivery;
    const attributes = { ERROR_MESSAGE: reason, SOURCE_ARN: sourceArn, TARGET_ARN: targetArn };
    // Scheduler writes by the schedule's role, a rule by the queue's own policy.
    if (principal === 'scheduler.amazonaws.com' && roleArn) {
      this.#authorize(this.#assume(roleArn, principal, sourceArn), 'sqs:SendMessage', queueArn);
      this.#queues.send(queueArn, input, attributes);
    } else {
      this.#queues.sendAsService(principal, sourceArn, queueArn, input, attributes);
    }
  }

  #assume(roleArn: string, principal: string, sourceArn: string): Caller {
    const trust = this.#authorizer.decideServiceTrust(roleArn, principal, {
      'aws:sourceaccount': LOCAL_ACCOUNT,
      'aws:sourcearn': sourceArn,
    });
    if (!trust.allowed) throw new ServiceError('AccessDeniedException', trust.reason, 403);
    const [account, role] = [roleArn.split(':')[4], roleArn.split('/').at(-1)];
    return { arn: `arn:aws:sts::${account}:assumed-role/${role}/${principal.split('.')[0]}`, roleArn };
  }

  #authorize(caller: Caller, action: string, resource: string): void {
    const decision = this.#authorizer.decide(caller, action, resource);
    if (!decision.allowed) throw new ServiceError('AccessDeniedException', decision.reason, 403);
  }
}

function describeFailure(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

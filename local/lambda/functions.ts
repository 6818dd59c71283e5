// All functions of the local cloud: found by name or ARN, invoked by whoever may. Used by the Lambda service, by the Step
// Functions interpreter, and by schedules and rules.
import { randomUUID } from 'node:crypto';
import { type Authorizer, type Caller, ServiceError } from '../endpoint/service.ts';
import { type FunctionHost, type FunctionSettings, LambdaFunction } from './lambda-function.ts';
import type { FunctionError } from './runtime-messages.ts';

/** A statement of a function's own policy (AWS::Lambda::Permission). */
export interface InvokePermission {
  /** events.amazonaws.com and the like. */
  principal: string;
  sourceArn?: string;
}

export interface Invocation {
  requestId: string;
  /** JSON: the function's answer, or its error. */
  payload: string;
  error?: FunctionError;
}

export class Functions {
  readonly #functions = new Map<string, LambdaFunction>();
  readonly #permissions = new Map<string, InvokePermission[]>();
  readonly #host: FunctionHost;
  readonly #authorizer: Authorizer;
  /** Test lever: each invocation is delivered twice at a time, as the service may; what the later one answers counts. */
  deliverTwice = false;

  constructor(host: FunctionHost, authorizer: Authorizer) {
    this.#host = host;
    this.#authorizer = authorizer;
  }

  create(settings: FunctionSettings): void {
    this.#functions.set(settings.name, new LambdaFunction(settings, this.#host));
  }

  permit(name: string, permission: InvokePermission): void {
    const { settings } = this.find(name);
    this.#permissions.set(settings.name, [...(this.#permissions.get(settings.name) ?? []), permission]);
  }

  list(): FunctionSettings[] {
    return [...this.#functions.values()].map((each) => each.settings);
  }

  has(name: string): boolean {
    return this.#functions.has(nameOf(name));
  }

  /** @param name name, partial or full ARN, with or without `:$LATEST` @throws ServiceError ResourceNotFoundException */
  find(name: string): LambdaFunction {
    const found = this.#functions.get(nameOf(name));
    if (!found) throw new ServiceError('ResourceNotFoundException', `Function not found: ${name}`, 404);
    return found;
  }

  /**
   * Invokes as a role (Step Functions, Scheduler, a client).
   * @throws ServiceError AccessDeniedException, ResourceNotFoundException, RequestTooLargeException
   */
  async invoke(caller: Caller, name: string, payload: string): Promise<Invocation> {
    const target = this.find(name);
    const decision = this.#authorizer.decide(caller, 'lambda:InvokeFunction', target.settings.arn);
    if (!decision.allowed) throw new ServiceError('AccessDeniedException', decision.reason, 403);
    return this.#run(target, payload);
  }

  /** Invokes as a service that the function's own policy must name. @throws ServiceError as `invoke` */
  async invokeAsService(
    principal: string,
    sourceArn: string,
    name: string,
    payload: string,
  ): Promise<Invocation> {
    const target = this.find(name);
    const permissions = this.#permissions.get(target.settings.name) ?? [];
    const permitted = permissions.some(
      (each) =>
        each.principal === principal && (each.sourceArn === undefined || each.sourceArn === sourceArn),
    );
    if (!permitted) {
      const reason = `${principal} for ${sourceArn} may not invoke ${target.settings.arn}: no AWS::Lambda::Permission says so`;
      throw new ServiceError('AccessDeniedException', reason, 403);
    }
    return this.#run(target, payload);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#functions.values()].map((each) => each.close()));
  }

  async #run(target: LambdaFunction, payload: string): Promise<Invocation> {
    const earlier = this.deliverTwice ? run(target, payload) : undefined;
    const later = run(target, payload);
    await earlier;
    return later;
  }
}

async function run(target: LambdaFunction, payload: string): Promise<Invocation> {
  const requestId = randomUUID();
  const outcome = await target.invoke(payload, requestId);
  return 'error' in outcome
    ? { requestId, payload: JSON.stringify(outcome.error), error: outcome.error }
    : { requestId, payload: outcome.payload };
}

function nameOf(name: string): string {
  const afterFunction = name.includes(':function:') ? (name.split(':function:')[1] ?? '') : name;
  return afterFunction.replace(/:(\$LATEST)$/, '');
}

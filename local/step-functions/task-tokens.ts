// Task tokens: opened by a waiting Task, answered by whoever was given one.
import type { Clock } from '../../adapters/ports.ts';
import { ServiceError } from '../endpoint/service.ts';
import { StateFailure } from './failures.ts';

/** A token that a Task waits for. */
export interface OpenToken {
  readonly token: string;
  /** The output, or rejected with the StateFailure that was sent. */
  readonly answer: Promise<unknown>;
  readonly lastHeartbeat: Date;
  /** Ends it for good; false where an answer was accepted first, which then counts. */
  expire(): boolean;
}

const PREFIX = 'AAAAKgAAAAIAAAAA';

export class TaskTokens {
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #byToken = new Map<string, Token>();

  constructor(clock: Clock, newId: () => string) {
    this.#clock = clock;
    this.#newId = newId;
  }

  open(stateMachineArn: string): OpenToken {
    const secret = Buffer.from(`${this.#newId()}${this.#newId()}`).toString('base64');
    const token = new Token(`${PREFIX}${secret}`, stateMachineArn, this.#clock);
    this.#byToken.set(token.token, token);
    return token;
  }

  /**
   * The machine whose task the token belongs to (`<machine>/<label>` in a Distributed Map's child), which the caller
   * needs leave for. @throws ServiceError InvalidToken, TaskDoesNotExist
   */
  machineOf(token: string): string {
    return this.#find(token).stateMachineArn;
  }

  /** @param output JSON text. @throws ServiceError InvalidOutput, InvalidToken, TaskDoesNotExist, TaskTimedOut */
  succeed(token: string, output: string): void {
    let value: unknown;
    try {
      value = JSON.parse(output);
    } catch {
      throw new ServiceError('InvalidOutput', `Invalid Output: ${output.slice(0, 100)} is not JSON`);
    }
    this.#find(token).answerWith((settle) => settle.resolve(value));
  }

  /** @throws ServiceError InvalidToken, TaskDoesNotExist, TaskTimedOut */
  fail(token: string, error: string, cause: string): void {
    this.#find(token).answerWith((settle) => settle.reject(new StateFailure(error, cause)));
  }

  /** @throws ServiceError InvalidToken, TaskDoesNotExist, TaskTimedOut */
  heartbeat(token: string): void {
    this.#find(token).beat();
  }

  #find(token: string): Token {
    if (!token.startsWith(PREFIX)) throw new ServiceError('InvalidToken', 'Invalid Token: not a task token');
    const found = this.#byToken.get(token);
    if (!found) throw new ServiceError('TaskDoesNotExist', 'Task does not exist for the token provided');
    return found;
  }
}

class Token implements OpenToken {
  readonly token: string;
  readonly stateMachineArn: string;
  readonly #clock: Clock;
  readonly #settle = Promise.withResolvers<unknown>();
  #lastHeartbeat: Date;
  #isOpen = true;

  constructor(token: string, stateMachineArn: string, clock: Clock) {
    this.token = token;
    this.stateMachineArn = stateMachineArn;
    this.#clock = clock;
    this.#lastHeartbeat = clock.now();
    // An answer may come when its task was just stopped; nobody listens then.
    this.#settle.promise.catch(() => {});
  }

  get answer(): Promise<unknown> {
    return this.#settle.promise;
  }
  get lastHeartbeat(): Date {
    return this.#lastHeartbeat;
  }

  expire(): boolean {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    return wasOpen;
  }

  answerWith(settle: (resolvers: PromiseWithResolvers<unknown>) => void): void {
    this.#mustBeOpen();
    this.#isOpen = false;
    settle(this.#settle);
  }

  beat(): void {
    this.#mustBeOpen();
    this.#lastHeartbeat = this.#clock.now();
  }

  /** A late token and one used before are told alike. */
  #mustBeOpen(): void {
    if (!this.#isOpen) {
      throw new ServiceError('TaskTimedOut', 'Task Timed Out: Provided task does not exist anymore');
    }
  }
}

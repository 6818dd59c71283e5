// Faults that tests inject into the endpoint: errors, delays, cut connections and lost answers, for any service.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, ServiceError } from './service.ts';

/** What a rule can look at. */
export interface FaultRequest {
  caller: Caller;
  /** Signing name: s3, dynamodb, states, … */
  service: string;
  /** `s3:PutObject`, `states:SendTaskSuccess`, … */
  action: string;
  /** ARN where the service says it before it handles the request (S3, DynamoDB); else empty. */
  resource: string;
  method: string;
  path: string;
  /** Of the request's body, by its Content-Length. */
  bytes: number;
}

type FaultEffect =
  /** Refused with this error, in the service's own shape. Nothing is done. */
  | { kind: 'error'; statusCode: number; code: string; message?: string }
  /** Done after this time. */
  | { kind: 'delay'; milliseconds: number }
  /** Done when the test says so. */
  | { kind: 'hold'; until: Promise<void> }
  /** The connection is reset when so many bytes of the body came (0: at once). Nothing is done. */
  | { kind: 'reset'; afterBytes?: number }
  /** Done, and the connection is reset in the middle of the answer. */
  | { kind: 'half-answer' }
  /** Done, and the connection is reset where the answer would start. */
  | { kind: 'lost-answer' };

export interface FaultRule {
  service?: string;
  action?: string;
  match?(request: FaultRequest): boolean;
  /** How often it strikes; 1 where it is not given. */
  times?: number;
  effect: FaultEffect;
}
export interface ActiveFault {
  /** How often it struck. */
  readonly hits: number;
  remove(): void;
}

/** Thrown when the connection was cut: there is nobody left to answer. */
export class ConnectionCut extends Error {}

export class Faults {
  #active: Array<{ rule: FaultRule; hits: number }> = [];

  add(rule: FaultRule): ActiveFault {
    const fault = { rule, hits: 0 };
    this.#active.push(fault);
    return {
      get hits() {
        return fault.hits;
      },
      remove: () => {
        this.#active = this.#active.filter((each) => each !== fault);
      },
    };
  }

  clear(): void {
    this.#active = [];
  }

  /** Applies the first rule that matches. @throws ServiceError, ConnectionCut */
  async strike(seen: FaultRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = this.#active.find(({ rule, hits }) => hits < (rule.times ?? 1) && matches(rule, seen));
    if (fault === undefined) return;
    fault.hits += 1;
    const { effect } = fault.rule;
    switch (effect.kind) {
      case 'error':
        throw new ServiceError(effect.code, effect.message ?? 'Injected fault', effect.statusCode);
      case 'delay':
        await sleep(effect.milliseconds);
        return;
      case 'hold':
        await effect.until;
        return;
      case 'reset':
        await readThenReset(request, effect.afterBytes ?? 0);
        throw new ConnectionCut();
      case 'half-answer':
      case 'lost-answer':
        cutAnswer(response, effect.kind);
    }
  }
}

function matches(rule: FaultRule, seen: FaultRequest): boolean {
  if (rule.service !== undefined && rule.service !== seen.service) return false;
  if (rule.action !== undefined && rule.action !== seen.action) return false;
  return rule.match?.(seen) ?? true;
}

async function readThenReset(request: IncomingMessage, bytes: number): Promise<void> {
  // Leaving the loop takes the socket from the request.
  const { socket } = request;
  let seen = 0;
  if (bytes > 0) {
    for await (const chunk of request) {
      seen += (chunk as Buffer).length;
      if (seen >= bytes) break;
    }
  }
  socket.resetAndDestroy();
}

/** Lets the service answer as ever, and cuts the connection instead of sending the answer, or its second half. */
function cutAnswer(response: ServerResponse, kind: 'half-answer' | 'lost-answer'): void {
  const write = response.write.bind(response);
  const socket = response.socket;
  let started = false;
  const cut = () => {
    socket?.resetAndDestroy();
    return false;
  };
  response.write = ((chunk: Buffer | string) => {
    if (kind === 'lost-answer') return true;
    if (started) return cut();
    started = true;
    const half = Buffer.from(chunk as string).subarray(0, Math.ceil(chunk.length / 2));
    return write(half, () => cut());
  }) as typeof response.write;
  response.end = ((chunk?: Buffer | string) => {
    if (kind === 'half-answer' && !started && chunk !== undefined) {
      response.write(chunk);
      return response;
    }
    cut();
    return response;
  }) as typeof response.end;
}

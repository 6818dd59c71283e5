// An execution's events, as GetExecutionHistory tells them.
import type { Clock } from '../../adapters/ports.ts';
import { ExecutionEnd } from './failures.ts';

const EVENT_LIMIT = 25_000;

/** As on the wire: the details are under a key that goes with the type. */
export interface HistoryEvent {
  id: number;
  previousEventId: number;
  type: string;
  /** Epoch seconds. */
  timestamp: number;
  [details: string]: unknown;
}

/** A line of control whose events follow one another. */
export interface EventLine {
  lastEventId: number;
}

export class History {
  readonly events: HistoryEvent[] = [];
  readonly #clock: Clock;
  readonly #whenFull: (end: ExecutionEnd) => void;

  /** `whenFull` is told before the event that would not fit is refused: it ends the execution. */
  constructor(clock: Clock, whenFull: (end: ExecutionEnd) => void) {
    this.#clock = clock;
    this.#whenFull = whenFull;
  }

  /** The last place is kept for the event that ends the execution. @throws ExecutionEnd when there is no room */
  add(line: EventLine, type: string, details?: Record<string, unknown>): void {
    if (this.events.length >= EVENT_LIMIT - 1) {
      const end = new ExecutionEnd(
        'FAILED',
        'States.Runtime',
        `The execution reached the maximum number of history events (${EVENT_LIMIT}).`,
      );
      this.#whenFull(end);
      throw end;
    }
    this.#append(line, type, details);
  }

  /** For what happens while work is being ended: written where there is room. */
  addIfRoom(line: EventLine, type: string, details?: Record<string, unknown>): void {
    if (this.events.length < EVENT_LIMIT - 1) this.#append(line, type, details);
  }

  addLast(line: EventLine, type: string, details?: Record<string, unknown>): void {
    this.#append(line, type, details);
  }

  #append(line: EventLine, type: string, details: Record<string, unknown> | undefined): void {
    const event: HistoryEvent = {
      id: this.events.length + 1,
      previousEventId: line.lastEventId,
      type,
      timestamp: epochSeconds(this.#clock.now()),
    };
    if (details) event[detailsKey(type)] = details;
    this.events.push(event);
    line.lastEventId = event.id;
  }
}

function detailsKey(type: string): string {
  if (type.endsWith('StateEntered')) return 'stateEnteredEventDetails';
  if (type.endsWith('StateExited')) return 'stateExitedEventDetails';
  return `${type.charAt(0).toLowerCase()}${type.slice(1)}EventDetails`;
}

export function epochSeconds(date: Date): number {
  return date.getTime() / 1000;
}

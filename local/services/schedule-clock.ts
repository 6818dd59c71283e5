// The clock of schedules and timed rules. It stands still until it is moved, or follows the real one.
import type { Timetable } from './schedule-expression.ts';

export interface ClockEntry {
  timetable: Timetable;
  /** Never rejects: a target that fails is the entry's own business. */
  fire(scheduledAt: Date): Promise<void>;
}

export class ScheduleClock {
  #now: Date;
  #entries: Array<{ entry: ClockEntry; due: Date | undefined }> = [];
  #moving: Promise<void> = Promise.resolve();
  #following: NodeJS.Timeout | undefined;

  constructor(now: Date) {
    this.#now = now;
  }

  now(): Date {
    return this.#now;
  }

  add(entry: ClockEntry): void {
    this.#entries.push({ entry, due: entry.timetable(this.#now) });
  }

  remove(entry: ClockEntry): void {
    this.#entries = this.#entries.filter((slot) => slot.entry !== entry);
  }

  /** Fires all that is due until then, in order, one after another. @throws RangeError backwards */
  moveTo(date: Date): Promise<void> {
    const moved = this.#moving.then(() => this.#moveTo(date));
    this.#moving = moved.catch(() => undefined);
    return moved;
  }

  /** Goes on with real time from where it stands, until `stop`. */
  follow(): void {
    const ahead = this.#now.getTime() - Date.now();
    this.#following ??= setInterval(() => {
      const now = new Date(Date.now() + ahead);
      if (now > this.#now) void this.moveTo(now).catch(() => undefined);
    }, 1000).unref();
  }

  stop(): void {
    clearInterval(this.#following);
    this.#following = undefined;
  }

  async #moveTo(date: Date): Promise<void> {
    if (date < this.#now) {
      throw new RangeError(`the schedules' clock is at ${this.#now.toISOString()}, and cannot go back`);
    }
    for (let next = this.#nextDue(date); next; next = this.#nextDue(date)) {
      const { entry, due } = next;
      this.#now = due;
      next.slot.due = entry.timetable(due);
      await entry.fire(due);
    }
    this.#now = date;
  }

  #nextDue(until: Date) {
    let first: { slot: { due: Date | undefined }; entry: ClockEntry; due: Date } | undefined;
    for (const slot of this.#entries) {
      if (slot.due && slot.due <= until && (!first || slot.due < first.due)) {
        first = { slot, entry: slot.entry, due: slot.due };
      }
    }
    return first;
  }
}

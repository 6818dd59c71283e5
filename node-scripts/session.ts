// The link between a running action and the workflow that waits for it: heartbeats, the newest document, the moment to
// stop. A token that is no longer valid means that a retry is probably on its way: the action goes on until graceUntil.
import type { Logger } from 'pino';
import type { Clock, TaskCallback } from '../adapters/ports.ts';
import type { ActionDocument } from '../contracts/actions.ts';
import { ActionLost, RunEnded } from '../contracts/errors.ts';
import { isThere } from './durable-files.ts';
import type { FailPoints } from './fail-points.ts';
import { type HeldLock, tryLock } from './process-lock.ts';
import type { ProgressReporter } from './progress.ts';

const POLL_MS = 3_000;
const LOCK_POLL_MS = 500;

export interface SessionOptions {
  document: ActionDocument;
  /** Reads the action's document again; undefined where it cannot be read now. */
  readDocument(): Promise<ActionDocument | undefined>;
  callback: TaskCallback;
  clock: Clock;
  log: Logger;
  progress: ProgressReporter;
  failPoints: FailPoints;
  endedMarker: string;
  hostLock: string;
}

export class Session {
  readonly signal: AbortSignal;
  #document: ActionDocument;
  readonly #options: SessionOptions;
  readonly #stop = new AbortController();
  readonly #closed = new AbortController();
  #lock: HeldLock | undefined;
  #mutedAttempt: number | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#document = options.document;
    this.signal = this.#stop.signal;
  }

  /** Of the newest document. */
  get token(): string {
    return this.#document.taskToken;
  }
  get attempt(): number {
    return this.#document.attempt;
  }

  open(): void {
    this.#loop = this.#heartbeats().catch((error: unknown) => this.#stop.abort(error));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#loop;
    await this.#lock?.release();
    this.#lock = undefined;
  }

  /** @see ActionContext.beforeDestroying */
  async beforeDestroying(step: string): Promise<void> {
    const { clock, log, hostLock } = this.#options;
    while (!this.#lock) {
      const lock = await tryLock(hostLock);
      if (lock !== 'held') this.#lock = lock;
      else await this.#sleep(LOCK_POLL_MS);
    }
    while ((await this.#beat()) !== 'accepted') await this.#sleep(Math.min(POLL_MS, this.#intervalMs()));
    log.info({ step, at: clock.now().toISOString() }, 'destructive step');
  }

  /** Waits until a later attempt has taken over. */
  async hang(): Promise<void> {
    const attempt = this.attempt;
    while (this.attempt === attempt) await this.#sleep(LOCK_POLL_MS);
  }

  #intervalMs(): number {
    return (this.#document.heartbeatSeconds * 1_000) / 3;
  }

  async #sleep(milliseconds: number): Promise<void> {
    await this.#options.clock.sleep(milliseconds, this.#stop.signal);
    this.#stop.signal.throwIfAborted();
  }

  async #heartbeats(): Promise<void> {
    const { clock, progress, failPoints } = this.#options;
    const ended = AbortSignal.any([this.#closed.signal, this.#stop.signal]);
    while (!ended.aborted) {
      if ((await failPoints.reach('heartbeat')) === 'hang') this.#mutedAttempt = this.attempt;
      // What goes wrong here has been told to the action by the signal.
      const outcome = await this.#beat().catch(() => 'stopped' as const);
      if (ended.aborted) return;
      progress.state(outcome === 'accepted' ? 'running' : 'waiting');
      await clock.sleep(
        outcome === 'accepted' ? this.#intervalMs() : Math.min(POLL_MS, this.#intervalMs()),
        ended,
      );
    }
  }

  /** One heartbeat; where it is not accepted, a look for a later document. @throws RunEnded ActionLost, and aborts */
  async #beat(): Promise<'accepted' | 'not-accepted'> {
    this.#stop.signal.throwIfAborted();
    const { clock, endedMarker } = this.#options;
    if (await isThere(endedMarker)) this.#abort(new RunEnded(`run ${this.#document.runId} has ended`));
    if ((await this.#send()) === 'accepted') return 'accepted';
    if (await this.#adoptLaterDocument()) return this.#beat();
    const now = clock.now().toISOString();
    if (now > this.#document.graceUntil) {
      this.#abort(
        new ActionLost(
          `no heartbeat of ${this.#document.actionId}, attempt ${this.attempt}, was accepted, and no later attempt came by ${this.#document.graceUntil}`,
        ),
      );
    }
    return 'not-accepted';
  }

  async #send(): Promise<'accepted' | 'invalid-token' | 'unknown'> {
    if (this.#mutedAttempt === this.attempt) return 'unknown';
    try {
      return await this.#options.callback.heartbeat(this.token);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'heartbeat was not sent');
      return 'unknown';
    }
  }

  async #adoptLaterDocument(): Promise<boolean> {
    const { log, readDocument } = this.#options;
    const document = await readDocument().catch((error: unknown) => {
      log.warn({ err: error }, 'action document was not read');
      return undefined;
    });
    if (!document || document.attempt <= this.attempt) return false;
    log.info({ attempt: document.attempt }, 'goes on under a later attempt');
    this.#document = document;
    return true;
  }

  #abort(reason: Error): never {
    this.#stop.abort(reason);
    throw reason;
  }
}

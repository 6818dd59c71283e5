// A Distributed Map's run: counts and tolerance, as DescribeMapRun tells them.
import type { Clock } from '../../adapters/ports.ts';
import type { Execution } from './execution.ts';
import type { MapRunSettings } from './strand.ts';

export type MapRunStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';
type Ended = 'succeeded' | 'failed' | 'timedOut' | 'aborted';

export class MapRun {
  readonly arn: string;
  readonly parent: Execution;
  readonly settings: MapRunSettings;
  readonly startDate: Date;
  readonly #clock: Clock;
  readonly #ended: Record<Ended, number> = { succeeded: 0, failed: 0, timedOut: 0, aborted: 0 };
  #running = 0;
  #status: MapRunStatus = 'RUNNING';
  #stopDate: Date | undefined;

  constructor(arn: string, parent: Execution, settings: MapRunSettings, clock: Clock) {
    this.arn = arn;
    this.parent = parent;
    this.settings = settings;
    this.#clock = clock;
    this.startDate = clock.now();
  }

  get status(): MapRunStatus {
    return this.#status;
  }
  get stopDate(): Date | undefined {
    return this.#stopDate;
  }

  childStarted(): void {
    this.#running++;
  }

  childEnded(status: Execution['status']): void {
    this.#running--;
    if (status === 'SUCCEEDED') this.#ended.succeeded++;
    else if (status === 'TIMED_OUT') this.#ended.timedOut++;
    else if (status === 'ABORTED') this.#ended.aborted++;
    else this.#ended.failed++;
  }

  /** Items that were stopped count as failed while the run is going on: somebody stopped them. */
  get isToleranceExceeded(): boolean {
    const failed = this.#ended.failed + this.#ended.timedOut + this.#ended.aborted;
    const { total, toleratedFailureCount: count, toleratedFailurePercentage: percentage } = this.settings;
    if (failed === 0) return false;
    if (count === 0 && percentage === 0) return true;
    return (count > 0 && failed > count) || (percentage > 0 && (failed / total) * 100 > percentage);
  }

  /** Items that never began when the run ends count as aborted. */
  end(status: MapRunStatus): void {
    this.#status = status;
    this.#stopDate = this.#clock.now();
    this.#ended.aborted += this.#pending;
  }

  get #pending(): number {
    const { succeeded, failed, timedOut, aborted } = this.#ended;
    return this.settings.total - this.#running - succeeded - failed - timedOut - aborted;
  }

  /** Executions and items alike: a child has one item. */
  get counts(): Record<string, number> {
    return {
      pending: this.#pending,
      running: this.#running,
      ...this.#ended,
      total: this.settings.total,
      resultsWritten: 0,
      failuresNotRedrivable: 0,
      pendingRedrive: 0,
    };
  }
}

// Tells how far a transfer is, at most once a second; nothing depends on it.
import type { Clock } from '../adapters/ports.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import type { Progress, ToldErrorRecord } from '../contracts/runs.ts';

const INTERVAL_MS = 1_000;
/** What the rate is taken of. */
const RECENT_MS = 15_000;

export interface ProgressReporter {
  set(totals: { filesTotal?: number; bytesTotal?: number }): void;
  /** @param done in bytes, but files and retried requests; `skipped` are of `bytes` */
  add(done: {
    files?: number;
    bytes?: number;
    skipped?: number;
    hashed?: number;
    transferred?: number;
    retried?: number;
  }): void;
  /** Undefined where the total is not known (yet). */
  bytesLeft(): number | undefined;
  state(state: 'running' | 'waiting'): void;
  /** Tells the last word. */
  end(state: 'succeeded' | 'failed', error?: ToldErrorRecord): Promise<void>;
}

export function progressReporter(options: {
  /** Does not fail. It is the same object each time. */
  tell(progress: Progress): Promise<void>;
  clock: Clock;
  /** Or the backup that is downloaded. */
  runId: string;
  phase: string;
}): ProgressReporter {
  const { tell, clock, runId, phase } = options;
  const current: Progress = {
    formatVersion: FORMAT_VERSION,
    runId,
    phase,
    state: 'running',
    filesDone: 0,
    bytesDone: 0,
    ...{ bytesSkipped: 0, bytesHashed: 0, bytesTransferred: 0, requestsRetried: 0 },
    updatedAt: clock.now().toISOString(),
  };
  const ended = new AbortController();
  let changed = true;
  const rate = recentRate();
  // A large file is done only at its end, though its bytes go all the time.
  const bytesMoved = () => Math.max(current.bytesDone, current.bytesSkipped + current.bytesTransferred);
  const bytesLeft = () =>
    current.bytesTotal === undefined ? undefined : Math.max(0, current.bytesTotal - bytesMoved());
  const tellNow = async () => {
    changed = false;
    const now = clock.now();
    current.updatedAt = now.toISOString();
    const perSecond = rate(now.getTime(), bytesMoved());
    const left = bytesLeft();
    current.bytesPerSecond = perSecond === undefined ? undefined : Math.round(perSecond);
    current.secondsLeft = perSecond && left !== undefined ? Math.ceil(left / perSecond) : undefined;
    await tell(current);
  };
  const loop = (async () => {
    while (!ended.signal.aborted) {
      if (changed) await tellNow();
      await clock.sleep(INTERVAL_MS, ended.signal);
    }
  })();
  return {
    set(totals) {
      Object.assign(current, totals);
      changed = true;
    },
    add({ files = 0, bytes = 0, skipped = 0, hashed = 0, transferred = 0, retried = 0 }) {
      current.filesDone += files;
      current.bytesDone += bytes;
      current.bytesSkipped += skipped;
      current.bytesHashed += hashed;
      current.bytesTransferred += transferred;
      current.requestsRetried += retried;
      changed = true;
    },
    bytesLeft,
    state(state) {
      changed ||= current.state !== state;
      current.state = state;
    },
    async end(state, error) {
      ended.abort();
      await loop;
      current.state = state;
      if (error) current.error = error;
      await tellNow();
    },
  };
}

/** Answers how much a second came lately; undefined at first. */
function recentRate(): (atMs: number, amount: number) => number | undefined {
  const recent: Array<{ atMs: number; amount: number }> = [];
  return (atMs, amount) => {
    recent.push({ atMs, amount });
    // The oldest that is not younger than the time that counts.
    while (recent[1] && recent[1].atMs <= atMs - RECENT_MS) recent.shift();
    const [oldest] = recent;
    const seconds = oldest ? (atMs - oldest.atMs) / 1_000 : 0;
    return oldest && seconds >= 1 ? (amount - oldest.amount) / seconds : undefined;
  };
}

// Tells how far an action is: one small object, overwritten at most once a second, which nothing depends on.
import type { Logger } from 'pino';
import type { Clock, ObjectStore } from '../adapters/ports.ts';
import { FORMAT_VERSION } from '../contracts/documents.ts';
import type { Progress, ToldErrorRecord } from '../contracts/runs.ts';

const INTERVAL_MS = 1_000;

export interface ProgressReporter {
  set(totals: { filesTotal?: number; bytesTotal?: number }): void;
  add(done: { files?: number; bytes?: number; transferred?: number }): void;
  state(state: 'running' | 'waiting'): void;
  /** Writes the last word. */
  end(state: 'succeeded' | 'failed', error?: ToldErrorRecord): Promise<void>;
}

export function progressReporter(options: {
  store: ObjectStore;
  clock: Clock;
  log: Logger;
  key: string;
  runId: string;
  phase: string;
}): ProgressReporter {
  const { store, clock, log, key, runId, phase } = options;
  const current: Progress = {
    formatVersion: FORMAT_VERSION,
    runId,
    phase,
    state: 'running',
    filesDone: 0,
    bytesDone: 0,
    bytesTransferred: 0,
    updatedAt: clock.now().toISOString(),
  };
  const ended = new AbortController();
  let changed = true;
  const write = async () => {
    changed = false;
    current.updatedAt = clock.now().toISOString();
    try {
      await store.put(key, JSON.stringify(current), 'overwrite');
    } catch (error) {
      log.warn({ err: error }, 'progress was not written');
    }
  };
  const loop = (async () => {
    while (!ended.signal.aborted) {
      if (changed) await write();
      await clock.sleep(INTERVAL_MS, ended.signal);
    }
  })();
  return {
    set(totals) {
      Object.assign(current, totals);
      changed = true;
    },
    add({ files = 0, bytes = 0, transferred = 0 }) {
      current.filesDone += files;
      current.bytesDone += bytes;
      current.bytesTransferred += transferred;
      changed = true;
    },
    state(state) {
      changed ||= current.state !== state;
      current.state = state;
    },
    async end(state, error) {
      ended.abort();
      await loop;
      current.state = state;
      if (error) current.error = error;
      await write();
    },
  };
}

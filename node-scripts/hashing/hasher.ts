// Hashes files in worker threads, so that the main thread only moves bytes to the network.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import { FileUnstable, FileVanished } from '../../contracts/errors.ts';
import type { FromHashWorker, Hashed, HashJob, Measured, MeasureJob } from './messages.ts';

/** The bundle has it as an entry of its own, beside the program. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.mjs',
  import.meta.url,
);

export interface Hasher {
  /**
   * Files as one run of bytes; read again once where one of them changes meanwhile.
   * @throws FileVanished FileUnstable
   */
  hash(job: HashJob): Promise<Hashed>;
  /** Counts what lies below snapshots' directories. */
  measure(job: MeasureJob): Promise<Measured>;
  /** What is read is read no further, and nothing more is begun. */
  stop(): void;
  close(): Promise<void>;
}

/** @param threads started when there is work for them */
export function openHasher(threads: number, signal: AbortSignal): Hasher {
  const stopFlag = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const stop = () => Atomics.store(new Int32Array(stopFlag), 0, 1);
  const isStopped = () => Atomics.load(new Int32Array(stopFlag), 0) !== 0;
  signal.addEventListener('abort', stop, { once: true });
  const slots = pLimit(threads);
  const all: Worker[] = [];
  const idle: Worker[] = [];
  const start = () => {
    const worker = new Worker(WORKER, { workerData: stopFlag, name: 'hash' });
    all.push(worker);
    return worker;
  };
  const attempt = (job: HashJob | MeasureJob) =>
    slots(async () => {
      signal.throwIfAborted();
      if (isStopped()) throw new Error('hashing was stopped');
      const worker = idle.pop() ?? start();
      const answer = answerOf(worker);
      worker.postMessage(job);
      await answer;
      // One that has died is not used again.
      idle.push(worker);
      return answer;
    });
  return {
    async hash(job) {
      const first = await attempt(job);
      const answer = first.outcome === 'changed' ? await attempt(job) : first;
      signal.throwIfAborted();
      return expect('hashed', answer, job.paths[0]);
    },
    async measure(job) {
      return expect('measured', await attempt(job), job.directories[0]);
    },
    stop,
    async close() {
      signal.removeEventListener('abort', stop);
      stop();
      await Promise.all(all.map((worker) => worker.terminate()));
    },
  };
}

/** Rejects with the error that the worker dies of, and where it ends without one. */
async function answerOf(worker: Worker): Promise<FromHashWorker> {
  const settled = new AbortController();
  const { signal } = settled;
  const ended = once(worker, 'exit', { signal }).then(([code]) => {
    throw new Error(`a thread that hashes ended with exit code ${code}, expected an answer`);
  });
  try {
    const [answer] = await Promise.race([once(worker, 'message', { signal }), ended]);
    return answer as FromHashWorker;
  } finally {
    settled.abort();
    ended.catch(() => undefined);
  }
}

function expect<Outcome extends 'hashed' | 'measured'>(
  outcome: Outcome,
  answer: FromHashWorker,
  path = 'nothing',
): Extract<FromHashWorker, { outcome: Outcome }> {
  if (answer.outcome === outcome) return answer as Extract<FromHashWorker, { outcome: Outcome }>;
  switch (answer.outcome) {
    case 'changed':
      throw new FileUnstable(`${answer.path}: it changed both times while it was read`);
    case 'failed':
      if (answer.code === 'ENOENT' || answer.code === 'ENOTDIR') throw new FileVanished(answer.message);
      throw new Error(answer.message);
    default:
      throw new Error(`${path}: got ${answer.outcome}, expected ${outcome}`);
  }
}

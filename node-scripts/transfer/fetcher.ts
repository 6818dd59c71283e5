// Fetches objects, in worker threads where these can reach the vault themselves, else in this thread.
import { Worker } from 'node:worker_threads';
import type { Clock, DataKeys, FailedAttempt, ObjectStore } from '../../adapters/ports.ts';
import { errorFrom, type ToldError } from '../../contracts/errors.ts';
import type { RateLimit } from '../host-limits.ts';
import { type FetchJob, type FetchPorts, fetchObject, RANGES } from './fetch-object.ts';
import { paceOf } from './pace.ts';

/** What a worker thread opens the vault by. */
export interface Vault {
  bucket: string;
  /** Else that of the environment. */
  region?: string;
  /** Where KMS may have its keys; without it there. */
  kmsRegions?: string[];
}

export interface Fetcher {
  /** @returns bytes downloaded @throws as fetchObject */
  fetch(job: FetchJob): Promise<number>;
  close(): Promise<void>;
}

export interface FetcherPorts {
  store: ObjectStore;
  dataKeys: DataKeys;
  clock: Clock;
  vault?: Vault;
}

export function openFetcher(
  { store, dataKeys, clock, vault }: FetcherPorts,
  options: ThreadOptions,
): Fetcher {
  if (vault) return fetcherInThreads(vault, options);
  const { rate, signal, onBytes, onFailedAttempt } = options;
  store.onFailedAttempt(onFailedAttempt);
  const pace = paceOf(rate.bytesPerSecond, clock);
  return fetcherInThisThread({ store, dataKeys, signal, pace, onBytes, ranges: RANGES });
}

function fetcherInThisThread(ports: FetchPorts): Fetcher {
  return { fetch: (job) => fetchObject(ports, job), close: async () => undefined };
}

export interface FetchWorkerData extends Vault {
  clusterId: string;
  bytesPerSecond: number | undefined;
}
/** `rate`: of this thread. */
export type ToFetchWorker = { id: number; job: FetchJob } | { rate: number | undefined } | 'stop';
export type FromFetchWorker =
  | { failed: FailedAttempt }
  | { received: number }
  | { id: number; downloadedBytes: number }
  | { id: number; error: ToldError };

/** The bundle has it as an entry of its own, beside the program. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './fetch-worker.ts' : './fetch-worker.mjs',
  import.meta.url,
);

/** What comes from a connection is garbage soon: collected often, it never grows to much. */
const SMALL = { maxYoungGenerationSizeMb: 6 };

interface Thread {
  worker: Worker;
  jobs: Map<number, PromiseWithResolvers<number>>;
  /** What it died of. */
  failure?: Error;
}

interface ThreadOptions {
  threads: number;
  clusterId: string;
  /** Of all threads together. */
  rate: RateLimit;
  signal: AbortSignal;
  onBytes(bytes: number): void;
  onFailedAttempt(why: FailedAttempt): void;
}

function fetcherInThreads(vault: Vault, options: ThreadOptions): Fetcher {
  const { threads, clusterId, rate, signal } = options;
  const share = (perSecond: number | undefined) =>
    perSecond === undefined ? undefined : perSecond / threads;
  const data: FetchWorkerData = { ...vault, clusterId, bytesPerSecond: share(rate.bytesPerSecond()) };
  const all = Array.from({ length: threads }, () => startThread(data, options));
  const tellAll = (message: ToFetchWorker) => {
    for (const { worker } of all) worker.postMessage(message);
  };
  const stop = () => tellAll('stop');
  signal.addEventListener('abort', stop, { once: true });
  rate.onChange((perSecond) => tellAll({ rate: share(perSecond) }));
  let id = 0;
  return {
    fetch(job) {
      const idlest = all.reduce((one, other) => (other.jobs.size < one.jobs.size ? other : one));
      if (idlest.failure) return Promise.reject(idlest.failure);
      const result = Promise.withResolvers<number>();
      id += 1;
      idlest.jobs.set(id, result);
      idlest.worker.postMessage({ id, job } satisfies ToFetchWorker);
      return result.promise;
    },
    async close() {
      signal.removeEventListener('abort', stop);
      await Promise.all(all.map(({ worker }) => worker.terminate()));
    },
  };
}

function startThread(workerData: FetchWorkerData, { onBytes, onFailedAttempt }: ThreadOptions): Thread {
  const thread: Thread = {
    worker: new Worker(WORKER, { workerData, name: 'fetch', resourceLimits: SMALL }),
    jobs: new Map(),
  };
  thread.worker.on('message', (message: FromFetchWorker) => {
    if ('failed' in message) {
      onFailedAttempt(message.failed);
      return;
    }
    if ('received' in message) {
      onBytes(message.received);
      return;
    }
    const job = thread.jobs.get(message.id);
    thread.jobs.delete(message.id);
    if ('error' in message) job?.reject(errorFrom(message.error));
    else job?.resolve(message.downloadedBytes);
  });
  const fail = (error: Error) => {
    thread.failure ??= error;
    for (const job of thread.jobs.values()) job.reject(thread.failure);
  };
  thread.worker.on('error', fail);
  thread.worker.on('exit', (code) => fail(new Error(`a thread that downloads ended with exit code ${code}`)));
  return thread;
}

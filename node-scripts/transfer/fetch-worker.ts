// A worker thread that fetches objects: it receives, hashes and writes, so that several cores do.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../adapters/clock-system.ts';
import { kmsDataKeys } from '../../adapters/data-keys-kms.ts';
import { s3ObjectStore } from '../../adapters/object-store-s3.ts';
import { tellError } from '../../contracts/errors.ts';
import { fetchObject, RANGES } from './fetch-object.ts';
import type { FetchWorkerData, FromFetchWorker, ToFetchWorker } from './fetcher.ts';
import { paceOf } from './pace.ts';

const REPORT_MS = 250;
const { bucket, region, kmsRegions, clusterId, ...given } = workerData as FetchWorkerData;
const store = s3ObjectStore({ bucket, region });
const dataKeys = kmsDataKeys({ clusterId, regions: kmsRegions ?? [region] });
store.onFailedAttempt((failed) => tell({ failed }));
let { bytesPerSecond } = given;
const pace = paceOf(() => bytesPerSecond, systemClock);
const stop = new AbortController();
let received = 0;
const onBytes = (bytes: number) => {
  received += bytes;
};

function tell(message: FromFetchWorker): void {
  parentPort?.postMessage(message);
}

function report(): void {
  if (received > 0) tell({ received });
  received = 0;
}

setInterval(report, REPORT_MS).unref();

parentPort?.on('message', (message: ToFetchWorker) => {
  if (message === 'stop') {
    stop.abort(new Error('the download was stopped'));
    return;
  }
  if ('rate' in message) {
    bytesPerSecond = message.rate;
    return;
  }
  const { id, job } = message;
  fetchObject({ store, dataKeys, signal: stop.signal, pace, onBytes, ranges: RANGES }, job).then(
    (downloadedBytes) => {
      report();
      tell({ id, downloadedBytes });
    },
    (error: unknown) => tell({ id, error: tellError(error) }),
  );
});

// download: the node's part of the backup into staging, verified file by file, while Cassandra serves.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { openRateLimit, type RateLimit } from '../host-limits.ts';
import { giveWay } from '../priority.ts';
import { adaptiveSlots } from '../transfer/adaptive-slots.ts';
import { type FetchJob, RANGES } from '../transfer/fetch-object.ts';
import {
  type Fetcher,
  fetcherInThisThread,
  fetcherInThreads,
  type ThreadOptions,
} from '../transfer/fetcher.ts';
import { openHashCache } from '../transfer/hash-cache.ts';
import { inOrder } from '../transfer/in-order.ts';
import { linkedBefore, localFiles } from '../transfer/local-files.ts';
import { paceOf } from '../transfer/pace.ts';
import { filesOfTables, mapDataDirectories, totalsOfTables } from '../transfer/placement.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { openStaging } from '../transfer/staging.ts';
import { objectKey, type StoredObject } from '../transfer/stored-objects.ts';
import { byObject } from '../transfer/wanted-objects.ts';

export async function download(
  context: ActionContext,
  input: ActionInput<'download'>,
): Promise<ActionOutput<'download'>> {
  await mustBeAllowed(context);
  await giveWay(context);
  const backup = await readNodeChain(context, input.sources);
  const { data } = await nodeDirectories(context);
  const mapped = mapDataDirectories(backup.header, data);
  const staging = await openStaging(mapped, context.document.runId);
  const cache = await openHashCache(context.paths.cache);
  const local = localFiles(data, cache, linkedBefore(staging.roots));
  const expected = totalsOfTables(backup.header, input.tables);
  context.progress.set({ filesTotal: expected.files, bytesTotal: expected.bytes });

  const { downloadsAtOnce } = context.document.limits;
  const slots = adaptiveSlots(downloadsAtOnce, context.clock);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const rate = await openRateLimit(context, 'downloadBytesPerSecond');
  const fetcher = openFetcher({ ...context, signal }, rate, (why) => {
    slots.failed(why);
    context.progress.add({ retried: 1 });
  });
  const fetch = async ([first, ...more]: [ListedFile, ...ListedFile[]]) => {
    signal.throwIfAborted();
    const files: FetchJob['files'] = [
      await staging.fileOf(first),
      ...(await Promise.all(more.map(staging.fileOf))),
    ];
    const { sha256, pack, variant = 'plain' } = first;
    if (pack === undefined) await local.linkTo(files[0].target, first);
    const object: StoredObject = { sha256: pack ?? sha256, variant };
    const job: FetchJob = { key: objectKey(context, object), ...object, isPack: pack !== undefined, files };
    const downloadedBytes = await slots.run(() => fetcher.fetch(job));
    await context.failPoint('download.file');
    return { files, downloadedBytes };
  };

  const total = { files: 0, bytes: 0, downloadedBytes: 0 };
  const objects = byObject(filesOfTables(backup.files(), input.tables));
  try {
    for await (const { files, downloadedBytes } of inOrder(objects, downloadsAtOnce, fetch, stop)) {
      const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      total.files += files.length;
      total.bytes += bytes;
      total.downloadedBytes += downloadedBytes;
      context.progress.add({ files: files.length, bytes, skipped: bytes - downloadedBytes });
    }
  } finally {
    rate.close();
    await cache.close(false);
    await fetcher.close();
  }
  await staging.sync();
  return total;
}

function openFetcher(
  context: ActionContext,
  rate: RateLimit,
  onFailedAttempt: ThreadOptions['onFailedAttempt'],
): Fetcher {
  const { store, dataKeys, vault, signal, clock, progress, document } = context;
  const { clusterId } = document;
  const { hashesAtOnce: threads } = document.limits;
  const onBytes = (transferred: number) => progress.add({ transferred });
  if (vault) {
    return fetcherInThreads(vault, { threads, clusterId, rate, signal, onBytes, onFailedAttempt });
  }
  store.onFailedAttempt(onFailedAttempt);
  return fetcherInThisThread({
    store,
    dataKeys,
    signal,
    pace: paceOf(rate.bytesPerSecond, clock),
    onBytes,
    ranges: RANGES,
  });
}

// Fetches the files of a listing, object by object: many at once, fewer where the vault asks to slow down.
import type { ActionOutput } from '../../contracts/actions.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import type { ActionContext } from '../context.ts';
import type { RateLimit } from '../host-limits.ts';
import type { ProgressReporter } from '../progress.ts';
import { adaptiveSlots } from './adaptive-slots.ts';
import type { FetchFile, FetchJob } from './fetch-object.ts';
import { type FetcherPorts, openFetcher } from './fetcher.ts';
import { inOrder } from './in-order.ts';
import type { Reserve } from './reserve.ts';
import { byObject } from './wanted-objects.ts';

interface FetchContext extends FetcherPorts, Pick<ActionContext, 'layout' | 'signal'> {
  progress: Pick<ProgressReporter, 'add'>;
}

interface FetchOptions {
  /** Whose objects they are. */
  clusterId: string;
  /** Objects. */
  atOnce: number;
  threads: number;
  rate: RateLimit;
  /** Without it they may take all that is free. */
  reserve?: Reserve;
  /** Where a file goes; its directory is made. */
  placeOf(file: ListedFile): Promise<FetchFile>;
  /** After each object. */
  fetched?(): Promise<void>;
}

/** @param listed in the order of a listing @throws as fetchObject, and InsufficientSpace; what is whole by then stays */
export async function fetchFiles(
  context: FetchContext,
  listed: AsyncIterable<ListedFile>,
  { clusterId, atOnce, threads, rate, reserve, placeOf, fetched }: FetchOptions,
): Promise<ActionOutput<'download'>> {
  const { layout, progress } = context;
  const slots = adaptiveSlots(atOnce, context.clock);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const fetcher = openFetcher(context, {
    ...{ threads, clusterId, rate, signal },
    onBytes: (transferred) => progress.add({ transferred }),
    onFailedAttempt(why) {
      slots.failed(why);
      progress.add({ retried: 1 });
    },
  });
  const fetch = async ([first, ...more]: [ListedFile, ...ListedFile[]]) => {
    signal.throwIfAborted();
    const files: FetchJob['files'] = [await placeOf(first), ...(await Promise.all(more.map(placeOf)))];
    const { pack, variant = 'plain' } = first;
    const sha256 = pack ?? first.sha256;
    const key = layout.object(clusterId, sha256, variant);
    const job: FetchJob = { key, sha256, variant, isPack: pack !== undefined, files };
    const giveBack = reserve?.promise(files);
    try {
      const downloadedBytes = await slots.run(() => fetcher.fetch(job));
      await fetched?.();
      return { files, downloadedBytes };
    } finally {
      giveBack?.();
    }
  };
  const total = { files: 0, bytes: 0, downloadedBytes: 0 };
  try {
    for await (const { files, downloadedBytes } of inOrder(byObject(listed), atOnce, fetch, stop)) {
      const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      total.files += files.length;
      total.bytes += bytes;
      total.downloadedBytes += downloadedBytes;
      progress.add({ files: files.length, bytes, skipped: bytes - downloadedBytes });
    }
  } finally {
    await fetcher.close();
  }
  return total;
}

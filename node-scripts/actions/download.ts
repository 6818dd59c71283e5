// download: the node's part of the backup into staging, verified file by file, while Cassandra serves.
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import type { ActionContext } from '../context.ts';
import { mustBeAllowed } from '../guard.ts';
import { openRateLimit } from '../host-limits.ts';
import { giveWay } from '../priority.ts';
import { fetchFiles } from '../transfer/fetch-files.ts';
import { openHashCache } from '../transfer/hash-cache.ts';
import { keepStaging, takeKeptStaging } from '../transfer/kept-staging.ts';
import { linkedBefore, localFiles } from '../transfer/local-files.ts';
import { filesOfTables, mapDataDirectories, totalsOfTables } from '../transfer/placement.ts';
import { readNodeChain } from '../transfer/read-chain.ts';
import { openReserve } from '../transfer/reserve.ts';
import { inVaultOf } from '../transfer/source-vault.ts';
import { openStaging } from '../transfer/staging.ts';

export async function download(
  context: ActionContext,
  input: ActionInput<'download'>,
): Promise<ActionOutput<'download'>> {
  await mustBeAllowed(context);
  await giveWay(context);
  const backup = await readNodeChain(inVaultOf(context, input.sources), input.sources);
  const directories = await nodeDirectories(context);
  const { data } = directories;
  const mapped = mapDataDirectories(backup.header, directories);
  const wanted = { sources: input.sources, tables: input.tables, mapped };
  await takeKeptStaging(context, wanted);
  const staging = await openStaging(mapped, context.document.runId);
  const cache = await openHashCache(context.paths.cache);
  const local = localFiles(data, cache, linkedBefore(staging.roots));
  const expected = totalsOfTables(backup.header, input.tables);
  context.progress.set({ filesTotal: expected.files, bytesTotal: expected.bytes });

  const { downloadsAtOnce: atOnce, hashesAtOnce: threads, reserveBytes } = context.document.limits;
  const { clusterId } = backup.header;
  const rate = await openRateLimit(context, 'downloadBytesPerSecond');
  const placeOf = async (listed: ListedFile) => {
    const file = await staging.fileOf(listed);
    if (listed.pack === undefined) await local.linkTo(file.target, listed);
    return file;
  };
  try {
    const total = await fetchFiles(
      inVaultOf(context, input.sources),
      filesOfTables(backup.files(), input.tables),
      {
        ...{ clusterId, atOnce, threads, rate, placeOf },
        reserve: openReserve(reserveBytes),
        fetched: () => context.failPoint('download.file'),
      },
    );
    await staging.sync();
    if (input.forLater) await keepStaging(context, wanted);
    return total;
  } finally {
    rate.close();
    await staging.close();
    await cache.close(false);
  }
}

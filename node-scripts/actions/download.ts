// download: the node's part of the backup into staging, verified file by file, while Cassandra serves.
import { dirname, join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import type { ActionContext } from '../context.ts';
import { syncDirectory } from '../durable-files.ts';
import { mustBeAllowed } from '../guard.ts';
import { fetchFile } from '../transfer/fetch-file.ts';
import { inOrder } from '../transfer/in-order.ts';
import { makeOwnedDirectory, type Ownership, ownershipOf } from '../transfer/owned-directories.ts';
import { filesOfTables, mapDataDirectories, stagingRoot, totalsOfTables } from '../transfer/placement.ts';
import { readNodeBackup } from '../transfer/read-backup.ts';

export async function download(
  context: ActionContext,
  input: ActionInput<'download'>,
): Promise<ActionOutput<'download'>> {
  await mustBeAllowed(context);
  const backup = await readNodeBackup(context, input.source);
  const { data } = await nodeDirectories(context);
  const mapped = mapDataDirectories(backup.header, data);
  const ownership = new Map<string, Ownership>();
  for (const directory of mapped) ownership.set(directory, await ownershipOf(directory));
  const directories = new Map<string, Promise<void>>();
  const expected = totalsOfTables(backup.header, input.tables);
  context.progress.set({ filesTotal: expected.files, bytesTotal: expected.bytes });

  const fetch = async (file: ListedFile) => {
    context.signal.throwIfAborted();
    const dataDirectory = mapped[file.dataDirectory] ?? '';
    const owner = ownership.get(dataDirectory) ?? (await ownershipOf(dataDirectory));
    const target = join(stagingRoot(dataDirectory, context.document.runId), file.path);
    const directory = dirname(target);
    const made = directories.get(directory) ?? makeOwnedDirectory(directory, owner);
    directories.set(directory, made);
    await made;
    const outcome = await fetchFile(context, file, target, owner);
    await context.failPoint('download.file');
    return { file, outcome };
  };

  const total = { files: 0, bytes: 0, downloadedBytes: 0 };
  const { downloadsAtOnce } = context.document.limits;
  const fetched = inOrder(filesOfTables(backup.files(), input.tables), downloadsAtOnce, fetch);
  for await (const { file, outcome } of fetched) {
    total.files += 1;
    total.bytes += file.sizeBytes;
    if (outcome === 'downloaded') total.downloadedBytes += file.sizeBytes;
    context.progress.add({ files: 1, bytes: file.sizeBytes });
  }
  for (const directory of directories.keys()) await syncDirectory(directory);
  return total;
}

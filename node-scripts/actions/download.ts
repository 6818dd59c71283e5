// download: the node's part of the backup into staging, verified file by file, while Cassandra serves.
import { dirname, join } from 'node:path';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import type { ActionContext } from '../context.ts';
import { syncDirectory } from '../durable-files.ts';
import { mustBeAllowed } from '../guard.ts';
import { fetchObject, type WantedFile, type WantedObject } from '../transfer/fetch-object.ts';
import { inOrder } from '../transfer/in-order.ts';
import { makeOwnedDirectory, type Ownership, ownershipOf } from '../transfer/owned-directories.ts';
import { filesOfTables, mapDataDirectories, stagingRoot, totalsOfTables } from '../transfer/placement.ts';
import { readNodeBackup } from '../transfer/read-backup.ts';
import { byObject } from '../transfer/wanted-objects.ts';

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

  const wantedOf = async (listed: ListedFile): Promise<WantedFile> => {
    const dataDirectory = mapped[listed.dataDirectory] ?? '';
    const owner = ownership.get(dataDirectory) ?? (await ownershipOf(dataDirectory));
    const target = join(stagingRoot(dataDirectory, context.document.runId), listed.path);
    const directory = dirname(target);
    const made = directories.get(directory) ?? makeOwnedDirectory(directory, owner);
    directories.set(directory, made);
    await made;
    return { listed, target, ownership: owner };
  };
  const fetch = async ([first, ...more]: [ListedFile, ...ListedFile[]]) => {
    context.signal.throwIfAborted();
    const wanted: WantedObject = [await wantedOf(first), ...(await Promise.all(more.map(wantedOf)))];
    return { wanted, downloaded: await fetchObject(context, wanted) };
  };

  const total = { files: 0, bytes: 0, downloadedBytes: 0 };
  const { downloadsAtOnce } = context.document.limits;
  const objects = byObject(filesOfTables(backup.files(), input.tables));
  for await (const { wanted, downloaded } of inOrder(objects, downloadsAtOnce, fetch)) {
    const bytes = bytesOf(wanted);
    total.files += wanted.length;
    total.bytes += bytes;
    total.downloadedBytes += bytesOf(downloaded);
    context.progress.add({ files: wanted.length, bytes });
  }
  for (const directory of directories.keys()) await syncDirectory(directory);
  return total;
}

function bytesOf(files: WantedFile[]): number {
  return files.reduce((sum, { listed }) => sum + listed.sizeBytes, 0);
}

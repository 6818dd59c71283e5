// release-increments: deletes what was collected, SSTable by SSTable as the sealed backup names it, where its data are those very bytes.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ActionInput, ActionOutput } from '../../contracts/actions.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { BackupIncomplete } from '../../contracts/errors.ts';
import { type BackupLink, clusterManifest, type ListedFile } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../cassandra/directories.ts';
import { parseFileName } from '../cassandra/sstable-files.ts';
import type { ActionContext } from '../context.ts';
import { isMissingFile, isThere } from '../durable-files.ts';
import { removeEmpty } from '../increments/collect.ts';
import { forget } from '../increments/memory.ts';
import { incrementsRoot } from '../transfer/placement.ts';
import { readNodeBackup } from '../transfer/read-backup.ts';

export async function releaseIncrements(
  context: ActionContext,
  { source }: ActionInput<'release-increments'>,
): Promise<ActionOutput<'release-increments'>> {
  const { base, previous } = await mustBeSealed(context, source);
  const { header, files } = await readNodeBackup(context, source);
  const { data } = await nodeDirectories(context);
  await context.beforeDestroying('delete collected increments that are sealed');
  const total = { released: 0, kept: 0 };
  const directories = new Set<string>();
  for await (const sstable of sstablesOf(files())) {
    context.signal.throwIfAborted();
    const root = incrementsRoot(header.dataDirectories[sstable.dataDirectory] ?? '');
    if (!data.some((each) => incrementsRoot(each) === root)) continue;
    const there = await filesThere(root, sstable);
    const isHeld = await isAsSealed(root, sstable.data);
    for (const path of isHeld ? there : []) {
      await rm(path);
      await context.failPoint('release.file');
    }
    total[isHeld ? 'released' : 'kept'] += there.length;
    for (const path of there) directories.add(dirname(path));
  }
  for (const directory of directories) {
    for (const root of data) await removeEmpty(directory, incrementsRoot(root));
  }
  // The next one goes on from this one, or from a base that is newer.
  await forget(context, (id) => id < base.backupId || id === previous.backupId);
  return total;
}

/** The vault's own word, whatever the document says. */
async function mustBeSealed(
  { store, layout, document, instanceArn }: ActionContext,
  source: ActionInput<'release-increments'>['source'],
): Promise<{ base: BackupLink; previous: BackupLink }> {
  const key = layout.clusterManifest(document.clusterId, source.backupId);
  const stored = await store.get(key);
  const manifest = stored && parseDocument(clusterManifest, stored.body.toString(), key);
  const node = manifest?.nodes.find((each) => each.instanceArn === instanceArn);
  if (!manifest?.base || !manifest.previous || node?.listingSha256 !== source.listingSha256) {
    throw new BackupIncomplete(
      `${key}: got ${node ? `listing ${node.listingSha256}` : 'no node'} of ${instanceArn}, expected a sealed increment with listing ${source.listingSha256}`,
    );
  }
  return { base: manifest.base, previous: manifest.previous };
}

interface SealedSSTable {
  dataDirectory: number;
  data: ListedFile | undefined;
  /** In the order in which they are deleted: Data.db last, because without it nobody knows what the rest is. */
  files: ListedFile[];
}

/** A listing is sorted: the files of an SSTable follow each other, those of its namesake in another data directory between them. */
async function* sstablesOf(files: AsyncIterable<ListedFile>): AsyncGenerator<SealedSSTable> {
  let stem: string | undefined;
  let found: ListedFile[] = [];
  for await (const file of files) {
    const next = stemOf(file);
    if (next !== stem) yield* byDirectory(found);
    if (next !== stem) found = [];
    stem = next;
    found.push(file);
  }
  yield* byDirectory(found);
}

function stemOf({ path }: ListedFile): string {
  const name = basename(path);
  return `${dirname(path)}/${parseFileName(name)?.prefix ?? name}`;
}

const isData = ({ path }: ListedFile) => path.endsWith('-Data.db');

function byDirectory(files: readonly ListedFile[]): SealedSSTable[] {
  return [...Map.groupBy(files, (file) => file.dataDirectory)].map(([dataDirectory, own]) => ({
    dataDirectory,
    data: own.find(isData),
    files: own.toSorted((one, other) => Number(isData(one)) - Number(isData(other))),
  }));
}

async function filesThere(root: string, { files }: SealedSSTable): Promise<string[]> {
  const paths = files.map((file) => join(root, file.path));
  const isFile = await Promise.all(paths.map(isThere));
  return paths.filter((_, index) => isFile[index]);
}

/** By its data; the rest may change in place. Without it, what is there was left by a release that was killed. */
async function isAsSealed(root: string, data: ListedFile | undefined): Promise<boolean> {
  if (!data) return false;
  const path = join(root, data.path);
  try {
    if ((await stat(path)).size !== data.sizeBytes) return false;
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    return hash.digest('hex') === data.sha256;
  } catch (error) {
    if (isMissingFile(error)) return true;
    throw error;
  }
}

// A host whose node has a snapshot in two data directories, with what tests of uploads and downloads ask of it.
import { randomBytes } from 'node:crypto';
import { readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ActionOutput, BackupSource } from '../../contracts/actions.ts';
import { type ListedFile, listedFile } from '../../contracts/manifests.ts';
import { fakeNode, ITEMS, ORDERS, ROLES, tablePath, uploadInput, write, writeSnapshot } from './fake-node.ts';
import { CLUSTER, type HostOptions, type HostUnderTest, hostUnderTest } from './host-under-test.ts';

export const RUN = '20261121t020000z-0a1b2c3d';
export const RESTORE = '20261121t040000z-0a1b2c3d';
/** The largest Data.db: an object of its own. */
export const big = randomBytes(3_000_000);

export interface HostWithSnapshot extends HostUnderTest {
  data: string[];
  /** The snapshot of ORDERS in the first data directory. */
  orders: string;
  inputOf(run: string, previous?: BackupSource): ReturnType<typeof uploadInput>;
  upload(run?: string, previous?: BackupSource): Promise<ActionOutput<'upload'>>;
  sourceOf(run: string, out: { headerSha256: string; listingSha256: string }): BackupSource;
  objectKeys(): string[];
  lineOf(path: string, run?: string): ListedFile | undefined;
  /** Of the object that holds a file. */
  keyOf(file: ListedFile | undefined): string;
  /** All from the vault: the node does not know what it has. */
  restore(
    run: string,
    out: { headerSha256: string; listingSha256: string },
  ): Promise<ActionOutput<'download'>>;
  listing(run?: string): ListedFile[];
}

/** Of the object that holds a file. */
export const objectOf = (file: ListedFile | undefined) => file?.pack ?? file?.sha256 ?? '';

export async function hostWithSnapshot(options: HostOptions = {}): Promise<HostWithSnapshot> {
  const host = await hostUnderTest(options);
  const data = await fakeNode(host);
  const [first = '', second = ''] = data;
  // One manifest for all data directories, as Cassandra writes it.
  const manifest = ['nb-1-big-Data.db', 'nb-2-big-Data.db', '.by_name/nb-1-big-Data.db'];
  const sstables = { 'nb-1-big': big, '.by_name/nb-1-big': Buffer.from('index') };
  const orders = await writeSnapshot(first, ORDERS, sstables, manifest);
  await writeSnapshot(second, ORDERS, { 'nb-2-big': Buffer.from('second directory') });
  await writeSnapshot(second, ITEMS, {}, []);
  await writeSnapshot(first, ROLES, { 'nb-1-big': Buffer.from('roles') }, ['nb-1-big-Data.db'], true);
  await write(join(first, tablePath(ORDERS), 'snapshots', 'unrelated', 'nb-9-big-Data.db'), 'unrelated');
  // Files that changed just now are never remembered by the hash cache.
  await age(data);
  const { memory, layout, instanceArn } = host;
  const inputOf = (run: string, previous?: BackupSource) => ({
    ...uploadInput(run, [ORDERS, ITEMS]),
    ...(options.encryption && { encryption: options.encryption }),
    ...(previous && { previous: [previous] }),
  });
  const sourceOf: HostWithSnapshot['sourceOf'] = (run, { headerSha256, listingSha256 }) => ({
    clusterId: CLUSTER,
    backupId: run,
    instanceArn,
    headerSha256,
    listingSha256,
  });
  const listing = (run = RUN) => {
    const bytes = memory.objects.get(layout.nodeListing(CLUSTER, run, instanceArn)) ?? Buffer.alloc(0);
    const lines = gunzipSync(bytes).toString().trim().split('\n');
    return lines.map((line) => listedFile.parse(JSON.parse(line)));
  };
  return {
    ...host,
    data,
    orders,
    inputOf,
    upload: (run = RUN, previous) => host.run(run, 'upload', inputOf(run, previous)),
    sourceOf,
    objectKeys: () => [...memory.objects.keys()].filter((key) => key.includes('/objects/')),
    listing,
    lineOf: (path, run) => listing(run).find((file) => file.path === path),
    keyOf: (file) => layout.object(CLUSTER, objectOf(file), file?.variant),
    async restore(run, out) {
      await rm(host.paths.cache, { recursive: true });
      return host.run(RESTORE, 'download', { sources: [sourceOf(run, out)], tables: [ORDERS, ITEMS] });
    },
  };
}

async function age(directories: string[]): Promise<void> {
  const past = new Date(Date.now() - 60_000);
  for (const directory of directories) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), past, past);
    }
  }
}

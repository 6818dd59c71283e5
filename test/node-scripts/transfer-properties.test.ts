// Whatever lies in a snapshot, and whatever happens between two backups of it: each sealed backup restores to the tree that
// it was taken of.
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { BackupSource } from '../../contracts/actions.ts';
import { fakeNode, ORDERS, TAG, tablePath, uploadInput, write } from './fake-node.ts';
import { CLUSTER, type HostUnderTest, hostUnderTest, KMS_KEY } from './host-under-test.ts';

const MIB = 1024 ** 2;
const RUNS = ['20261121t020000z-0a1b2c3d', '20261121t030000z-0a1b2c3d'] as const;
const REQUIRED = ['Data.db', 'Index.db', 'Statistics.db'];

/** What a file holds, by a number that stands for it. */
interface Content {
  seed: number;
  size: number;
}
/** `<data directory>/<name>` → content. */
type Tree = Record<string, Content>;

const content = fc.record({
  seed: fc.integer({ min: 0, max: 5 }),
  // Around what makes a component large, and what fills a pack.
  size: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) },
    { weight: 1, arbitrary: fc.constantFrom(MIB - 1, MIB, MIB + 1, 4 * MIB, 4 * MIB + 1) },
  ),
});
const component = fc.constantFrom('Filter.db', 'Summary.db', 'CompressionInfo.db', 'SAI+aa+prénom.x+Meta.db');
const sstable = fc.record({
  directory: fc.constantFrom('0', '1'),
  stem: fc.constantFrom(
    'nb-1-big-',
    'nb-2-big-',
    'nb-10-big-',
    'oa-3gab_0sx9_4nc-bti-',
    '.by_nàme/nb-1-big-',
  ),
  data: fc.tuple(content, content, content),
  more: fc.dictionary(component, content, { maxKeys: 3 }),
});
const tree = fc.array(sstable, { minLength: 1, maxLength: 5 }).map((sstables): Tree => {
  const files: Tree = {};
  for (const { directory, stem, data, more } of sstables) {
    const required = stem.includes('-bti-') ? ['Data.db', 'Partitions.db', 'Statistics.db'] : REQUIRED;
    for (const [index, name] of required.entries()) {
      files[`${directory}/${stem}${name}`] = data[index] ?? data[0];
    }
    for (const [name, bytes] of Object.entries(more)) files[`${directory}/${stem}${name}`] = bytes;
  }
  return files;
});

/** The same content for the same number. */
function bytesOf({ seed, size }: Content): Buffer {
  return Buffer.alloc(size, createHash('sha256').update(String(seed)).digest());
}

async function writeTree(data: string[], files: Tree, mtime: Date): Promise<void> {
  const snapshot = (directory: string) =>
    join(data[Number(directory)] ?? '', tablePath(ORDERS), 'snapshots', TAG);
  for (const directory of ['0', '1']) await rm(snapshot(directory), { recursive: true, force: true });
  for (const [path, each] of Object.entries(files)) {
    const target = join(snapshot(path.slice(0, 1)), path.slice(2));
    await write(target, bytesOf(each));
    await utimes(target, mtime, mtime);
  }
  const names = Object.keys(files).map((path) => path.slice(2));
  const listed = [...new Set(names.filter((name) => name.endsWith('-Data.db')))];
  await write(join(snapshot('0'), 'manifest.json'), JSON.stringify({ files: listed }));
}

/** How a backup is taken. */
interface Manner {
  killed: boolean;
  compression: 'none' | 'zstd';
  encrypted: boolean;
  /** At its restore: whether the node knows the files that it has. */
  cached: boolean;
}
const manner = fc.record({
  killed: fc.boolean(),
  compression: fc.constantFrom('none', 'zstd'),
  encrypted: fc.boolean(),
  cached: fc.boolean(),
});

async function backUp(host: HostUnderTest, run: string, previous: BackupSource | undefined, how: Manner) {
  const { killed, compression, encrypted } = how;
  const input = {
    ...uploadInput(run, [ORDERS]),
    encryption: encrypted ? { clientSideKeyArn: KMS_KEY } : {},
    ...(previous && { previous: [previous] }),
  };
  let document = await host.request({ ...host.document(run, 'upload', input), compression });
  if (killed && (await host.carryOut(document, 'upload.object:fail')) === 'failed') {
    document = await host.request(document);
  }
  if (!host.callback.answers.has(document.taskToken)) await host.carryOut(document);
  const answer = host.callback.answers.get(document.taskToken);
  if (!answer || !('output' in answer)) throw new Error(`got ${JSON.stringify(answer)}`);
  const { headerSha256, listingSha256 } = answer.output as BackupSource;
  return { clusterId: CLUSTER, backupId: run, instanceArn: host.instanceArn, headerSha256, listingSha256 };
}

async function restored(
  host: HostUnderTest,
  data: string[],
  source: BackupSource,
  { cached }: Manner,
): Promise<Record<string, string>> {
  if (!cached) await rm(host.paths.cache, { recursive: true, force: true });
  const run = source.backupId.replace('20261121t0', '20261122t0');
  await host.run(run, 'download', { sources: [source], tables: [ORDERS] });
  const found: Record<string, string> = {};
  for (const [index, root] of data.entries()) {
    const table = join(root, '.ringvault', `${run}.new`, tablePath(ORDERS));
    for (const entry of await readdir(table, { recursive: true, withFileTypes: true }).catch(() => [])) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      found[`${index}/${path.slice(table.length + 1)}`] = hashOf(await readFile(path));
    }
  }
  return found;
}

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const hashesOf = (files: Tree) =>
  Object.fromEntries(Object.entries(files).map(([path, each]) => [path, hashOf(bytesOf(each))]));

it('two backups, one of them killed on its way, restore to what each was taken of', async () => {
  await fc.assert(
    fc.asyncProperty(tree, tree, manner, manner, async (first, changes, howFirst, howSecond) => {
      const host = await hostUnderTest();
      try {
        const data = await fakeNode(host);
        await host.allowRestore();
        // What stays, what changes under its name, what is new.
        const second = { ...first, ...changes };
        await writeTree(data, first, new Date('2026-11-20T00:00:00Z'));
        const one = await backUp(host, RUNS[0], undefined, howFirst);
        await writeTree(data, second, new Date('2026-11-20T00:00:01Z'));
        const other = await backUp(host, RUNS[1], one, howSecond);
        expect(await restored(host, data, one, howFirst)).toEqual(hashesOf(first));
        expect(await restored(host, data, other, howSecond)).toEqual(hashesOf(second));
      } finally {
        await host.remove();
      }
    }),
    { numRuns: 8 },
  );
});

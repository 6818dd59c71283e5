// How a backup may be wrong and nobody see it: files that change in place, names that come back, snapshots that lack a part.
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { clusterId, gamma, openShop, rows, write, written } from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());

async function backUp(keyspace: string) {
  const keyspaces = { include: [keyspace] };
  const { runId } = stage.completed(await stage.run('backup', { clusterId, keyspaces }));
  const { files } = await readStoredBackup(stage, clusterId, runId);
  const hashes = new Map(
    files
      .filter(({ path }) => path.startsWith(`${keyspace}/`))
      .map((file) => [`${file.instanceArn} ${file.path}`, file.sha256]),
  );
  return { backupId: runId, hashes };
}

test('a name that comes back with other content, after TRUNCATE and a restart: each backup has its own', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Truncated');
  const first = await backUp('Truncated');
  for (const table of ['Orders', 'Cache']) await client.execute(`TRUNCATE "Truncated"."${table}"`);
  await Promise.all(
    cluster.cassandra.nodes.map(async (node) => {
      await node.stop();
      await node.start();
    }),
  );
  await cluster.cassandra.settled();
  await write(client, 'Truncated', 'after', 0);
  const second = await backUp('Truncated');
  const cameBack = [...first.hashes].filter(
    ([name, sha256]) => name.endsWith('-Data.db') && (second.hashes.get(name) ?? sha256) !== sha256,
  );
  expect(cameBack.length).toBeGreaterThan(0);
  // The second has its own by the hashes that its objects were read with.
  stage.completed(await stage.run('restore', { clusterId, backupId: first.backupId }));
  for (const from of ['Orders', 'Cache', 'OrdersByWhen']) {
    expect(await rows(client, `"Truncated"."${from}"`)).toEqual(written('before', 0));
  }
});

test('a Statistics.db that a repair changed in place is stored anew, and its Data.db is not', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Repaired');
  const before = await backUp('Repaired');
  await cluster.cassandra.nodes[0].nodetool('repair', 'Repaired', 'Cache');
  const after = await backUp('Repaired');
  const changed = [...before.hashes].flatMap(([name, sha256]) => {
    const now = after.hashes.get(name);
    return now !== undefined && now !== sha256 ? [name.replace(/.*-/, '')] : [];
  });
  expect(changed).toContain('Statistics.db');
  expect(changed).not.toContain('Data.db');
  await client.execute('TRUNCATE "Repaired"."Cache"');
  stage.completed(await stage.run('restore', { clusterId, backupId: after.backupId }));
  expect(await rows(client, '"Repaired"."Cache"')).toEqual(written('before', 0));
});

const lacks: Array<
  [what: string, keyspace: string, remove: (snapshots: string[]) => string[], says: RegExp]
> = [
  [
    'the directory of an index',
    'NoIndex',
    (snapshots) => snapshots.map((each) => join(each, '.byWhen')),
    /missing: \.byWhen\//,
  ],
  [
    'what one of two data directories has',
    'NoDirectory',
    (snapshots) => snapshots.filter((each) => !existsSync(join(each, 'manifest.json'))),
    /NoDirectory\/Orders-.* missing: nb-/,
  ],
];
test.each(lacks)(
  'a snapshot that lacks %s: refused as SnapshotIncomplete',
  async (_what, keyspace, remove, says) => {
    const { cluster, client, second, secondNode } = await gamma();
    await openShop(cluster, client, keyspace);
    const { reached, goOn } = stage.holdAt(
      ({ action, path }) =>
        action === 's3:PutObject' &&
        path.includes(`/results/`) &&
        path.includes(second.instanceId) &&
        path.endsWith('.snapshot-1.json'),
    );
    const execution = await stage.start('backup', { clusterId, keyspaces: { include: [keyspace] } });
    await reached;
    const snapshots = await snapshotsOf(secondNode.dataDirectories, keyspace, 'Orders');
    expect(snapshots).toHaveLength(2);
    for (const path of remove(snapshots)) await rm(path, { recursive: true, force: true });
    goOn();
    const view = await stage.end(execution);
    expect(errorOf(view)?.name).toBe('SnapshotIncomplete');
    expect(errorOf(view)?.message).toMatch(says);
    expect(view.run?.backupId).toBeUndefined();
  },
);

/** The directories of the run's snapshot of a table. */
async function snapshotsOf(dataDirectories: string[], keyspace: string, table: string): Promise<string[]> {
  const found: string[] = [];
  for (const root of dataDirectories) {
    const directories = await readdir(join(root, keyspace)).catch(() => []);
    for (const name of directories.filter((each) => each.startsWith(`${table}-`))) {
      const snapshots = join(root, keyspace, name, 'snapshots');
      for (const tag of await readdir(snapshots).catch(() => [])) {
        if (tag.startsWith('ringvault-')) found.push(join(snapshots, tag));
      }
    }
  }
  return found;
}

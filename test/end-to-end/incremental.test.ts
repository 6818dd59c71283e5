// Incremental backups on real Cassandra: what was written since is in the next one, whatever happens meanwhile, and a chain
// brings back exactly what it shows. One node, quoted names, a secondary index and a view; every row is compared.
import { readdir } from 'node:fs/promises';
import { type Client, types } from 'cassandra-driver';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { RunRecord } from '../../contracts/runs.ts';
import { madeOnce, type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

const TABLE = '"IncShop"."OrderLines"';
const VIEW = '"IncShop"."LinesByTag"';
const TAGS = ['red', 'green', 'blue'];

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
  await withClient(async (client) => {
    await client.execute(
      `CREATE KEYSPACE "IncShop" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}`,
    );
    await client.execute(`CREATE TABLE ${TABLE} ("Id" int PRIMARY KEY, "Tag" text, "Value" text)`);
    await client.execute(`CREATE INDEX "ByTag" ON ${TABLE} ("Tag")`);
    await client.execute(
      `CREATE MATERIALIZED VIEW ${VIEW} AS SELECT * FROM ${TABLE} WHERE "Tag" IS NOT NULL AND "Id" IS NOT NULL PRIMARY KEY ("Tag", "Id")`,
    );
  });
  await write(0, 30);
});
afterEach(() => stage.calm());

/** A client that has seen the node go down takes its time to try it again: each use has its own. */
async function withClient<Result>(use: (client: Client) => Promise<Result>): Promise<Result> {
  const client = await (await stage.delta()).cassandra.connect();
  return use(client).finally(() => client.shutdown());
}
const node = async () => (await stage.delta()).cassandra.nodes[0];
const nodetool = async (...args: string[]) => (await node()).nodetool(...args);
const host = async () => {
  const [first] = (await stage.delta()).hosts;
  if (!first) throw new Error('delta has a host');
  return first;
};

function write(from: number, to: number, value = 'first'): Promise<void> {
  return withClient(async (client) => {
    const insert = `INSERT INTO ${TABLE} ("Id", "Tag", "Value") VALUES (?, ?, ?)`;
    for (let id = from; id < to; id += 1) {
      await client.execute(insert, [id, TAGS[id % TAGS.length], `${value} ${id}`], { prepare: true });
    }
  });
}

/** By the table, by its index and by its view. */
function content(): Promise<Record<'table' | 'index' | 'view', string[]>> {
  return withClient(async (client) => {
    const read = async (query: string, parameters: unknown[] = []) =>
      (await client.execute(query, parameters, { prepare: true, consistency: types.consistencies.one })).rows
        .map((row) => `${row['Id']} ${row['Tag']} ${row['Value']}`)
        .sort();
    const byIndex = TAGS.map((tag) => read(`SELECT * FROM ${TABLE} WHERE "Tag" = ?`, [tag]));
    return {
      table: await read(`SELECT * FROM ${TABLE}`),
      index: (await Promise.all(byIndex)).flat().sort(),
      view: await read(`SELECT * FROM ${VIEW}`),
    };
  });
}

async function backUp(request: object = {}): Promise<RunRecord> {
  return stage.completed(await stage.run('backup', { clusterId: 'delta', kind: 'incremental', ...request }));
}

/** A whole backup was taken, and says why. */
function expectGap(run: RunRecord, why: RegExp): void {
  expect({ kind: run.kind, warnings: run.warnings }).toEqual({
    kind: 'snapshot',
    warnings: expect.arrayContaining([expect.stringMatching(why)]),
  });
}

/** Files of the keyspace that are linked or collected, and in no backup yet. */
async function leftOnDisk(): Promise<string[]> {
  const [data = ''] = (await node()).dataDirectories;
  const names = await readdir(data, { recursive: true });
  return names.filter((name) => /IncShop\/.*-Data\.db$/.test(name) && /\/backups\/|increments\//.test(name));
}

const restore = async (request: object) =>
  stage.completed(await stage.run('restore', { clusterId: 'delta', ...request }));

// Made by the first test that asks, so that each can run alone.

const takenBase = madeOnce(async () => {
  const before = await nodetool('statusbackup');
  const shown = await content();
  return { run: await backUp(), shown, before };
});

/** After a run that failed between collecting and sealing, and a kill while the next one collected. */
const takenNewest = madeOnce(async () => {
  const base = await takenBase();
  await write(70, 80, 'third');
  (await host()).environment = { RINGVAULT_FAIL_POINT: 'upload.object:fail' };
  const failed = await stage.run('backup', { clusterId: 'delta', kind: 'incremental' });
  const left = await leftOnDisk();
  (await host()).environment = { RINGVAULT_FAIL_POINT: 'collect.file:kill' };
  await write(80, 90, 'third');
  const run = await backUp();
  return { base, failed, left, run, leftAfter: await leftOnDisk(), shown: await content() };
});

test('without a base, and with incremental backups off: they are turned on, and a base is taken', async () => {
  const { run: base, before } = await takenBase();
  expect(before).toMatch(/not running/);
  expectGap(base, /there is no completed backup yet/);
  expectGap(base, /incremental backups were off and were turned on/);
  expect(await nodetool('statusbackup')).toMatch(/^running/);
  await stage.mailAbout(base.runId, /COMPLETED/);
});

test('an incremental holds what was flushed since its base, and nothing stays on the disk', async () => {
  const { run: base } = await takenBase();
  await write(30, 60);
  const first = await backUp();
  expect(first).toMatchObject({ kind: 'incremental', baseBackupId: base.runId });
  const { manifest, files } = await readStoredBackup(stage, 'delta', first.runId);
  expect(manifest).toMatchObject({ base: { backupId: base.runId }, previous: { backupId: base.runId } });
  const paths = files.map(({ path }) => path).filter((path) => path.endsWith('-Data.db'));
  expect(paths.filter((path) => path.includes('/.ByTag/'))).not.toEqual([]);
  expect(paths.filter((path) => path.includes('LinesByTag'))).not.toEqual([]);
  expect(await leftOnDisk()).toEqual([]);
});

test('the next one goes on from it, after overwrites, deletes and a compaction', async () => {
  const { run: base } = await takenBase();
  await write(10, 20, 'second');
  await withClient((client) => client.execute(`DELETE FROM ${TABLE} WHERE "Id" IN (1, 2, 31)`));
  await nodetool('flush');
  await nodetool('compact', 'IncShop');
  await write(60, 70);
  const second = await backUp();
  expect(second).toMatchObject({ kind: 'incremental', baseBackupId: base.runId });
});

test('nothing written: an incremental without a file, which says so', async () => {
  await takenBase();
  const empty = await backUp();
  expect(empty).toMatchObject({ kind: 'incremental', files: 0 });
  expect(empty.warnings).toContainEqual(expect.stringMatching(/Nothing was written/));
});

test('a run that fails between collecting and sealing loses nothing: the next one has it', async () => {
  const { base, failed, left, run, leftAfter, shown } = await takenNewest();
  expect(failed.run?.status).toBe('FAILED');
  expect(left).not.toEqual([]);
  expect(run).toMatchObject({ kind: 'incremental', baseBackupId: base.run.runId });
  expect(leftAfter).toEqual([]);
  expect(shown.table.filter((row) => row.includes(' third '))).toHaveLength(20);
});

test('a restore of the newest brings back base and increments, row by row; the next incremental is a base', async () => {
  const { run: newest, shown } = await takenNewest();
  await write(0, 100, 'lost');
  await nodetool('flush');
  const restored = await restore({});
  expect(restored.backupId).toBe(newest.runId);
  expect(await content()).toEqual(shown);
  expectGap(await backUp(), /restore \S+ came in between/);
});

test('snapshotOnly brings back the base alone', async () => {
  const { base, run: newest } = await takenNewest();
  const restored = await restore({ backupId: newest.runId, snapshotOnly: true });
  expect(restored.backupId).toBe(base.run.runId);
  expect(await content()).toEqual(base.shown);
  expectGap(await backUp(), /came in between/);
});

test('switched off in between, and on again: found by what was flushed meanwhile', async () => {
  await takenBase();
  await nodetool('disablebackup');
  await write(200, 210);
  await nodetool('flush');
  await nodetool('enablebackup');
  await write(210, 220);
  // What was flushed while they were off is in no SSTable of its own any more.
  await nodetool('flush');
  await nodetool('compact', 'IncShop');
  expectGap(await backUp(), /flushed while incremental backups were off/);
  await write(220, 230);
  expect(await backUp()).toMatchObject({ kind: 'incremental' });
});

test('restarted with incremental backups off: they are turned on again, and a base is taken', async () => {
  await takenBase();
  await (await node()).stop();
  await (await node()).start();
  await write(225, 230);
  expectGap(await backUp(), /incremental backups were off; they are on now/);
});

test('truncated in between: a base, and no row from before comes back', async () => {
  await takenBase();
  await write(230, 240);
  await nodetool('flush');
  await withClient((client) => client.execute(`TRUNCATE ${TABLE}`));
  await (await node()).stop();
  await (await node()).start();
  // Its names begin anew, and what lies under backups/ is of the time before.
  await nodetool('enablebackup');
  await write(0, 5, 'after');
  const truncated = await backUp();
  expectGap(truncated, /OrderLines was truncated/);
  await write(5, 10, 'after');
  const next = await backUp();
  expect(next).toMatchObject({ kind: 'incremental', baseBackupId: truncated.runId });
  const expected = await content();
  await write(0, 20, 'lost');
  await restore({ backupId: next.runId });
  expect(await content()).toEqual(expected);
});

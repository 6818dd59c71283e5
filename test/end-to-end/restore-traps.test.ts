// How a restore may bring back less than it seems, or be left half done: schemas that changed, deletions, executions that end.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, types } from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import type { LocalHost } from '../../local/hosts/host.ts';
import { type Stage, sharedStage } from './stage.ts';

const clusterId = 'delta';
const KEYSPACE = '"Traps"';
const ROWS = 20;
const BEFORE = Array.from({ length: ROWS }, (_, id) => `${id} before`).sort();

let stage: Stage;
let host: LocalHost;
let backupId: string;
beforeAll(async () => {
  stage = await sharedStage();
  [host] = (await stage.delta()).hosts as [LocalHost];
  await withClient(async (client) => {
    await client.execute(
      `CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}`,
    );
    await client.execute(`CREATE TYPE ${KEYSPACE}."Address" (street text, zip int)`);
    await client.execute(
      `CREATE TABLE ${KEYSPACE}."Homes" (id int PRIMARY KEY, at frozen<"Address">, again text)`,
    );
    await client.execute(`CREATE TABLE ${KEYSPACE}."Rows" (id int PRIMARY KEY, v text)`);
    for (let id = 0; id < ROWS; id++) {
      await client.execute(
        `INSERT INTO ${KEYSPACE}."Homes" (id, at, again) VALUES (${id}, {street: 'High', zip: ${id}}, 'before')`,
      );
      await client.execute(`INSERT INTO ${KEYSPACE}."Rows" (id, v) VALUES (${id}, 'before') IF NOT EXISTS`);
    }
  });
  backupId = stage.completed(
    await stage.run('backup', { clusterId, keyspaces: { include: ['Traps'] } }),
  ).runId;
});
afterEach(() => stage.calm());
afterAll(() => withClient((client) => client.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`)));

/** A client that has seen the node go down takes its time to try it again: each use has its own. */
async function withClient<Result>(use: (client: Client) => Promise<Result>): Promise<Result> {
  const client = await (await stage.delta()).cassandra.connect();
  return use(client).finally(() => client.shutdown());
}

const execute = (query: string) =>
  withClient((client) => client.execute(query, [], { consistency: types.consistencies.one }));

async function rows(table = `${KEYSPACE}."Rows"`): Promise<string[]> {
  const found = await execute(`SELECT id, v FROM ${table}`);
  return found.rows.map((row) => `${row['id']} ${row['v']}`).sort();
}

const restore = (more: object = {}) => ({
  ...{ clusterId, backupId, keyspaces: { include: ['Traps.Rows'] } },
  ...more,
});

/** Stops the execution once the host program hangs at a fail point; returns the run that Recover has ended. */
async function stoppedAt(failPoint: string, phase: string, request: object) {
  host.environment = { RINGVAULT_FAIL_POINT: `${failPoint}:hang` };
  const execution = await stage.start('restore', request);
  const { run } = await stage.untilNode(execution, (node) => node.phase === phase);
  const actions = join(host.root, 'var/lib/ringvault/actions');
  await stage.until(`${failPoint} of ${run?.runId}`, async () => {
    const found = await readdir(actions, { recursive: true }).catch((): string[] => []);
    const isHere = (path: string) => path.includes(run?.runId ?? '?') && path.endsWith(`-${failPoint}`);
    return found.some(isHere) ? true : undefined;
  });
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  const ended = await stage.end(execution);
  host.environment = {};
  expect(ended.run?.status).toBe('CANCELLED');
  expect(await stage.deployment.catalog.readLock(clusterId)).toBeUndefined();
  expect(await (await stage.delta()).cassandra.nodes[0].isUp()).toBe(true);
  return ended.run;
}

test('rows that were deleted stay so online, which says so; in place they are back, and conditions are decided by them', async () => {
  await execute(`DELETE FROM ${KEYSPACE}."Rows" WHERE id IN (0, 1, 2)`);
  await execute(`UPDATE ${KEYSPACE}."Rows" SET v = 'after' WHERE id = 5 IF v = 'before'`);
  const online = stage.completed(await stage.run('restore', restore({ online: true })));
  expect(online.warnings.join()).toMatch(/rows that were deleted since do not come back/);
  const now = BEFORE.map((row) => (row === '5 before' ? '5 after' : row)).filter(
    (row) => !/^[012] /.test(row),
  );
  expect(await rows()).toEqual(now.sort());

  stage.completed(await stage.run('restore', restore()));
  expect(await rows()).toEqual(BEFORE);
  const again = await execute(`INSERT INTO ${KEYSPACE}."Rows" (id, v) VALUES (5, 'new') IF NOT EXISTS`);
  expect(again.rows[0]).toMatchObject({ '[applied]': false, v: 'before' });
  const applied = await execute(`UPDATE ${KEYSPACE}."Rows" SET v = 'then' WHERE id = 5 IF v = 'before'`);
  expect(applied.rows[0]).toMatchObject({ '[applied]': true });

  // An undo that ends in the middle has begun to put the data from before back: Recover goes on with it.
  const changed = BEFORE.map((row) => (row === '5 before' ? '5 then' : row));
  expect(await rows()).toEqual(changed.sort());
  const undo = await stoppedAt('put-back.table', 'put-back', { clusterId, operation: 'undo' });
  expect(await rows()).toEqual(now);
  const { restoreRunId = '' } = undo ?? {};
  expect((await stage.deployment.catalog.readRun(clusterId, restoreRunId))?.undo).toBe('undone');
  const kept = join(
    (await stage.delta()).cassandra.nodes[0].dataDirectories[0] ?? '',
    '.ringvault',
    `${restoreRunId}.undone`,
  );
  expect((await readdir(kept, { recursive: true })).filter((path) => path.endsWith('-Data.db'))).not.toEqual(
    [],
  );
  stage.completed(await stage.run('restore', { clusterId, operation: 'release' }));
  await expect(readdir(kept)).rejects.toThrow('ENOENT');
  expect(await rows()).toEqual(now);
});

test('an import and a load that end in the middle: what there was is there, and the same restore brings the rest', async () => {
  await execute(`TRUNCATE ${KEYSPACE}."Rows"`);
  const imported = await stoppedAt('import.table', 'import', restore({ online: true }));
  expect(imported?.warnings.join()).toMatch(/stays beside what they had; start the restore again/);
  stage.completed(await stage.run('restore', restore({ online: true })));
  expect(await rows()).toEqual(BEFORE);

  const copy = { clusterId, backupId, online: true, as: { 'Traps.Rows': 'Copy' } };
  const loaded = await stoppedAt('load.batch', 'load', copy);
  expect(loaded?.warnings.join()).toMatch(/is not whole: start the same restore again/);
  stage.completed(await stage.run('restore', copy));
  expect(await rows(`${KEYSPACE}."Copy"`)).toEqual(BEFORE);
  expect(await rows()).toEqual(BEFORE);
});

test('a schema that has changed since is refused, each change by name; under another name all of it is as it was', async () => {
  for (const change of [
    'ALTER TABLE "Homes" DROP again',
    'ALTER TABLE "Homes" ADD again text',
    'ALTER TYPE "Address" RENAME zip TO code',
    'CREATE INDEX "byV" ON "Rows" (v)',
    `CREATE MATERIALIZED VIEW "RowsByV" AS SELECT * FROM "Rows" WHERE v IS NOT NULL AND id IS NOT NULL PRIMARY KEY (v, id)`,
  ])
    await execute(change.replace(/(TABLE|TYPE|ON|VIEW|FROM) "/g, `$1 ${KEYSPACE}."`));
  const type = /type Traps\.Address: it is .*code int.*, in the backup .*zip int/;
  const inPlace = [
    /table Traps\.Homes: columns were dropped since: again/,
    /index Traps\.byV on Rows is not in the backup/,
    /view Traps\.RowsByV on Traps\.Rows is not in the backup/,
  ];
  // Streamed rows are added to indexes and views.
  const streamed = [
    /column again of Traps\.Homes was dropped and added again since: values from before are hidden/,
  ];
  for (const [online, says] of [
    [false, [type, ...inPlace]],
    [true, [type, ...streamed]],
  ] as const) {
    const whole = { clusterId, backupId, keyspaces: { include: ['Traps'] }, online, dryRun: true };
    const error = errorOf(await stage.run('restore', whole));
    expect(error?.name).toBe('SchemaConflict');
    for (const change of says) expect(error?.message).toMatch(change);
  }

  stage.completed(await stage.run('restore', { clusterId, backupId, online: true, as: { Traps: 'Then' } }));
  expect(await rows('"Then"."Rows"')).toEqual(BEFORE);
  const homes = await execute('SELECT id, at, again FROM "Then"."Homes"');
  expect(homes.rows.map((row) => `${row['id']} ${row['at'].zip} ${row['again']}`).sort()).toEqual(
    Array.from({ length: ROWS }, (_, id) => `${id} ${id} before`).sort(),
  );
  await execute('DROP KEYSPACE "Then"');
});

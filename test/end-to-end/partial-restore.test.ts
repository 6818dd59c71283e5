// Restores of a part of a backup: what was chosen comes back row by row, and nothing else loses a write.
import { type Client, policies, types } from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RunView } from '../../cli/run-view.ts';
import type { ManagedCluster } from '../../local/installation.ts';
import { gamma, clusterId as gammaId, openShop, rows, write, written } from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';

const KEYSPACE = 'Partly';
const ROWS = 40;
const AT_QUORUM = { prepare: true, consistency: types.consistencies.quorum };

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());
// Restores of what was there before would wait for its writes.
afterAll(async () => {
  const client = await stage.client(await stage.alpha());
  await client.execute(`DROP KEYSPACE IF EXISTS "${KEYSPACE}"`);
});

/** Two tables on three nodes, each with all rows, and a backup of them, taken once. */
async function backedUp() {
  const alpha = await stage.alpha();
  const client = await stage.client(alpha);
  await client.execute(
    `CREATE KEYSPACE IF NOT EXISTS "${KEYSPACE}" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}`,
  );
  for (const table of ['Chosen', 'Kept']) {
    await client.execute(`CREATE TABLE IF NOT EXISTS "${KEYSPACE}"."${table}" (id int PRIMARY KEY, at text)`);
    await client.execute(`CREATE INDEX IF NOT EXISTS "by_at_of_${table}" ON "${KEYSPACE}"."${table}" (at)`);
    await client.execute(`TRUNCATE "${KEYSPACE}"."${table}"`);
    for (let id = 0; id < ROWS; id++) await insert(client, table, id, 'before');
  }
  backup ??= stage.run('backup', { clusterId: 'alpha', keyspaces: { include: [KEYSPACE] } });
  return { alpha, client, backup: stage.completed(await backup) };
}

let nextRow = ROWS;

/** Of the rows that each test begins with. */
let backup: Promise<RunView> | undefined;

const insert = (client: Client, table: string, id: number, at: string) =>
  client.execute(`INSERT INTO "${KEYSPACE}"."${table}" (id, at) VALUES (?, ?)`, [id, at], AT_QUORUM);

/** Writes until it is told to end, through every failure. What was refused may have been written or not. Each row is new,
 *  and says when it was written. */
function keepWriting(client: Client) {
  const acknowledged: string[] = [];
  const refused: string[] = [];
  let isOver = false;
  const writing = (async () => {
    for (; !isOver; nextRow++) {
      const at = new Date().toISOString();
      try {
        await insert(client, 'Kept', nextRow, at);
        acknowledged.push(`${nextRow} ${at}`);
        // The nodes need the cores, too.
        await new Promise((resolve) => setTimeout(resolve, 20));
      } catch {
        refused.push(`${nextRow} ${at}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  })();
  return {
    acknowledged,
    refused,
    async end() {
      isOver = true;
      await writing;
    },
  };
}

/** What each node answers from its own data: all of them replicate every row. */
async function eachNodes(alpha: ManagedCluster, table: string): Promise<string[][]> {
  return Promise.all(
    alpha.cassandra.nodes.map(async ({ address }) => {
      const loadBalancing = new policies.loadBalancing.AllowListPolicy(
        new policies.loadBalancing.RoundRobinPolicy(),
        [`${address}:9042`],
      );
      const client = await alpha.cassandra.connect(undefined, { policies: { loadBalancing } });
      const query = `SELECT id, at FROM "${KEYSPACE}"."${table}"`;
      const options = { consistency: types.consistencies.one, fetchSize: 50_000 };
      const found = await client.execute(query, [], options).finally(() => client.shutdown());
      return found.rows.map((row) => `${row['id']} ${row['at']}`).sort();
    }),
  );
}

const onEach = (found: string[]) => [found, found, found];
const before = Array.from({ length: ROWS }, (_, id) => `${id} before`).sort();

/** Hints for nodes that came up after others take a while; those that a restore lost never come. */
async function expectKept(alpha: ManagedCluster, ...writers: Array<ReturnType<typeof keepWriting>>) {
  const acknowledged = [...before, ...writers.flatMap((writer) => writer.acknowledged)];
  const refused = new Set(writers.flatMap((writer) => writer.refused));
  const differences = async () =>
    (await eachNodes(alpha, 'Kept')).map((found) => ({
      lost: acknowledged.filter((row) => !found.includes(row)),
      unknown: found.filter((row) => !acknowledged.includes(row) && !refused.has(row)),
    }));
  const none = { lost: [], unknown: [] };
  await stage
    .until('all writes on all nodes', async () =>
      (await differences()).every(({ lost }) => lost.length === 0) ? true : undefined,
    )
    .catch(() => undefined);
  const refusals = writers.map(({ refused }) => `from ${refused[0]} to ${refused.at(-1)}`).join();
  expect(await differences(), `refused: ${refusals}`).toEqual([none, none, none]);
}

test('one table goes back, and the other keeps every write, on every node; undo likewise', async () => {
  const { alpha, client, backup } = await backedUp();
  for (let id = 0; id < ROWS; id += 2) await insert(client, 'Chosen', id, 'after');
  const changed = before
    .map((row) => (Number.parseInt(row, 10) % 2 === 0 ? row.replace('before', 'after') : row))
    .sort();
  const writer = keepWriting(client);
  const chosen = { keyspaces: { include: [`${KEYSPACE}.Chosen`] } };
  const request = { clusterId: 'alpha', backupId: backup.runId, repair: true, ...chosen };
  const restore = await stage.run('restore', request);
  await writer.end();
  const { warnings } = stage.completed(restore);
  expect(warnings.join()).toMatch(/left as they are: .*Partly\.Kept/);
  expect(warnings.join()).not.toMatch(/repair on i-/);
  expect(writer.acknowledged.length).toBeGreaterThan(ROWS);
  expect(await eachNodes(alpha, 'Chosen')).toEqual(onEach(before));
  await expectKept(alpha, writer);

  const again = keepWriting(client);
  stage.completed(await stage.run('restore', { clusterId: 'alpha', operation: 'undo' }));
  await again.end();
  expect(await eachNodes(alpha, 'Chosen')).toEqual(onEach(changed));
  await expectKept(alpha, writer, again);
});

test('one table comes back online: nobody is stopped, its index answers, what was written since stays', async () => {
  const { alpha, client, backup } = await backedUp();
  await client.execute(`TRUNCATE "${KEYSPACE}"."Chosen"`);
  await insert(client, 'Chosen', 0, 'after');
  const writer = keepWriting(client);
  const keyspaces = { include: [`${KEYSPACE}.Chosen`] };
  const request = { clusterId: 'alpha', backupId: backup.runId, online: true, keyspaces };
  const view = await stage.run('restore', request);
  await writer.end();
  expect(stage.completed(view).undo).toBeUndefined();
  expect(writer.refused).toEqual([]);
  const merged = before.map((row) => (row === '0 before' ? '0 after' : row)).sort();
  expect(await eachNodes(alpha, 'Chosen')).toEqual(onEach(merged));
  const indexed = await client.execute(`SELECT id FROM "${KEYSPACE}"."Chosen" WHERE at = 'before'`);
  expect(indexed.rows).toHaveLength(ROWS - 1);
});

test('cancelled while clients are kept out: Recover lets them in, and nothing was changed', async () => {
  const { alpha, client, backup } = await backedUp();
  await insert(client, 'Chosen', 0, 'after');
  const request = {
    clusterId: 'alpha',
    backupId: backup.runId,
    keyspaces: { include: [`${KEYSPACE}.Chosen`] },
  };
  const execution = await stage.start('restore', request);
  await stage.untilNode(execution, (node) => node.phase === 'settle-writes');
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  expect((await stage.end(execution)).run?.status).toBe('CANCELLED');
  await alpha.cassandra.settled();
  expect(await Promise.all(alpha.cassandra.nodes.map((node) => node.isUp()))).toEqual([true, true, true]);
  const changed = before.map((row) => (row === '0 before' ? '0 after' : row)).sort();
  expect(await eachNodes(alpha, 'Chosen')).toEqual(onEach(changed));
});

test('one datacenter’s node gets one table back, on 4.1, and by its repair the other has it too', async () => {
  const { cluster, client, first } = await gamma();
  await openShop(cluster, client, 'Local');
  const backup = stage.completed(await stage.run('backup', { clusterId: gammaId }));
  await client.execute('TRUNCATE "Local"."Cache"');
  await write(client, 'Local', 'after', 100);
  const keyspaces = { include: ['Local.Cache'] };
  const request = { clusterId: gammaId, backupId: backup.runId, datacenter: 'dc1', keyspaces, repair: true };
  const view = await stage.run('restore', request);
  stage.completed(view);
  const placed = view.nodes.filter((node) => node.phase === 'place');
  expect(placed.map((node) => node.instanceId)).toEqual([first.instanceId]);
  expect(await rows(client, '"Local"."Orders"')).toEqual(
    [...written('before', 0), ...written('after', 100)].sort(),
  );
  const there = await cluster.cassandra.connect(undefined, { localDataCenter: 'dc2' });
  const cache = await rows(there, '"Local"."Cache"').finally(() => there.shutdown());
  expect(cache).toEqual([...written('before', 0), ...written('after', 100)].sort());
});

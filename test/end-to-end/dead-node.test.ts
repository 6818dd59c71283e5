// A node whose host is gone comes back from a backup on a new host: as what it was, or under a new host ID in its place.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, policies, types } from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import type { ManagedCluster } from '../../local/installation.ts';
import { openCustomers, openShop, rows, TABLES, write, written } from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';

const clusterId = 'epsilon';
const KEYSPACE = 'Survivor';
const SUCCESSOR = 'Successor';
const VIEW = 'OrdersByWhen';

let stage: Stage;
let epsilon: ManagedCluster;
let client: Client;
beforeAll(async () => {
  stage = await sharedStage();
  epsilon = await stage.epsilon();
  client = await stage.client(epsilon);
});
afterEach(() => stage.calm());
afterAll(async () => {
  for (const each of [KEYSPACE, SUCCESSOR]) await client.execute(`DROP KEYSPACE IF EXISTS "${each}"`);
  await client.execute(`DROP ROLE IF EXISTS ${WRITER.username}`);
});

/** With one of two nodes down a superuser cannot log in: whoever can write is looked up at LOCAL_QUORUM. */
const WRITER = { username: 'survivor', password: 'survivor' };

/** A client of one node, which answers from its own data. */
async function alone(node: number): Promise<Client> {
  const { address } = epsilon.cassandra.nodes[node] ?? {};
  const loadBalancing = new policies.loadBalancing.AllowListPolicy(
    new policies.loadBalancing.RoundRobinPolicy(),
    [`${address}:9042`],
  );
  const queryOptions = { consistency: types.consistencies.localOne };
  return epsilon.cassandra.connect(WRITER, {
    ...{ contactPoints: [address ?? ''], policies: { loadBalancing }, queryOptions },
    localDataCenter: node === 0 ? 'dc1' : 'dc2',
  });
}

async function who(node: number): Promise<{ hostId: string; tokens: string[] }> {
  const own = await alone(node);
  const { rows: found } = await own.execute('SELECT host_id, tokens FROM system.local');
  await own.shutdown();
  return { hostId: String(found[0]?.['host_id']), tokens: [...(found[0]?.['tokens'] ?? [])].sort() };
}

async function letWrite(keyspace: string): Promise<void> {
  const { username, password } = WRITER;
  await client.execute(
    `CREATE ROLE IF NOT EXISTS ${username} WITH PASSWORD = '${password}' AND LOGIN = true`,
  );
  await client.execute(`GRANT ALL ON KEYSPACE "${keyspace}" TO ${username}`);
}

/** @returns its new host, which is empty */
async function loseSecond() {
  const host = await stage.installation.loseLastHost(clusterId);
  await stage.until('the first node to see the other down', async () =>
    /^DN/m.test(await epsilon.cassandra.nodes[0].nodetool('status')) ? true : undefined,
  );
  return host;
}

test('one node comes back on another host; what was written since is repaired, what was deleted, dropped or truncated stays so', async () => {
  await openShop(epsilon, client, KEYSPACE);
  await client.execute(`CREATE TABLE "${KEYSPACE}"."Dropped" ("Id" int PRIMARY KEY, "When" text)`);
  await letWrite(KEYSPACE);
  const backup = stage.completed(await stage.run('backup', { clusterId }));
  const before = await who(1);
  const [first] = epsilon.cassandra.nodes;
  const restore = (newInstanceId: string | undefined) => ({
    ...{ clusterId, backupId: backup.runId },
    deadNode: { node: before.hostId, newInstanceId },
  });

  // Its host lives.
  const alive = await stage.run('restore', restore(epsilon.hosts[0]?.instanceId));
  expect(errorOf(alive)).toMatchObject({ name: 'NodeNotDead' });

  await client.execute(`DROP TABLE "${KEYSPACE}"."Dropped"`);
  await client.execute(`CREATE TABLE "${KEYSPACE}"."New" ("Id" int PRIMARY KEY, "When" text)`);
  await client.execute(`TRUNCATE "${KEYSPACE}"."Cache"`);
  await write(client, KEYSPACE, 'after', 100);
  const everywhere = { consistency: types.consistencies.all };
  await client.execute(`DELETE FROM "${KEYSPACE}"."Orders" WHERE "Id" = 0`, [], everywhere);

  // Without hints: what comes after has to be repaired.
  await first.nodetool('disablehandoff');
  const host = await loseSecond();
  const local = await alone(0);
  for (const table of [...TABLES, 'New'])
    await local.execute(`INSERT INTO "${KEYSPACE}"."${table}" ("Id", "When") VALUES (200, 'alone')`);
  await local.shutdown();

  // An end in the middle: nothing of it is left, and the empty node is not started.
  host.environment = { RINGVAULT_FAIL_POINT: 'place.table:hang' };
  const interrupted = await stage.start('restore', restore(host.instanceId));
  await stage.untilNode(interrupted, (node) => node.phase === 'place');
  await stage.deployment.executions.stop(interrupted, { errorName: 'Stopped', message: 'by hand' });
  const { run: cancelled } = await stage.end(interrupted);
  expect(cancelled).toMatchObject({ status: 'CANCELLED' });
  expect(cancelled?.warnings.join('\n')).toMatch(/has no node: do not start Cassandra on it/);
  expect(await epsilon.cassandra.nodes[1]?.isUp()).toBe(false);
  host.environment = {};

  const run = stage.completed(await stage.run('restore', restore(host.instanceId)));
  expect(run.undo).toBeUndefined();
  expect(run.warnings.join('\n')).toContain(`left to the repair: ${KEYSPACE}.Cache`);
  await first.nodetool('enablehandoff');
  await epsilon.cassandra.settled();
  expect(await who(1)).toEqual(before);
  const members = (await first.nodetool('status')).match(/^[UD]\w /gm);
  expect(members).toEqual(['UN ', 'UN ']);

  const own = await alone(1);
  const since = [...written('after', 100), '200 alone'];
  const orders = [...written('before', 0).filter((row) => row !== '0 before'), ...since].sort();
  expect(await rows(own, `"${KEYSPACE}"."Orders"`)).toEqual(orders);
  expect(await rows(own, `"${KEYSPACE}"."${VIEW}"`)).toEqual(orders);
  expect(await rows(own, `"${KEYSPACE}"."Orders" WHERE "When" = 'alone'`)).toEqual(['200 alone']);
  expect(await rows(own, `"${KEYSPACE}"."Cache"`)).toEqual(since.toSorted());
  expect(await rows(own, `"${KEYSPACE}"."New"`)).toEqual(['200 alone']);
  await expect(rows(own, `"${KEYSPACE}"."Dropped"`)).rejects.toThrow(/does not exist/);
  await own.shutdown();

  // Nothing was replaced, and nothing is left beside.
  const undone = await stage.run('restore', { clusterId, operation: 'undo', restoreRunId: run.runId });
  expect(errorOf(undone)).toMatchObject({ name: 'NothingToUndo' });
  for (const directory of epsilon.cassandra.nodes[1]?.dataDirectories ?? [])
    expect(await readdir(join(directory, '.ringvault')).catch(() => [])).toEqual([]);
});

test('another takes its place under a new host ID, and counts on beside what it had counted', async () => {
  await client.execute(
    `CREATE KEYSPACE "${SUCCESSOR}" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1, 'dc2': 1}`,
  );
  await openCustomers(epsilon, client, SUCCESSOR);
  await letWrite(SUCCESSOR);
  const backup = stage.completed(await stage.run('backup', { clusterId }));
  const before = await who(1);
  const count = (by: Client, consistency: types.consistencies) =>
    by.execute(`UPDATE "${SUCCESSOR}"."Visits" SET visits = visits + 1 WHERE id = 1`, [], { consistency });
  for (let more = 0; more < 4; more++) await count(client, types.consistencies.all);
  await client.execute(`UPDATE "${SUCCESSOR}"."Customers" SET kept = 5 WHERE id = 1`, [], {
    consistency: types.consistencies.all,
  });

  const { instanceId: newInstanceId } = await loseSecond();
  const deadNode = { node: before.hostId, newInstanceId };
  const request = { clusterId, backupId: backup.runId };
  const run = stage.completed(
    await stage.run('restore', { ...request, deadNode: { ...deadNode, newHostId: true } }),
  );
  expect(run.warnings.join()).toMatch(/it has a new host ID: backups from before/);
  await epsilon.cassandra.settled();
  const now = await who(1);
  expect(now).toEqual({ hostId: expect.not.stringMatching(before.hostId), tokens: before.tokens });
  const status = await epsilon.cassandra.nodes[0].nodetool('status');
  expect(status.match(/^[UD]\w /gm)).toEqual(['UN ', 'UN ']);
  expect(status).toContain(now.hostId);

  const own = await alone(1);
  await count(own, types.consistencies.localOne);
  const visits = async (by: Client) =>
    String((await by.execute(`SELECT visits FROM "${SUCCESSOR}"."Visits"`)).rows[0]?.['visits']);
  expect(await visits(own)).toBe('8');
  const customers = await own.execute(`SELECT kept FROM "${SUCCESSOR}"."Customers"`);
  expect(customers.rows[0]).toMatchObject({ kept: 5 });
  await own.shutdown();

  // What it started with is of that start alone, and it is who it is now.
  await epsilon.cassandra.nodes[1]?.stop();
  await epsilon.cassandra.nodes[1]?.start();
  await epsilon.cassandra.settled();
  expect(await who(1)).toEqual(now);
  // Cassandra itself never forgets the one before there.
  const { warnings } = stage.completed(await stage.run('backup', { clusterId }));
  const [, gone = ''] =
    /system\.peers_v2 has ([\d.]+), which is no member of the ring any more/.exec(warnings.join()) ?? [];
  expect(gone).not.toBe('');
  const { address } = epsilon.cassandra.nodes[0];
  const loadBalancing = new policies.loadBalancing.AllowListPolicy(
    new policies.loadBalancing.RoundRobinPolicy(),
    [`${address}:9042`],
  );
  const superuser = await epsilon.cassandra.connect(undefined, {
    ...{ contactPoints: [address], policies: { loadBalancing } },
  });
  for (const table of ['peers_v2', 'peers']) {
    await superuser.execute(`DELETE FROM system.${table} WHERE peer = '${gone}'`);
    expect((await superuser.execute(`SELECT peer FROM system.${table}`)).rows).toHaveLength(1);
  }
  await superuser.shutdown();
});

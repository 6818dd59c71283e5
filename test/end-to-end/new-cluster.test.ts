// A backup of one cluster on the new, empty nodes of another: of Cassandra 4.1, encrypted by its hosts, into 5.0.
import type { Client } from 'cassandra-driver';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import {
  EVERYWHERE,
  gamma,
  clusterId as gammaId,
  openCustomers,
  openShop,
  rows,
  TABLES,
  write,
  written,
} from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';

const KEYSPACE = 'Moved';
const NEW = 'epsilon';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());

async function tableIds(client: Client): Promise<string[]> {
  const ids: string[] = [];
  for (const [kind, name] of [
    ['tables', 'table_name'],
    ['views', 'view_name'],
  ]) {
    const query = `SELECT ${name}, id FROM system_schema.${kind} WHERE keyspace_name = ?`;
    const found = await client.execute(query, [KEYSPACE], { prepare: true });
    ids.push(...found.rows.map((row) => `${row[name as string]} ${row['id']}`));
  }
  return ids.sort();
}

test('every row, index, view and counter comes back on other nodes, which never meet the source', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, KEYSPACE);
  await openCustomers(cluster, client, KEYSPACE);
  const backup = stage.completed(await stage.run('backup', { clusterId: gammaId }));
  await write(client, KEYSPACE, 'after', 100);

  const epsilon = await stage.epsilon();
  const restored = await stage.client(epsilon);
  const request = { clusterId: NEW, sourceCluster: gammaId, backupId: backup.runId };
  const run = stage.completed(await stage.run('restore', request));
  expect(run).toMatchObject({ sourceCluster: gammaId, undo: 'possible' });
  expect(run.warnings.join('\n')).toMatch(/roles and permissions are not restored/);

  for (const table of [...TABLES, 'OrdersByWhen'])
    expect(await rows(restored, `"${KEYSPACE}"."${table}"`)).toEqual(written('before', 0));
  const byIndex = await rows(restored, `"${KEYSPACE}"."Orders" WHERE "When" = 'before'`);
  expect(byIndex).toEqual(written('before', 0));
  const customer = await restored.execute(`SELECT at FROM "${KEYSPACE}"."Customers"`);
  expect(customer.rows[0]?.['at']).toMatchObject({ home: { street: 'High', zone: { code: 'N1' } } });
  const visits = await restored.execute(`SELECT visits FROM "${KEYSPACE}"."Visits"`, [], EVERYWHERE);
  expect(String(visits.rows[0]?.['visits'])).toBe('3');
  expect(await tableIds(restored)).toEqual(await tableIds(client));

  // Both go on by themselves.
  await write(restored, KEYSPACE, 'there', 200);
  expect(await rows(restored, `"${KEYSPACE}"."Orders"`)).toEqual(
    [...written('before', 0), ...written('there', 200)].sort(),
  );
  expect(await rows(client, `"${KEYSPACE}"."Orders"`)).toEqual(
    [...written('before', 0), ...written('after', 100)].sort(),
  );
  for (const each of [client, restored])
    expect((await each.execute('SELECT peer FROM system.peers')).rows).toHaveLength(1);

  // Before it there was nothing.
  stage.completed(await stage.run('restore', { clusterId: NEW, operation: 'undo' }));
  for (const table of [...TABLES, 'OrdersByWhen'])
    expect(await rows(restored, `"${KEYSPACE}"."${table}"`)).toEqual([]);
});

test('refused where the configuration does not say that the hosts may read the source’s backups', async () => {
  await stage.delta();
  const refused = await stage.run('restore', { clusterId: 'delta', sourceCluster: gammaId });
  expect(errorOf(refused)).toMatchObject({
    name: 'InvalidConfiguration',
    message: expect.stringMatching(/restoresFrom of delta: got none, expected "gamma"/),
  });
});

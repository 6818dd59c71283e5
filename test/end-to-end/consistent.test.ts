// Backups while the applications stand still, with real ones: what they had written before is in them, and nothing else; and
// whatever goes wrong, they are resumed.
import { setTimeout } from 'node:timers/promises';
import { type Client, types } from 'cassandra-driver';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { type RunningApplication, startApplication } from '../shared/applications/application.ts';
import { type NameServer, startNameServer } from '../shared/applications/name-server.ts';
import { addRows } from './small-dataset.ts';
import { type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

const REQUEST = { clusterId: 'beta', kind: 'consistent' };
/** So that the nodes have time for the backup, too. */
const BETWEEN_ORDERS_MS = 20;
const AT_QUORUM = { prepare: true, consistency: types.consistencies.localQuorum };

let stage: Stage;
let dns: NameServer;
let applications: [RunningApplication, RunningApplication, RunningApplication];

beforeAll(async () => {
  stage = await sharedStage();
  dns = await startNameServer('_admin._tcp.orders.test', stage.nameServer);
});
afterAll(() => dns.close());
beforeEach(async () => {
  applications = await Promise.all([
    startApplication('orders-1.test'),
    startApplication('orders-2.test'),
    startApplication('orders-3.test'),
  ]);
  dns.named = applications;
});
afterEach(async () => {
  await stage.calm();
  for (const each of applications) each.die();
});

const paused = () => applications.map((each) => each.paused);
const betaClient = async () => stage.client(await stage.beta());
/** The snapshots are taken, and nobody knows it yet. */
const holdSnapshot = () =>
  stage.holdAt(
    ({ action, path }) =>
      action === 's3:PutObject' && path.includes('/results/') && path.endsWith('.snapshot-1.json'),
  );

/** Orders that an application takes until it is told to stop. */
function takeOrders(client: Client, application: RunningApplication, number: number) {
  const accepted: number[] = [];
  let stopped = false;
  const insert = 'INSERT INTO consistent.orders (application, number) VALUES (?, ?)';
  const ended = (async () => {
    for (let order = 1; !stopped; order++) {
      await application.write(async () => {
        await client.execute(insert, [number, order], AT_QUORUM);
        accepted.push(order);
      });
      await setTimeout(BETWEEN_ORDERS_MS);
    }
  })();
  return {
    accepted,
    stop: () => {
      stopped = true;
      return ended;
    },
  };
}

async function storedOrders(client: Client): Promise<string[]> {
  const { rows } = await client.execute('SELECT application, number FROM consistent.orders', [], {
    consistency: types.consistencies.all,
    fetchSize: 100_000,
  });
  return rows.map((row) => `${row['application']} ${row['number']}`).sort();
}

test('what was accepted before the pause is restored, to the last order, and nothing that came after', async () => {
  const alpha = await stage.alpha();
  const client = await stage.client(alpha);
  await client.execute(
    "CREATE KEYSPACE consistent WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}",
  );
  await client.execute(
    'CREATE TABLE consistent.orders (application int, number int, PRIMARY KEY (application, number))',
  );
  const takers = applications.map((each, index) => takeOrders(client, each, index));
  const before: string[] = [];
  for (const [index, { accepted }] of takers.entries()) {
    const each = applications[index];
    if (!each) continue;
    each.before.Pause = () => void before.push(...accepted.map((number) => `${index} ${number}`));
  }
  const backup = stage.completed(await stage.run('backup', { clusterId: 'alpha', kind: 'consistent' }));
  await stage.until('orders after the pause', async () =>
    takers.every(({ accepted }) => accepted.length > before.length) ? true : undefined,
  );
  await Promise.all(takers.map((each) => each.stop()));
  expect(applications.map(({ acceptedWhilePaused }) => acceptedWhilePaused)).toEqual([0, 0, 0]);
  expect(applications.map(({ calls }) => calls)).toEqual(
    applications.map(() => ['Pause', 'CheckPaused', 'Unpause']),
  );

  const { manifest } = await readStoredBackup(stage, 'alpha', backup.runId);
  expect(manifest.kind).toBe('consistent');
  expect(manifest.pause?.applications.map(({ name }) => name)).toEqual(applications.map(({ name }) => name));
  for (const { confirmed, pausedAt, resumedAt = '', pausedMs = 0 } of manifest.pause?.applications ?? []) {
    expect(confirmed).toBe(true);
    expect(pausedAt < manifest.snapshotAt && manifest.snapshotAt < resumedAt).toBe(true);
    expect(pausedMs).toBeLessThanOrEqual(backup.pause?.longestMs ?? 0);
  }
  expect(backup.pause?.applications).toBe(3);
  expect(await stage.mailAbout(backup.runId, /COMPLETED/)).toContain('3 paused, for ');

  expect((await storedOrders(client)).length).toBeGreaterThan(before.length);
  stage.completed(await stage.run('restore', { clusterId: 'alpha', backupId: backup.runId }));
  const after = await alpha.cassandra.connect();
  expect(await storedOrders(after)).toEqual(before.sort());
  await after.execute('DROP KEYSPACE consistent');
  await after.shutdown();
  stage.completed(await stage.run('restore', { clusterId: 'alpha', operation: 'release' }));
});

test('an application that refuses to pause fails the backup by name, and the others are resumed', async () => {
  await addRows(await betaClient());
  applications[1].instead = { Pause: 'refuse' };
  const view = await stage.run('backup', REQUEST);
  expect(errorOf(view)?.name).toBe('PauseFailed');
  expect(errorOf(view)?.message).toContain(applications[1].name);
  expect(paused()).toEqual([false, false, false]);
  expect(applications[0].calls).toEqual(['Pause', 'Unpause']);
});

test('one that comes up meanwhile makes it inconsistent, by name', async () => {
  const { reached, goOn } = holdSnapshot();
  const execution = await stage.start('backup', REQUEST);
  await reached;
  dns.named = [...applications, { name: 'orders-4.test:7070', address: '127.0.0.1', port: 7_070 }];
  goOn();
  const view = await stage.end(execution);
  expect(errorOf(view)).toMatchObject({ name: 'PauseBroken' });
  expect(errorOf(view)?.message).toContain('orders-4.test:7070');
  expect(paused()).toEqual([false, false, false]);
});

test('a snapshot that is not done by the deadline: resumed while the host is still at it, and failed by name', async () => {
  const { reached, goOn } = holdSnapshot();
  const execution = await stage.start('backup', REQUEST);
  await reached;
  expect(paused()).toEqual([true, true, true]);
  await stage.until('resumed applications', async () => (paused().includes(true) ? undefined : true));
  goOn();
  expect(errorOf(await stage.end(execution))?.name).toBe('PauseExceeded');
});

test('an execution stopped while they are paused: Recover resumes them before anything else', async () => {
  const { reached, goOn } = holdSnapshot();
  const execution = await stage.start('backup', REQUEST);
  await reached;
  expect(paused()).toEqual([true, true, true]);
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  await stage.until('resumed applications', async () => (paused().includes(true) ? undefined : true));
  goOn();
  expect((await stage.end(execution)).run?.status).toBe('CANCELLED');
});

test('a run that nobody executes or recovers any more: the switch resumes them', async () => {
  const { cloud } = stage.installation;
  cloud.events.dropEvents = true;
  const { reached, goOn } = holdSnapshot();
  const execution = await stage.start('backup', REQUEST);
  await reached;
  const switches = () => cloud.scheduler.list().filter(({ name }) => name.endsWith('-pause-1'));
  expect(switches()).toHaveLength(1);
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  goOn();
  expect(paused()).toEqual([true, true, true]);
  await cloud.scheduleClock.moveTo(new Date(cloud.scheduleClock.now().getTime() + 4 * 60_000));
  expect(paused()).toEqual([false, false, false]);
  expect(switches()).toEqual([]);
  await stage.deployment.executions.start('recover', { executionArn: execution });
  expect((await stage.end(execution)).run?.status).toBe('CANCELLED');
});

test('after all that, the next one completes, and a cluster without its applications is refused', async () => {
  stage.completed(await stage.run('backup', REQUEST));
  dns.named = [];
  expect(errorOf(await stage.run('backup', REQUEST))?.name).toBe('ApplicationsUnknown');
});

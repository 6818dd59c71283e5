// Backups that must not come about, or not as they were begun: refused by name.
import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf, type RunView } from '../../cli/run-view.ts';
import type { FaultRequest } from '../../local/endpoint/faults.ts';
import { addRows } from './small-dataset.ts';
import { type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
});
afterEach(() => stage.calm());

const errorNameOf = (view: RunView) => errorOf(view)?.name;

/** When a phase of a beta run has done its work, and before anybody knows it. */
const endOfPhase = (phase: string) =>
  stage.holdAt(
    ({ action, path }) =>
      action === 's3:PutObject' && path.includes('/results/') && path.endsWith(`.${phase}.json`),
  );

const objectPut = ({ action, path }: FaultRequest) =>
  action === 's3:PutObject' && path.includes('/clusters/beta/objects/');

async function betaNode() {
  const beta = await stage.beta();
  return { node: beta.cassandra.nodes[0], client: await stage.client(beta) };
}

test('a host that SSM does not reach: refused as HostUnreachable, which names it', async () => {
  const [host] = (await stage.beta()).hosts;
  host?.disconnect();
  const view = await stage.run('backup', { clusterId: 'beta' });
  host?.connect();
  expect(errorNameOf(view)).toBe('HostUnreachable');
  expect(errorOf(view)?.message).toContain(host?.instanceId);
});

test('a second run on a cluster: refused as ClusterBusy, and the first completes', async () => {
  const { client } = await betaNode();
  await addRows(client);
  const { reached, goOn } = stage.holdAt(objectPut);
  const first = await stage.start('backup', { clusterId: 'beta' });
  await reached;
  const { run } = await stage.untilNode(first, (node) => node.phase === 'upload');
  const [backup, restore] = [
    await stage.run('backup', { clusterId: 'beta' }),
    await stage.run('restore', { clusterId: 'beta' }),
  ];
  goOn();
  expect([errorNameOf(backup), errorNameOf(restore)]).toEqual(['ClusterBusy', 'ClusterBusy']);
  expect(errorOf(backup)?.message).toContain(run?.runId);
  stage.completed(await stage.end(first));
});

test('the same scheduled time delivered twice runs once', async () => {
  await stage.beta();
  const { scheduler, scheduleClock } = stage.installation.cloud;
  scheduler.deliverTwice = true;
  const before = new Set((await stage.deployment.catalog.listRuns('beta')).map(({ runId }) => runId));
  const two = new Date(scheduleClock.now());
  two.setUTCHours(2, 0, 0, 0);
  await scheduleClock.moveTo(two);
  const runs = async () =>
    (await stage.deployment.catalog.listRuns('beta')).filter(({ runId }) => !before.has(runId));
  const [run] = await stage.until('the scheduled run', async () => {
    const found = await runs();
    return found.length > 0 ? found : undefined;
  });
  stage.completed(await stage.end(run?.executionArn ?? ''));
  await stage.until('the end of both executions', async () =>
    (await stage.executions('backup', 'RUNNING')).length === 0 ? true : undefined,
  );
  expect((await runs()).map(({ runId }) => runId)).toEqual([run?.runId]);
  expect(run?.request['scheduledTime']).toMatch(/T02:00:00/);
});

test('the schema changed before the snapshot: it is taken again, and the backup has the new schema', async () => {
  const { client } = await betaNode();
  await addRows(client);
  const { reached, goOn } = endOfPhase('flush-1');
  const execution = await stage.start('backup', { clusterId: 'beta' });
  await reached;
  await client.execute('CREATE TABLE "SmallShop".came_late (id int PRIMARY KEY, name text)');
  goOn();
  const { runId } = stage.completed(await stage.end(execution));
  const key = stage.deployment.layout.backupSchemaCql('beta', runId);
  expect((await stage.deployment.store.get(key))?.body.toString()).toContain('came_late');
  const { manifest } = await readStoredBackup(stage, 'beta', runId);
  expect(manifest.schemaVersion).toBe(await schemaVersion());
});

test('the schema changed between snapshot and seal: the backup has the schema of its snapshot', async () => {
  const { client } = await betaNode();
  await addRows(client);
  const { reached, goOn } = stage.holdAt(objectPut);
  const execution = await stage.start('backup', { clusterId: 'beta' });
  await reached;
  const before = await schemaVersion();
  await client.execute('CREATE TABLE "SmallShop".after_the_snapshot (id int PRIMARY KEY)');
  goOn();
  const { runId } = stage.completed(await stage.end(execution));
  const { manifest } = await readStoredBackup(stage, 'beta', runId);
  expect(manifest.schemaVersion).toBe(before);
  expect(await schemaVersion()).not.toBe(before);
  const key = stage.deployment.layout.backupSchemaCql('beta', runId);
  expect((await stage.deployment.store.get(key))?.body.toString()).not.toContain('after_the_snapshot');
});

test('a snapshot with a missing component: refused as SnapshotIncomplete, and nothing sealed', async () => {
  const { client, node } = await betaNode();
  await addRows(client);
  const { reached, goOn } = endOfPhase('snapshot-1');
  const execution = await stage.start('backup', { clusterId: 'beta' });
  await reached;
  const sstable = await removeStatistics(node.dataDirectories[0] ?? '');
  goOn();
  const view = await stage.end(execution);
  expect(view.run?.status).toBe('FAILED');
  expect(errorNameOf(view)).toBe('SnapshotIncomplete');
  expect(errorOf(view)?.message).toMatch(new RegExp(`${sstable}-.* lacks Statistics.db`));
  const runId = view.run?.runId ?? '';
  const manifest = stage.deployment.layout.clusterManifest('beta', runId);
  expect(await stage.deployment.store.get(manifest)).toBeUndefined();
  expect(await node.nodetool('listsnapshots')).not.toContain('ringvault-');
  await stage.mailAbout(runId, /FAILED/);
});

async function schemaVersion(): Promise<string> {
  const { client } = await betaNode();
  const { rows } = await client.execute('SELECT schema_version FROM system.local');
  return String(rows[0]?.['schema_version']);
}

/** Of one SSTable of a user table in a snapshot of ours; answers the SSTable's name. */
async function removeStatistics(dataDirectory: string): Promise<string> {
  const component = '-Statistics.db';
  const entries = await readdir(join(dataDirectory, 'SmallShop'), { recursive: true });
  const found = entries.find((path) => path.includes('/ringvault-') && path.endsWith(component));
  if (!found) throw new Error(`no ${component} in a snapshot below ${dataDirectory}`);
  await rm(join(dataDirectory, 'SmallShop', found));
  return basename(found, component);
}

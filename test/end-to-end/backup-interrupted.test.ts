// Backups that are killed, cut off, delivered twice or stopped: what they leave is a sealed backup or none, and no trace.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { SeenRequest } from '../../local/endpoint/server.ts';
import type { LocalHost } from '../../local/hosts/host.ts';
import { hasEnded } from '../../local/hosts/invocation.ts';
import { addRows } from './small-dataset.ts';
import { type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

const REQUEST = { clusterId: 'beta' };
const isObject = ({ action, path }: { action: string; path: string }) =>
  action === 's3:PutObject' && path.includes('/clusters/beta/objects/');

let stage: Stage;
let host: LocalHost;
beforeAll(async () => {
  stage = await sharedStage();
  const [first] = (await stage.beta()).hosts;
  if (!first) throw new Error('beta has no host');
  host = first;
});
afterEach(() => stage.calm());

const betaClient = async () => stage.client(await stage.beta());
const nodetool = async (...args: string[]) => (await stage.beta()).cassandra.nodes[0].nodetool(...args);
const lock = () => stage.deployment.catalog.readLock('beta');

/** What hosts sent to S3 while `work` was under way. */
async function putsDuring(work: () => Promise<unknown>): Promise<SeenRequest[]> {
  const puts: SeenRequest[] = [];
  const stop = stage.installation.cloud.endpoint.onRequest((seen) => {
    if (seen.service === 's3' && isObject(seen)) puts.push(seen);
  });
  await work();
  stop();
  return puts;
}

async function expectWhole(runId: string): Promise<void> {
  const { files } = await readStoredBackup(stage, 'beta', runId);
  expect(files.length).toBeGreaterThan(50);
  expect(await nodetool('listsnapshots')).not.toContain('ringvault-');
  expect(await lock()).toBeUndefined();
}

test.each(['upload.object', 'upload.header-put'])(
  'kill -9 of the host program at %s: the retry goes on, and nothing is stored twice or lost',
  async (failPoint) => {
    await addRows(await betaClient());
    host.environment = { RINGVAULT_FAIL_POINT: `${failPoint}:kill` };
    let runId = '';
    const puts = await putsDuring(async () => {
      runId = stage.completed(await stage.run('backup', REQUEST)).runId;
    });
    const markers = await readdir(join(host.root, 'var/lib/ringvault/actions', `${runId}.upload`));
    expect(markers).toContain(`fail-point-${failPoint}`);
    await expectWhole(runId);
    const stored = puts.filter(({ statusCode }) => statusCode === 200).map(({ path }) => path);
    expect(stored.length).toBeGreaterThan(0);
    expect(stored).toEqual([...new Set(stored)]);
  },
);

test('a heartbeat missed so long that the task times out while the host works on: the retry attaches', async () => {
  await addRows(await betaClient());
  host.environment = { RINGVAULT_FAIL_POINT: 'heartbeat:hang' };
  const { goOn } = stage.holdAt(isObject);
  const execution = await stage.start('backup', REQUEST);
  const { run } = await stage.untilNode(execution, (node) => node.phase === 'upload');
  const uploads = () =>
    stage.installation.cloud.runCommand
      .list()
      .filter(({ parameters }) => parameters['actionId']?.[0] === `${run?.runId}.upload`);
  await stage.until('a second command for the upload', async () => uploads()[1]);
  await stage.until('the end of the second command', async () =>
    uploads()[0]?.invocations.find(({ status }) => status === 'Success'),
  );
  goOn();
  const { runId } = stage.completed(await stage.end(execution));
  const outputs = uploads().flatMap(({ invocations }) => invocations.flatMap(({ steps }) => steps));
  expect(outputs.map(({ stdout }) => stdout.trim()).filter(Boolean)).toEqual([
    `${runId}.upload: attached`,
    `${runId}.upload: started`,
  ]);
  await expectWhole(runId);
});

test('every Lambda and a command delivered twice: one backup, each object stored once', async () => {
  await addRows(await betaClient());
  const { functions, runCommand } = stage.installation.cloud;
  functions.deliverTwice = true;
  let runId = '';
  const puts = await putsDuring(async () => {
    const execution = await stage.start('backup', REQUEST);
    const { run } = await stage.untilNode(execution, (node) => node.phase === 'upload');
    const upload = await stage.until('the command of the upload', async () =>
      runCommand.list().find(({ parameters }) => parameters['actionId']?.[0] === `${run?.runId}.upload`),
    );
    const again = runCommand.redeliver(upload.commandId, host.instanceId);
    runId = stage.completed(await stage.end(execution)).runId;
    // Nobody waits for it: the run may be over before.
    await stage.until('the end of the second delivery', async () => hasEnded(again) || undefined);
    expect(again.status).toBe('Success');
  });
  await expectWhole(runId);
  const stored = puts.filter(({ statusCode }) => statusCode === 200).map(({ path }) => path);
  expect(stored).toEqual([...new Set(stored)]);
  const mails = stage.installation.cloud.endpoint.deliveries.records.filter(
    ({ endpoint }) => endpoint === 'beta@example.com',
  );
  expect(mails.length).toBeGreaterThan(0);
});

test('S3 answers 503, resets connections and loses answers, and nobody can be told: the backup completes, whole, with a warning', async () => {
  await addRows(await betaClient());
  const { faults } = stage.installation.cloud.endpoint;
  const slowDown = { kind: 'error', statusCode: 503, code: 'SlowDown' } as const;
  const struck = [
    faults.add({ service: 's3', match: isObject, times: 3, effect: slowDown }),
    faults.add({ service: 's3', match: isObject, times: 2, effect: { kind: 'reset', afterBytes: 100 } }),
    faults.add({ service: 's3', match: isObject, times: 2, effect: { kind: 'lost-answer' } }),
    faults.add({ service: 's3', action: 's3:GetObject', times: 4, effect: slowDown }),
    faults.add({ service: 's3', action: 's3:GetObject', times: 2, effect: { kind: 'half-answer' } }),
  ];
  const invalid = { kind: 'error', statusCode: 400, code: 'InvalidParameter' } as const;
  const untold = faults.add({ service: 'sns', times: 1_000, effect: invalid });
  const { runId } = stage.completed(await stage.run('backup', REQUEST));
  expect(struck.map(({ hits }) => hits)).toEqual([3, 2, 2, 4, 2]);
  expect(untold.hits).toBeGreaterThan(0);
  await expectWhole(runId);
  const record = await stage.deployment.catalog.readRun('beta', runId);
  expect(record?.warnings.join('\n')).toContain('Nobody was notified');
});

test('an execution stopped in mid upload: its snapshots are cleared, the owner’s own stays, lock released, people told', async () => {
  await addRows(await betaClient());
  await nodetool('snapshot', '-t', 'the-owners-own');
  const { goOn } = stage.holdAt(isObject, 1_000);
  const execution = await stage.start('backup', REQUEST);
  await stage.untilNode(execution, (node) => node.phase === 'upload');
  await stage.deployment.executions.stop(execution, { errorName: 'Stopped', message: 'by hand' });
  const { run } = await stage.end(execution);
  goOn();
  expect(run?.status).toBe('CANCELLED');
  const runId = run?.runId ?? '';
  const snapshots = await nodetool('listsnapshots');
  expect(snapshots).not.toContain('ringvault-');
  expect(snapshots).toContain('the-owners-own');
  expect(await lock()).toBeUndefined();
  const manifest = stage.deployment.layout.clusterManifest('beta', runId);
  expect(await stage.deployment.store.get(manifest)).toBeUndefined();
  await stage.mailAbout(runId, /CANCELLED/);
  await nodetool('clearsnapshot', '-t', 'the-owners-own');
});

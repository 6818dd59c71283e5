// Restores that must not begin: refused by name before anything is stopped.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { HOST_RESTORE_GUARD } from '../../contracts/layout.ts';
import type { LocalHost } from '../../local/hosts/host.ts';
import { addRows, countRows } from './small-dataset.ts';
import { type Stage, sharedStage } from './stage.ts';

let stage: Stage;
let host: LocalHost;
let rows: number;
beforeAll(async () => {
  stage = await sharedStage();
  const beta = await stage.beta();
  [host] = beta.hosts as [LocalHost];
  const client = await stage.client(beta);
  await addRows(client);
  rows = await countRows(client);
  stage.completed(await stage.run('backup', { clusterId: 'beta' }));
});
afterEach(() => stage.calm());

async function expectRefused(request: object, errorName: string, message: string): Promise<void> {
  const { cassandra } = await stage.beta();
  const [node] = cassandra.nodes;
  const before = await node.nodetool('info');
  const view = await stage.run('restore', { clusterId: 'beta', ...request });
  const error = errorOf(view);
  expect({ status: view.run?.status, name: error?.name }).toEqual({ status: 'FAILED', name: errorName });
  expect(error?.message).toContain(message);
  expect(await stage.deployment.catalog.readLock('beta')).toBeUndefined();
  // Never stopped, and nothing moved.
  expect(generationOf(await node.nodetool('info'))).toBe(generationOf(before));
  expect(await countRows(await stage.client(await stage.beta()))).toBe(rows);
}

/** Of the gossiper: another one after each start. */
function generationOf(info: string): string | undefined {
  return /^Generation No\s*:\s*(\d+)/m.exec(info)?.[1];
}

test('too little disk: refused as InsufficientSpace, which says how much is missing where', () =>
  expectRefused({}, 'InsufficientSpace', host.instanceId));

test('a host without the guard file: refused as RestoreNotAllowed, which names the host', async () => {
  const guard = join(host.root, HOST_RESTORE_GUARD);
  await rename(guard, `${guard}.away`);
  await expectRefused({}, 'RestoreNotAllowed', host.instanceId);
  await rename(`${guard}.away`, guard);
});

test('a backup that was not sealed: refused as UnknownBackup, though all of its nodes had uploaded', async () => {
  const { faults } = stage.installation.cloud.endpoint;
  const isSeal = ({ path }: { path: string }) => path.endsWith('/backup.json');
  const effect = { kind: 'error', statusCode: 403, code: 'AccessDenied' } as const;
  faults.add({ service: 's3', action: 's3:PutObject', match: isSeal, times: 1_000, effect });
  const { run } = await stage.run('backup', { clusterId: 'beta' });
  faults.clear();
  expect(run?.status).toBe('FAILED');
  const { deployment } = stage;
  const header = deployment.layout.nodeHeader('beta', run?.runId ?? '', host.instanceArn);
  expect(await deployment.store.get(header)).toBeDefined();
  await expectRefused({ backupId: run?.runId }, 'UnknownBackup', run?.runId ?? '');
});

// Quotes, newlines, spaces, $(…) and ; wherever somebody outside can put text: it is refused by name, or carried as it is.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import { addRows } from './small-dataset.ts';
import { HOSTILE_NAME, type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

let stage: Stage;
let canary: string;
beforeAll(async () => {
  stage = await sharedStage();
  await addRows(await stage.client(await stage.beta()));
  canary = join(stage.installation.cloud.stateDirectory, 'canary');
});
afterEach(async () => {
  await stage.calm();
  await expect(access(canary)).rejects.toThrow('ENOENT');
});

const hostile = () => `a"b'c; $(touch ${canary})\n\`touch ${canary}\` \\ || touch ${canary} #`;

test('as names of the cluster, of who asks, of the role and of the owner’s snapshot, and as a password: the backup carries them', async () => {
  const beta = await stage.beta();
  const [node] = beta.cassandra.nodes;
  const requestedBy = hostile();
  const tag = `mine; $(touch ${canary.replaceAll('/', '.')}) "x"`;
  await node.nodetool('snapshot', '-t', tag);
  const { endpoint } = stage.installation.cloud;
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:ringvault/beta-AbCdEf';
  const client = await stage.client(beta);
  // Cassandra 5.0 itself puts role names unescaped into CQL: no single quote in it.
  const [username, password] = [hostile().replaceAll("'", ''), hostile()];
  const role = `"${username.replaceAll('"', '""')}"`;
  await client.execute(
    `CREATE ROLE IF NOT EXISTS ${role} WITH LOGIN = true AND PASSWORD = '${password.replaceAll("'", "''")}'`,
  );
  await client.execute(`GRANT ${beta.cassandra.backupRole.username} TO ${role}`);
  await endpoint.secrets.putByArn(arn, JSON.stringify({ username, password }));
  const view = await stage.run('backup', { clusterId: 'beta', requestedBy });
  await endpoint.secrets.putByArn(arn, JSON.stringify(beta.cassandra.backupRole));
  const { runId } = stage.completed(view);
  const { manifest } = await readStoredBackup(stage, 'beta', runId);
  expect(manifest.clusterName).toBe(HOSTILE_NAME);
  expect((await stage.deployment.catalog.readRun('beta', runId))?.request).toMatchObject({ requestedBy });
  const mail = await stage.mailAbout(runId, /COMPLETED/);
  // In one line, so that nobody can write lines into the mail.
  expect(mail).toContain(`Requested by:    ${requestedBy.replaceAll('\n', ' ')}\n`);
  // It is left alone.
  expect(await node.nodetool('listsnapshots')).toContain(tag);
  await node.nodetool('clearsnapshot', '-t', tag);
});

test.each([
  ['backup', () => ({ clusterId: hostile() })],
  ['backup', () => ({ clusterId: 'beta', kind: hostile() })],
  ['backup', () => ({ clusterId: 'beta', [hostile()]: true })],
  ['backup', () => ({ clusterId: 'beta', scheduledTime: hostile() })],
  ['restore', () => ({ clusterId: 'beta', backupId: hostile() })],
  ['restore', () => ({ clusterId: 'beta', backupId: '../../../etc/passwd' })],
  ['restore', () => ({ clusterId: 'beta', operation: 'undo', restoreRunId: hostile() })],
] as const)('in a %s’s identifiers: refused as InvalidRequest', async (workflow, request) => {
  const view = await stage.run(workflow, request());
  expect(view.execution?.status).toBe('FAILED');
  expect(errorOf(view)?.name).toBe('InvalidRequest');
});

test('on the command line: refused by name, with the exit code of a wrong use', async () => {
  const env = { ...process.env, ...stage.installation.cloud.environment };
  const run = (...args: string[]) =>
    execa(process.execPath, ['cli/ringvault.ts', ...args], { env, reject: false });
  for (const args of [
    ['backup', hostile()],
    ['restore', 'beta', '--backup', hostile(), '--yes'],
    ['status', hostile()],
  ]) {
    const { exitCode, stderr } = await run(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^(error|InvalidRequest|UnknownRun): /m);
  }
});

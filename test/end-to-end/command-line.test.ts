// `ringvault` as a person types it: the shipped command, on the operator's own credentials, against the deployed stack.
import { execa } from 'execa';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { addRows } from './small-dataset.ts';
import { type Stage, sharedStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await sharedStage();
  await addRows(await stage.client(await stage.beta()));
});
afterEach(() => stage.calm());

function ringvault(...args: string[]) {
  const env = { ...process.env, ...stage.installation.cloud.environment };
  return execa(process.execPath, ['cli/bin.js', ...args], { env, reject: false });
}

const runs = z.object({ runs: z.array(z.object({ runId: z.string(), status: z.string() })) });

test('backup, list and status tell the same run, for people and as JSON', async () => {
  const backup = await ringvault('backup', 'beta');
  expect(backup).toMatchObject({ exitCode: 0 });
  const [, runId = ''] = /backup (\S+) of cluster beta: COMPLETED/.exec(backup.stdout) ?? [];
  expect(backup.stderr).toMatch(/upload .*files.*KiB|upload .*files.*MiB/);
  const list = await ringvault('list', 'beta', '--json');
  expect(runs.parse(JSON.parse(list.stdout)).runs[0]).toMatchObject({ runId, status: 'COMPLETED' });
  expect((await ringvault('list')).stdout).toMatch(new RegExp(`beta +${runId} +backup +snapshot +COMPLETED`));
  const status = await ringvault('status', 'beta');
  expect(status.stdout).toContain(`backup ${runId} of cluster beta: COMPLETED`);
  expect(status.stdout).toMatch(/i-0000000200000001 .* COMPLETED +upload/);
});

test('cancel stops a backup that is under way, and waits until its cluster is free', async () => {
  await addRows(await stage.client(await stage.beta()));
  const { reached, goOn } = stage.holdAt(
    ({ action, path }) => action === 's3:PutObject' && path.includes('/clusters/beta/objects/'),
    1_000,
  );
  const backup = ringvault('backup', 'beta', '--json');
  await reached;
  const cancel = await ringvault('cancel', 'beta');
  goOn();
  expect(cancel).toMatchObject({ exitCode: 0 });
  expect(cancel.stdout).toMatch(/backup \S+ of cluster beta: CANCELLED/);
  const { exitCode, stdout } = await backup;
  expect(exitCode).not.toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ run: { status: 'CANCELLED' } });
  expect(await stage.deployment.catalog.readLock('beta')).toBeUndefined();
});

test('a refused restore says why and what to do, with an exit code of its own', async () => {
  const { exitCode, stderr } = await ringvault('restore', 'beta', '--yes');
  expect(exitCode).toBe(3);
  expect(stderr).toContain('InsufficientSpace: ');
  const json = await ringvault('restore', 'beta', '--yes', '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { errorName: 'InsufficientSpace' } });
});

test('a restore is not begun where nobody can be asked, and an unknown run is an error', async () => {
  const restore = await ringvault('restore', 'beta');
  expect(restore.exitCode).toBe(3);
  expect(restore.stderr).toContain('NotConfirmed: ');
  const status = await ringvault('status', 'beta', '20200101t000000z-00000000');
  expect(status.exitCode).not.toBe(0);
  expect(status.stderr).toContain('UnknownRun: ');
});

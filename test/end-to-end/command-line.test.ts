// `ringvault` as a person types it: the shipped command, on the operator's own credentials, against the deployed stack.
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { isSystemKeyspace } from '../../contracts/ring.ts';
import { datasetStage } from './dataset-stage.ts';
import { addRows } from './small-dataset.ts';
import { type Stage, sharedStage } from './stage.ts';
import { STATE_DIRECTORY } from './state-directory.ts';
import { readStoredBackup } from './stored-backup.ts';

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
});

test('a restore is not begun where nobody can be asked, and an unknown run is an error', async () => {
  const restore = await ringvault('restore', 'beta');
  expect(restore.exitCode).toBe(3);
  expect(restore.stderr).toContain('NotConfirmed: ');
  const status = await ringvault('status', 'beta', '20200101t000000z-00000000');
  expect(status.exitCode).not.toBe(0);
  expect(status.stderr).toContain('UnknownRun: ');
});

test('download brings the files of a backup as its nodes had them, and again, nothing', async () => {
  const { backup } = await datasetStage();
  const to = join(STATE_DIRECTORY, 'downloaded');
  await rm(to, { recursive: true, force: true });
  const download = async () => {
    const { exitCode, stdout, stderr } = await ringvault(
      ...['download', 'alpha', '--backup', backup.runId, '--to', to, '--json'],
    );
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    return JSON.parse(stdout);
  };
  const first = await download();
  expect(first.downloadedBytes).toBe(first.bytes);
  const { files } = await readStoredBackup(stage, 'alpha', backup.runId);
  const stored = files.filter(({ path }) => !isSystemKeyspace(path.replace(/\/.*/, '')));
  // Of the node with two data directories each has a directory of its own.
  const below = (path: string) => relative(to, path).replace(/^[^/]+\/(?:data\d\/)?/, '');
  const entries = await readdir(to, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.parentPath !== to)
    .map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(
    paths.map(async (path) => {
      const sha256 = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      return `${below(path)} ${sha256}`;
    }),
  );
  expect(found.sort()).toEqual(stored.map(({ path, sha256 }) => `${path} ${sha256}`).sort());
  expect(await download()).toMatchObject({ files: stored.length, downloadedBytes: 0 });
});

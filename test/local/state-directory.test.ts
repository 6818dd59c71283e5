// The local cloud empties its own directory and no other, and ends what a killed one has left running.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startInstallation } from '../../local/installation.ts';
import {
  claimDirectory,
  claimStateDirectory,
  releaseStateDirectory,
  StateDirectoryInUse,
} from '../../local/state-directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ringvault-state-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('is emptied when it is ours', async () => {
  await claimStateDirectory(directory);
  await writeFile(join(directory, 'old'), 'state');
  await releaseStateDirectory(directory);
  await claimStateDirectory(directory);
  expect(await readdir(directory)).toEqual(['.ringvault-local']);
});

it('is refused, and left alone, when it holds something else', async () => {
  await writeFile(join(directory, 'precious'), 'data');
  await expect(claimStateDirectory(directory)).rejects.toThrow(StateDirectoryInUse);
  expect(await readdir(directory)).toEqual(['precious']);
});

it('is refused while a local cloud uses it', async () => {
  await claimStateDirectory(directory);
  await expect(claimStateDirectory(directory)).rejects.toThrow(`used by process ${process.pid}`);
});

it('is kept as it is by who has more in it than a cloud, and refused to another meanwhile', async () => {
  await writeFile(join(directory, 'nodes'), 'of an installation');
  await claimDirectory(directory);
  expect(await readdir(directory)).toContain('nodes');
  await expect(claimDirectory(directory)).rejects.toThrow(`used by process ${process.pid}`);
  await releaseStateDirectory(directory);
  await claimDirectory(directory);
});

it('an installation in a directory that another uses is refused before it ends a node there', async () => {
  await claimDirectory(directory);
  const stop = join(directory, 'cassandra/demo/node-1/bin/cassandra-stop');
  await mkdir(dirname(stop), { recursive: true });
  await writeFile(stop, '');
  const second = startInstallation({ directory, configurationFile: 'ringvault.yaml' });
  await expect(second).rejects.toThrow(StateDirectoryInUse);
  expect(await readFile(stop, 'utf8')).toBe('');
});

it('ends the processes of hosts whose cloud was killed', async () => {
  await claimStateDirectory(directory);
  await releaseStateDirectory(directory);
  const root = join(directory, 'hosts', 'i-0123456789abcdef0');
  const left = spawn('sleep', ['300'], {
    env: { RINGVAULT_HOST_ROOT: root },
    detached: true,
    stdio: 'ignore',
  });
  const ended = once(left, 'exit');
  await claimStateDirectory(directory);
  expect(await ended).toEqual([null, 'SIGKILL']);
});

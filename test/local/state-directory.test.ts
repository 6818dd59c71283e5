// The local cloud empties its own directory and no other, and ends what a killed one has left running.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
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

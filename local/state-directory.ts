// The one directory in which an instance of the local cloud keeps its state. Each start begins with it empty.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RingvaultError } from '../contracts/errors.ts';
import { killProcessesBelow } from './hosts/processes.ts';

/** Says that a directory is ours to empty, and which process uses it. */
const MARK = '.ringvault-local';

export class StateDirectoryInUse extends RingvaultError {
  override readonly name = 'StateDirectoryInUse';
  constructor(message: string) {
    super(
      {
        meaning:
          'The directory for the local cloud’s state belongs to something else, or to a local cloud that runs.',
        hint: 'Give another directory, or end the local cloud that uses it.',
        exitCode: 3,
      },
      message,
    );
  }
}

/** Ends what an instance that was killed has left running, and empties the directory. @throws StateDirectoryInUse */
export async function claimStateDirectory(path: string): Promise<string> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true });
  const entries = await readdir(directory);
  if (entries.length > 0 && (await ownerOf(directory)) === undefined) {
    throw new StateDirectoryInUse(
      `${directory} holds ${entries[0]}, expected an empty directory or one of our own`,
    );
  }
  await claimDirectory(directory);
  await killProcessesBelow(join(directory, 'hosts'));
  for (const entry of entries.filter((each) => each !== MARK)) {
    await rm(join(directory, entry), { recursive: true, force: true });
  }
  return directory;
}

/** Leaves what is in it. @throws StateDirectoryInUse where a process that runs has it */
export async function claimDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const owner = await ownerOf(directory);
  if (owner !== undefined && (await isRunning(Number(owner)))) {
    throw new StateDirectoryInUse(`${directory} is used by process ${owner}`);
  }
  await writeFile(join(directory, MARK), String(process.pid));
}

function ownerOf(directory: string): Promise<string | undefined> {
  return readFile(join(directory, MARK), 'utf8').catch(() => undefined);
}

export async function releaseStateDirectory(directory: string): Promise<void> {
  await writeFile(join(directory, MARK), '');
}

async function isRunning(pid: number): Promise<boolean> {
  if (!pid) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes('node');
}

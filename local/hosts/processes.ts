// Every process of a host, detached or not: found by the host's root directory in its environment.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Marks a process as one of a host's; children inherit it. */
export const HOST_ROOT_VARIABLE = 'RINGVAULT_HOST_ROOT';

export function processesOf(hostRoot: string): Promise<number[]> {
  return findProcesses((root) => root === hostRoot);
}

/** SIGKILL, until none is left: a process may fork while its siblings are counted. */
export function killProcessesOf(hostRoot: string): Promise<void> {
  return killAll((root) => root === hostRoot);
}

/** The processes of all hosts whose roots lie in a directory: what a local cloud that was killed has left. */
export function killProcessesBelow(directory: string): Promise<void> {
  return killAll((root) => root.startsWith(`${directory}/`));
}

async function killAll(isWanted: (hostRoot: string) => boolean): Promise<void> {
  for (let left = await findProcesses(isWanted); left.length > 0; left = await findProcesses(isWanted)) {
    for (const pid of left) kill(pid);
    await sleep(10);
  }
}

async function findProcesses(isWanted: (hostRoot: string) => boolean): Promise<number[]> {
  const mark = `${HOST_ROOT_VARIABLE}=`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const owned = await Promise.all(
    pids.map(async (pid) => {
      // Another user's process, or one that has ended since, cannot be read.
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      const root = environment
        .split('\0')
        .find((entry) => entry.startsWith(mark))
        ?.slice(mark.length);
      return root !== undefined && isWanted(root) ? [pid] : [];
    }),
  );
  return owned.flat().filter((pid) => pid !== process.pid);
}

/** A process group, named by its leader. */
export function killGroup(leader: number): void {
  kill(-leader);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

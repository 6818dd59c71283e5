// Every process of a host, detached or not: found by the host's root directory in its environment.
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Marks a process as one of a host's; children inherit it. */
export const HOST_ROOT_VARIABLE = 'RINGVAULT_HOST_ROOT';

export async function processesOf(hostRoot: string): Promise<number[]> {
  const mark = `${HOST_ROOT_VARIABLE}=${hostRoot}`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const owned = await Promise.all(
    pids.map(async (pid) => {
      // Another user's process, or one that has ended since, cannot be read.
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(mark) ? [pid] : [];
    }),
  );
  return owned.flat().filter((pid) => pid !== process.pid);
}

/** SIGKILL, until none is left: a process may fork while its siblings are counted. */
export async function killProcessesOf(hostRoot: string): Promise<void> {
  for (let left = await processesOf(hostRoot); left.length > 0; left = await processesOf(hostRoot)) {
    for (const pid of left) kill(pid);
    await sleep(10);
  }
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

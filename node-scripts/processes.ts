// Processes of this host as /proc shows them. A pid is given again: with its start time and the boot it names one process.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { z } from 'zod';
import { isThere, readIfThere } from './durable-files.ts';

export const processIdentity = z.object({
  pid: z.int().positive(),
  startTicks: z.string(),
  bootId: z.string(),
});
export type ProcessIdentity = z.infer<typeof processIdentity>;

/** Fields of /proc/<pid>/stat after the command's name: index 0 is the state, 19 the start time in ticks since boot. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const line = await readIfThere(`/proc/${pid}/stat`).catch(() => undefined);
  return line?.slice(line.lastIndexOf(')') + 2).split(' ');
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const fields = await statOf(pid);
  return fields?.[19] ? { pid, startTicks: fields[19], bootId: await bootId() } : undefined;
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const fields = await statOf(process.pid);
  // A zombie does nothing any more.
  return fields?.[19] === process.startTicks && fields[0] !== 'Z' && process.bootId === (await bootId());
}

/** Kills a process, and the group that it leads. */
export async function killProcess(target: ProcessIdentity): Promise<void> {
  const fields = await statOf(target.pid);
  if (!(await isAlive(target)) || target.pid === process.pid) return;
  const leadsGroup = fields?.[2] === String(target.pid);
  try {
    process.kill(leadsGroup ? -target.pid : target.pid, 'SIGKILL');
  } catch (error) {
    if (await isAlive(target)) throw error;
  }
}

/** Pids, other than our own, that have a file below one of the directories open or mapped. */
export async function processesUsing(directories: string[]): Promise<number[]> {
  const prefixes = directories.map((directory) => `${directory.replace(/\/+$/, '')}/`);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const using: number[] = [];
  for (const pid of pids) {
    if (pid !== process.pid && ((await maps(pid, prefixes)) || (await opens(pid, prefixes)))) using.push(pid);
  }
  return using;
}

async function maps(pid: number, prefixes: string[]): Promise<boolean> {
  // A process that ended meanwhile, or a kernel thread, has none.
  const content = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
  return prefixes.some((prefix) => content.includes(` ${prefix}`));
}

async function opens(pid: number, prefixes: string[]): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
    if (prefixes.some((prefix) => target.startsWith(prefix))) return true;
  }
  return false;
}

/** Without the program itself; none of one that ended meanwhile. */
export async function argumentsOf(pid: number): Promise<string[]> {
  const content = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return content.split('\0').slice(1);
}

export async function commandName(pid: number): Promise<string> {
  return (await isThere(`/proc/${pid}`)) ? ((await readIfThere(`/proc/${pid}/comm`)) ?? '').trim() : '';
}

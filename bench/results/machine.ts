// What the machine is, for the results.
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { execa } from 'execa';

export interface Machine {
  processor: string;
  cores: number;
  memoryGiB: number;
  system: string;
  java: string;
  /** Of the last minute, when the run began: what else the cores were doing. */
  load: number;
}

export async function thisMachine(): Promise<Machine> {
  const lines = (await readFile('/etc/os-release', 'utf8')).split('\n');
  const name = lines.find((line) => line.startsWith('PRETTY_NAME='))?.slice('PRETTY_NAME='.length);
  const java = await execa('java', ['-version'], { all: true, reject: false });
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${name?.replaceAll('"', '') ?? 'Linux'}, kernel ${release().split('-')[0]}`,
    java: java.all?.split('\n').find((line) => line.includes('version')) ?? 'unknown',
    load: loadavg()[0] ?? 0,
  };
}

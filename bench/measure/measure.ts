// Runs a command and says what its process and their children took.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { source } from '../paths.ts';

export interface Command {
  file: string;
  args: string[];
  env?: Record<string, string>;
  cwd?: string;
}

const usage = z.strictObject({
  wallSeconds: z.number(),
  userSeconds: z.number(),
  systemSeconds: z.number(),
  /** Of the largest process. */
  peakRssMiB: z.number(),
  exitCode: z.int(),
});
export type Usage = z.infer<typeof usage>;

/** @throws with the end of its output where it fails */
export async function measure(command: Command): Promise<Usage> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const result = join(directory, 'usage.json');
    const ran = await execa(
      'python3',
      ['-S', '-E', source('measure/wait4.py'), result, command.file, ...command.args],
      {
        ...(command.cwd && { cwd: command.cwd }),
        // Nothing of who runs the benchmark: no proxy, no certificates, no settings in a home directory.
        env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...command.env },
        extendEnv: false,
        all: true,
        reject: false,
        stdin: 'ignore',
        maxBuffer: 16 * 1024 ** 2,
      },
    );
    const used = ran.failed ? undefined : usage.parse(JSON.parse(await readFile(result, 'utf8')));
    if (used?.exitCode !== 0) {
      const what = [command.file, ...command.args].join(' ');
      throw new Error(`${what}: exit code ${used?.exitCode ?? ran.exitCode}\n${ran.all?.slice(-2_000)}`);
    }
    return used;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

// aws:runShellScript as the agent runs it: the lines in a file, run by `sh -c` (so that a first line `#!/bin/bash` counts), in
// a process group of its own, output to files (so that a detached child that keeps them open holds nothing up).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { killGroup } from './processes.ts';

/** Allowed timeouts; anything else silently becomes the default. */
const TIMEOUT_SECONDS = { least: 5, most: 172_800, default: 3600 };

export interface ScriptRun {
  script: string;
  /** Holds the script and its output. */
  directory: string;
  workingDirectory: string;
  environment: Record<string, string>;
  timeoutSeconds: number;
  cancelled: AbortSignal;
}
export interface ScriptEnd {
  outcome: 'exited' | 'timed-out' | 'cancelled';
  exitCode: number;
  stdout: string;
  stderr: string;
}

export async function runScript(run: ScriptRun): Promise<ScriptEnd> {
  await mkdir(run.directory, { recursive: true });
  const path = join(run.directory, '_script.sh');
  await writeFile(path, run.script, { mode: 0o700 });
  const stdout = await open(join(run.directory, 'stdout'), 'w');
  const stderr = await open(join(run.directory, 'stderr'), 'w');
  const child = spawn('sh', ['-c', quoted(path)], {
    cwd: run.workingDirectory,
    env: run.environment,
    detached: true,
    stdio: ['ignore', stdout.fd, stderr.fd],
  });
  const ended = once(child, 'exit');
  await Promise.all([stdout.close(), stderr.close()]);
  let outcome: ScriptEnd['outcome'] = 'exited';
  const endEarly = (how: 'timed-out' | 'cancelled') => {
    outcome = how;
    if (child.pid !== undefined) killGroup(child.pid);
  };
  const timer = setTimeout(() => endEarly('timed-out'), effectiveTimeout(run.timeoutSeconds) * 1000);
  const onCancel = () => endEarly('cancelled');
  if (run.cancelled.aborted) onCancel();
  run.cancelled.addEventListener('abort', onCancel);
  try {
    const [code] = await ended;
    return {
      outcome,
      exitCode: typeof code === 'number' ? code : 137,
      stdout: await readFile(join(run.directory, 'stdout'), 'utf8'),
      stderr: await readFile(join(run.directory, 'stderr'), 'utf8'),
    };
  } finally {
    clearTimeout(timer);
    run.cancelled.removeEventListener('abort', onCancel);
  }
}

function effectiveTimeout(seconds: number): number {
  const { least, most } = TIMEOUT_SECONDS;
  return seconds >= least && seconds <= most ? seconds : TIMEOUT_SECONDS.default;
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

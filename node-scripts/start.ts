// Start or attach: returns as soon as a process works on the action, so that Run Command's limits do not matter.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../adapters/ports.ts';
import { ActionLost } from '../contracts/errors.ts';
import { isThere, makeDirectory, writeDurably } from './durable-files.ts';
import { type HostPaths, SYSTEMD } from './host-paths.ts';
import { lockHolder } from './process-lock.ts';

const LAUNCH_LIMIT_MS = 30_000;
const POLL_MS = 50;

/**
 * Node's, of the program: what comes from files and connections is garbage soon; collected often, it never grows to much. Nor does the
 * heap, which by itself would double before it is collected. What the program itself takes to come up is not collected again and again.
 */
export const NODE_FLAGS = ['--max-semi-space-size=1', '--initial-heap-size=32', '--heap-growing-percent=25'];
export const NODE_ENVIRONMENT = {
  /** Threads that wait for the disk: with Node's own four, uploads wait for each other's reads. */
  UV_THREADPOOL_SIZE: '16',
  /** glibc keeps what each of them has freed for that one alone, up to many MiB. */
  MALLOC_ARENA_MAX: '1',
};

export interface StartOptions {
  paths: HostPaths;
  clock: Clock;
  actionId: string;
  /** Of this program: node, its flags, host.mjs. */
  program: string[];
  /** What `run` is given. */
  arguments: string[];
  environment: NodeJS.ProcessEnv;
}

/** @throws ActionLost where the program did not come up */
export async function startOrAttach(options: StartOptions): Promise<{ outcome: 'started' | 'attached' }> {
  const { paths, actionId } = options;
  const directory = paths.action(actionId);
  if (await lockHolder(directory)) return { outcome: 'attached' };
  await makeDirectory(directory);
  await makeDirectory(dirname(paths.log(actionId)));
  const launch = randomUUID();
  const command = [...options.program, 'run', ...options.arguments, '--launch', launch];
  const launched = (await isThere(paths.fixed(SYSTEMD)))
    ? launchUnit(options, command)
    : launchSession(options, command);
  await untilLocked(options, toldIn(directory, launch), launched);
  return { outcome: 'started' };
}

/** Of each launch its own: of several at a time each is told, whoever comes last. */
const toldIn = (actionDirectory: string, launch: string) => join(actionDirectory, `launched.${launch}`);

/** Told by the program that was launched. */
export async function confirmLaunch(actionDirectory: string, launch: string): Promise<void> {
  await writeDurably(toldIn(actionDirectory, launch), '');
}

interface Launched {
  /** Why it cannot come up any more. */
  failure(): string | undefined;
}

/** In a session of its own, so that it outlives the agent's command. */
function launchSession(options: StartOptions, [file, ...args]: string[]): Launched {
  const log = openSync(options.paths.log(options.actionId), 'a', 0o600);
  return observe(
    spawn(file ?? '', args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...options.environment, ...NODE_ENVIRONMENT },
    }),
    'always',
  );
}

/** In a unit of its own: where systemd runs, the end of the agent's unit would end what it had forked. */
function launchUnit(options: StartOptions, command: string[]): Launched {
  const log = openSync(options.paths.log(options.actionId), 'a', 0o600);
  const passed = Object.entries(options.environment)
    // Values show in the process list: nothing secret. A host's credentials come from its instance role.
    .filter(([name]) => /^(PATH|HOME|LANG|NODE_|AWS_|RINGVAULT_|https?_proxy$|no_proxy$)/i.test(name))
    .filter(([name]) => !/SECRET|TOKEN|PASSWORD|ACCESS_KEY/i.test(name));
  const settings = [...passed, ...Object.entries(NODE_ENVIRONMENT)].map(
    ([name, value]) => `--setenv=${name}=${value}`,
  );
  const unit = [
    `--unit=ringvault-${options.actionId}`,
    '--collect',
    '--quiet',
    ...settings,
    '--',
    ...command,
  ];
  return observe(
    spawn('systemd-run', unit, { stdio: ['ignore', log, log], env: options.environment }),
    'failure',
  );
}

/** @param endMeans whether any end, or only a failure, of the process says that the program is not coming */
function observe(child: ReturnType<typeof spawn>, endMeans: 'always' | 'failure'): Launched {
  let failure: string | undefined;
  child.once('error', (error) => {
    failure = error.message;
  });
  child.once('exit', (code, signal) => {
    if (endMeans === 'always' || code !== 0) failure = `${child.spawnfile} ended with ${signal ?? code}`;
  });
  child.unref();
  return { failure: () => failure };
}

async function untilLocked(
  { clock, actionId, paths }: StartOptions,
  path: string,
  launched: Launched,
): Promise<void> {
  const deadline = clock.now().getTime() + LAUNCH_LIMIT_MS;
  for (;;) {
    const failure = launched.failure();
    if (await isThere(path)) return rm(path, { force: true });
    // A unit of that name is there already where two commands meet: the other one's program holds the lock.
    if (await lockHolder(paths.action(actionId))) return;
    if (failure || clock.now().getTime() > deadline) {
      const why = failure ?? `it did not take its lock within ${LAUNCH_LIMIT_MS / 1_000} s`;
      throw new ActionLost(
        `the host program of ${actionId} did not start: ${why}; see ${paths.log(actionId)}`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}

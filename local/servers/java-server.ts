// A Java server as a child process: started on a free loopback port, waited for, ended with its parent or by stop().
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findJava } from '../cassandra/java.ts';
import { LocalServerFailed } from './errors.ts';

const LAUNCHER = fileURLToPath(new URL('Launcher.java', import.meta.url));
/** Up soon, and small: for a few clients. */
const QUICK_START = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 5_000;
const ATTEMPTS = 3;

export interface JavaServer {
  port: number;
  url: string;
  /** The process's ID, for measuring. */
  pid: number;
  stop(): Promise<void>;
}

export interface JavaServerOptions {
  name: string;
  classPath: string;
  mainClass: string;
  /** Asked anew for each attempt, because a free port may be taken by another before the server binds it. */
  arguments(port: number): Promise<string[]> | string[];
  workingDirectory: string;
  logFile: string;
  /** Instead of those for a quick start. */
  jvmFlags?: string[];
}

/** @throws LocalServerFailed with the end of the server's log */
export async function startJavaServer(options: JavaServerOptions): Promise<JavaServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = await launch(options, port);
    const url = `http://127.0.0.1:${port}`;
    if (await isReady(child, url)) {
      return { port, url, pid: child.pid ?? 0, stop: () => stop(child) };
    }
    await stop(child);
    const log = await readFile(options.logFile, 'utf8');
    if (attempt === ATTEMPTS || !/BindException|already in use/.test(log)) {
      throw new LocalServerFailed(
        `${options.name} did not answer on ${url} (log ${options.logFile}):\n${log.slice(-2_000)}`,
      );
    }
  }
}

async function launch(options: JavaServerOptions, port: number): Promise<ChildProcess> {
  const java = await findJava();
  const args = await options.arguments(port);
  const log = openSync(options.logFile, 'a');
  try {
    const child = spawn(
      java,
      [...(options.jvmFlags ?? QUICK_START), '-cp', options.classPath, LAUNCHER, options.mainClass, ...args],
      {
        cwd: options.workingDirectory,
        // The pipe to its standard input ends the server when this process ends.
        stdio: ['pipe', log, log],
        // Ctrl-C in a terminal reaches this process alone, which then stops its servers in order.
        detached: true,
        env: { ...process.env, MALLOC_ARENA_MAX: '2' },
      },
    );
    await once(child, 'spawn');
    return child;
  } catch (error) {
    throw new LocalServerFailed(`${options.name}: java could not be started`, { cause: error });
  } finally {
    closeSync(log);
  }
}

async function isReady(child: ChildProcess, url: string): Promise<boolean> {
  const giveUpAt = Date.now() + READY_WITHIN_MS;
  while (Date.now() < giveUpAt && !hasEnded(child)) {
    // Any HTTP answer will do: both servers refuse an unsigned request.
    const answered = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      () => true,
      () => false,
    );
    if (answered) return !hasEnded(child);
    await sleep(50);
  }
  return false;
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const stopped = await Promise.race([ended.then(() => true), sleep(STOP_WITHIN_MS, false, { ref: false })]);
  if (stopped) return;
  child.kill('SIGKILL');
  await ended;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string')
    throw new LocalServerFailed('no free port on 127.0.0.1');
  return address.port;
}

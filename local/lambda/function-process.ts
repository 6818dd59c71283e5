// One warm process of a function. It takes one invocation at a time; a timeout or its own death ends it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { COMPILE_CACHE } from '../servers/cache-directory.ts';
import type { FromRuntime, FunctionError, ToRuntime } from './runtime-messages.ts';

const RUNTIME = fileURLToPath(new URL('./runtime.ts', import.meta.url));

export type Outcome = { payload: string } | { error: FunctionError };

export interface ProcessOptions {
  directory: string;
  environment: Record<string, string>;
  memoryMegabytes: number;
  /** An open file that takes standard output and error. */
  logDescriptor: number;
}

/** On AWS loading a bundle does not count as the invocation's time either. Generous: many may start at once here. */
const LOAD_LIMIT_MS = 60_000;

export class FunctionProcess {
  readonly #child: ChildProcess;
  readonly #end: Promise<string>;
  readonly #loaded: Promise<unknown>;
  idleSince = Date.now();

  constructor(options: ProcessOptions) {
    this.#child = spawn(process.execPath, [`--max-old-space-size=${options.memoryMegabytes}`, RUNTIME], {
      cwd: options.directory,
      env: { ...COMPILE_CACHE, ...options.environment },
      stdio: ['ignore', options.logDescriptor, options.logDescriptor, 'ipc'],
    });
    this.#loaded = once(this.#child, 'message', { signal: AbortSignal.timeout(LOAD_LIMIT_MS) }).catch(
      () => undefined,
    );
    this.#end = once(this.#child, 'exit').then(
      ([code, signal]) => (signal ? `signal: ${signal}` : `exit status ${code}`),
      (error: Error) => error.message,
    );
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.connected;
  }

  /** Fulfilled when its bundle is loaded, or will not be. */
  async loaded(): Promise<void> {
    await Promise.race([this.#loaded, this.#end]);
  }

  /** Never rejects: whatever happens to the process is an outcome of the invocation. */
  async invoke(message: ToRuntime, timeoutSeconds: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const timer = setTimeout(
      () => resolve({ error: timedOut(message.requestId, timeoutSeconds) }),
      timeoutSeconds * 1000,
    );
    const onMessage = (reply: FromRuntime) => {
      if (reply === 'loaded' || reply.requestId !== message.requestId) return;
      resolve(reply.error ? { error: reply.error } : { payload: reply.payload });
    };
    this.#child.on('message', onMessage);
    void this.#end.then((how) => resolve({ error: exited(message.requestId, how) }));
    this.#child.send(message, (error) => {
      if (error) resolve({ error: exited(message.requestId, error.message) });
    });
    const outcome = await promise;
    clearTimeout(timer);
    this.#child.off('message', onMessage);
    if ('error' in outcome && outcome.error.errorType === 'Sandbox.Timedout') await this.end();
    this.idleSince = Date.now();
    return outcome;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#end;
  }
}

function timedOut(requestId: string, seconds: number): FunctionError {
  return {
    errorType: 'Sandbox.Timedout',
    errorMessage: `RequestId: ${requestId} Error: Task timed out after ${seconds.toFixed(2)} seconds`,
  };
}

function exited(requestId: string, how: string): FunctionError {
  return {
    errorType: 'Runtime.ExitError',
    errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: ${how}`,
  };
}

// One function: its declared settings, its environment on "Lambda", and the pool of its warm processes.
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { IssuedCredentials } from '../endpoint/service.ts';
import { ServiceError } from '../endpoint/service.ts';
import { FunctionProcess, type Outcome } from './function-process.ts';

/** Of a synchronous invocation, request and response alike (Lambda quotas). */
const PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024;
const IDLE_MS = 90_000;

export interface FunctionSettings {
  name: string;
  arn: string;
  roleArn: string;
  runtime: string;
  handler: string;
  /** The bundle's directory. */
  directory: string;
  timeoutSeconds: number;
  memoryMegabytes: number;
  environment: Record<string, string>;
  logGroup: string;
  /** Recorded; not enforced. */
  reservedConcurrency?: number;
}

export interface FunctionHost {
  endpointUrl: string;
  region: string;
  logDirectory: string;
  /** Of the function's role. */
  credentials(settings: FunctionSettings): IssuedCredentials;
}

export class LambdaFunction {
  readonly settings: FunctionSettings;
  readonly #host: FunctionHost;
  readonly #credentials: IssuedCredentials;
  #log: Promise<FileHandle> | undefined;
  #idle: FunctionProcess[] = [];
  readonly #all = new Set<FunctionProcess>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(settings: FunctionSettings, host: FunctionHost) {
    this.settings = settings;
    this.#host = host;
    this.#credentials = host.credentials(settings);
  }

  /**
   * @param payload JSON
   * @throws ServiceError RequestTooLargeException
   */
  async invoke(payload: string, requestId: string = randomUUID()): Promise<Outcome> {
    if (Buffer.byteLength(payload) > PAYLOAD_LIMIT_BYTES) {
      throw new ServiceError(
        'RequestTooLargeException',
        `${Buffer.byteLength(payload)} byte payload is too large for the RequestResponse invocation type (limit ${PAYLOAD_LIMIT_BYTES} bytes)`,
        413,
      );
    }
    const worker = await this.#take();
    await worker.loaded();
    const { timeoutSeconds, arn } = this.settings;
    const deadlineMs = Date.now() + timeoutSeconds * 1000;
    const outcome = await worker.invoke({ requestId, payload, deadlineMs, functionArn: arn }, timeoutSeconds);
    this.#giveBack(worker);
    if ('error' in outcome) await this.#write(`${requestId} ${JSON.stringify(outcome.error)}\n`);
    return withinLimit(outcome);
  }

  /** Ends all its processes; what runs fails with Runtime.ExitError. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#all].map((each) => each.end()));
    this.#all.clear();
    this.#idle = [];
    await (await this.#log)?.close();
    this.#log = undefined;
  }

  async #take(): Promise<FunctionProcess> {
    for (let warm = this.#idle.pop(); warm; warm = this.#idle.pop()) {
      if (warm.alive) return warm;
      this.#all.delete(warm);
    }
    const log = await this.#openLog();
    const started = new FunctionProcess({
      directory: this.settings.directory,
      environment: this.#environment(),
      memoryMegabytes: this.settings.memoryMegabytes,
      logDescriptor: log.fd,
    });
    this.#all.add(started);
    this.#sweep ??= setInterval(() => void this.#endIdle(), IDLE_MS / 3).unref();
    return started;
  }

  #giveBack(worker: FunctionProcess): void {
    if (worker.alive) this.#idle.push(worker);
    else this.#all.delete(worker);
  }

  async #endIdle(): Promise<void> {
    const before = Date.now() - IDLE_MS;
    const tooOld = this.#idle.filter((each) => each.idleSince < before);
    this.#idle = this.#idle.filter((each) => each.idleSince >= before);
    for (const each of tooOld) {
      this.#all.delete(each);
      await each.end();
    }
  }

  async #openLog(): Promise<FileHandle> {
    this.#log ??= mkdir(this.#host.logDirectory, { recursive: true }).then(() =>
      open(join(this.#host.logDirectory, `${this.settings.name}.log`), 'a'),
    );
    return this.#log;
  }

  async #write(line: string): Promise<void> {
    await (await this.#openLog()).write(line);
  }

  /** What the template declares and what Lambda itself sets, nothing of this process's own. */
  #environment(): Record<string, string> {
    const { settings } = this;
    return {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      ...settings.environment,
      _HANDLER: settings.handler,
      LAMBDA_TASK_ROOT: settings.directory,
      AWS_EXECUTION_ENV: `AWS_Lambda_${settings.runtime}`,
      AWS_LAMBDA_FUNCTION_NAME: settings.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMegabytes),
      AWS_LAMBDA_LOG_GROUP_NAME: settings.logGroup,
      AWS_LAMBDA_LOG_STREAM_NAME: 'local/[$LATEST]',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_REGION: this.#host.region,
      AWS_DEFAULT_REGION: this.#host.region,
      AWS_ENDPOINT_URL: this.#host.endpointUrl,
      AWS_ACCESS_KEY_ID: this.#credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.#credentials.secretAccessKey,
      AWS_SESSION_TOKEN: this.#credentials.sessionToken,
    };
  }
}

function withinLimit(outcome: Outcome): Outcome {
  if ('error' in outcome || Buffer.byteLength(outcome.payload) <= PAYLOAD_LIMIT_BYTES) return outcome;
  return {
    error: {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: `Response payload size exceeded maximum allowed payload size (${PAYLOAD_LIMIT_BYTES} bytes).`,
    },
  };
}

// The SSM agent of one host, in this process: takes commands while it is online and runs their documents' steps.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { IssuedCredentials } from '../endpoint/service.ts';
import { downloadContent } from './download-content.ts';
import {
  capped,
  hasEnded,
  type Invocation,
  type StepResult,
  setStatus,
  statusOfSteps,
} from './invocation.ts';
import { runScript } from './shell-script.ts';
import {
  type DocumentStep,
  type DownloadContentStep,
  parameterEnvironment,
  type RunShellScriptStep,
  substitute,
} from './ssm-document.ts';

/** CommandWorkersLimit of the agent: a command that waits holds one. */
const WORKERS = 5;

export interface AgentHost {
  instanceId: string;
  /** The directory that stands in for the host's file system. */
  root: string;
  region: string;
  endpointUrl: string;
  credentials: IssuedCredentials;
  /** Of every script. */
  environment(): Record<string, string>;
}

type StepEnd = Pick<StepResult, 'status' | 'statusDetails' | 'responseCode' | 'stdout' | 'stderr'>;

export class Agent {
  readonly #host: AgentHost;
  #queue: Invocation[] = [];
  #working = 0;
  #online = true;
  /** Grows when the host is killed: what an earlier life was doing reports no more. */
  #life = 0;

  constructor(host: AgentHost) {
    this.#host = host;
  }

  get online(): boolean {
    return this.#online;
  }

  /** Offline, commands wait; what runs goes on. */
  set online(online: boolean) {
    this.#online = online;
    this.#work();
  }

  /** The host lost power: queue and running commands are forgotten. */
  die(): void {
    this.#online = false;
    this.#life += 1;
    this.#working = 0;
  }

  deliver(invocation: Invocation): void {
    this.#queue.push(invocation);
    const wait = invocation.deliverBy.getTime() - Date.now();
    // A timer holds no more than 2^31 ms, and so long no local cloud lives.
    if (wait < 2 ** 31) setTimeout(() => this.#giveUpUndelivered(), wait).unref();
    this.#work();
  }

  #giveUpUndelivered(): void {
    const now = new Date();
    for (const each of this.#queue.filter((one) => one.deliverBy <= now && !hasEnded(one))) {
      setStatus(each, 'TimedOut', 'DeliveryTimedOut');
    }
    this.#queue = this.#queue.filter((each) => !hasEnded(each));
  }

  #work(): void {
    this.#giveUpUndelivered();
    while (this.#online && this.#working < WORKERS) {
      const next = this.#queue.shift();
      if (!next) return;
      // Cancelled while it waited.
      if (hasEnded(next)) continue;
      const life = this.#life;
      this.#working += 1;
      void this.#run(next, () => life === this.#life).finally(() => {
        if (life !== this.#life) return;
        this.#working -= 1;
        this.#work();
      });
    }
  }

  async #run(invocation: Invocation, alive: () => boolean): Promise<void> {
    setStatus(invocation, 'InProgress');
    let exit: string | undefined;
    for (const [index, step] of invocation.content.mainSteps.entries()) {
      const result = invocation.steps[index];
      if (!result) continue;
      setStatus(result, 'InProgress');
      result.startedAt = new Date();
      const end = exit === undefined ? await this.#runStep(invocation, step) : skipped();
      if (!alive()) return;
      Object.assign(result, end, { endedAt: new Date() });
      if (end.status === 'Cancelled') exit = 'exit';
      if (end.status === 'Failed' || end.status === 'TimedOut') exit ??= step.inputs.onFailure;
      if (end.status === 'Failed' && exit === 'successAndExit') setStatus(result, 'Success');
    }
    setStatus(invocation, ...statusOfSteps(invocation.steps));
  }

  async #runStep(invocation: Invocation, step: DocumentStep): Promise<StepEnd> {
    const needed = step.precondition?.StringEquals[1];
    if (needed && needed !== 'Linux') return skipped();
    if (invocation.cancellation.signal.aborted) return ended('Cancelled', 'Cancelled', -1);
    try {
      return step.action === 'aws:runShellScript'
        ? await this.#runShellScript(invocation, step)
        : await this.#downloadContent(invocation, step);
    } catch (error) {
      return { ...ended('Failed', 'Failed', 1), stderr: String(error) };
    }
  }

  async #runShellScript(invocation: Invocation, step: RunShellScriptStep): Promise<StepEnd> {
    const { content, parameters } = invocation;
    const filled = (text: string) => substitute(content, parameters, text);
    const downloads = await this.#downloads(invocation);
    const end = await runScript({
      script: filled(step.inputs.runCommand.join('\n')),
      directory: join(this.#orchestration(invocation), step.name),
      workingDirectory: filled(step.inputs.workingDirectory) || downloads,
      environment: { ...this.#host.environment(), ...parameterEnvironment(content, parameters) },
      timeoutSeconds: Number(filled(String(step.inputs.timeoutSeconds))),
      cancelled: invocation.cancellation.signal,
    });
    const output = capped(end);
    if (end.outcome === 'timed-out')
      return { ...ended('TimedOut', 'ExecutionTimedOut', end.exitCode), ...output };
    if (end.outcome === 'cancelled') return { ...ended('Cancelled', 'Cancelled', end.exitCode), ...output };
    const status = end.exitCode === 0 ? 'Success' : 'Failed';
    const exitNote = end.exitCode === 0 ? '' : `failed to run commands: exit status ${end.exitCode}`;
    return { ...ended(status, status, end.exitCode), ...capped({ ...end, stderr: end.stderr + exitNote }) };
  }

  async #downloadContent(invocation: Invocation, step: DownloadContentStep): Promise<StepEnd> {
    const filled = (text: string) => substitute(invocation.content, invocation.parameters, text);
    const path = await downloadContent({
      url: filled(step.inputs.sourceInfo.path),
      destinationPath: filled(step.inputs.destinationPath),
      downloads: await this.#downloads(invocation),
      hostRoot: this.#host.root,
      endpointUrl: this.#host.endpointUrl,
      region: this.#host.region,
      credentials: this.#host.credentials,
    });
    return { ...ended('Success', 'Success', 0), stdout: `Content downloaded to ${path}` };
  }

  /** Where the agent keeps a command's files; scripts start in its `downloads`. */
  #orchestration({ commandId }: Invocation): string {
    const { root, instanceId } = this.#host;
    return join(root, 'var/lib/amazon/ssm', instanceId, 'document/orchestration', commandId);
  }

  async #downloads(invocation: Invocation): Promise<string> {
    const path = join(this.#orchestration(invocation), 'downloads');
    await mkdir(path, { recursive: true });
    return path;
  }
}

function ended(status: StepEnd['status'], statusDetails: string, responseCode: number): StepEnd {
  return { status, statusDetails, responseCode, stdout: '', stderr: '' };
}

function skipped(): StepEnd {
  return { ...ended('Success', 'Success', 0), stdout: 'Step execution skipped' };
}

// Run Command without its API: documents, hosts, the commands sent to them, and the levers that tests have on them.
import { randomUUID } from 'node:crypto';
import type { LocalHost } from '../hosts/host.ts';
import { hasEnded, type Invocation, pendingSteps, setStatus } from '../hosts/invocation.ts';
import { type DocumentContent, parameterValues } from '../hosts/ssm-document.ts';

export interface CommandDocument {
  name: string;
  arn: string;
  content: DocumentContent;
  /** As it was given: what GetDocument answers. */
  contentJson: string;
  createdAt: Date;
}

export interface Command {
  commandId: string;
  document: CommandDocument;
  instanceIds: string[];
  parameters: Record<string, string[]>;
  comment: string;
  requestedAt: Date;
  deliverBy: Date;
  invocations: Invocation[];
}

export interface CommandRequest {
  document: CommandDocument;
  hosts: LocalHost[];
  parameters: Record<string, string[]>;
  comment: string;
  timeoutSeconds: number;
}

/** How long SSM does not know a command that it has just taken: callers must ask again. */
const UNKNOWN_FOR_MS = 300;

export class RunCommand {
  readonly documents = new Map<string, CommandDocument>();
  readonly hosts = new Map<string, LocalHost>();
  readonly #commands: Command[] = [];

  send(request: CommandRequest): Command {
    const requestedAt = new Date();
    const deliverBy = new Date(requestedAt.getTime() + request.timeoutSeconds * 1000);
    const { document, parameters, comment } = request;
    const command: Command = {
      commandId: randomUUID(),
      document,
      instanceIds: request.hosts.map((host) => host.instanceId),
      parameters,
      comment,
      requestedAt,
      deliverBy,
      invocations: [],
    };
    this.#commands.push(command);
    for (const host of request.hosts) {
      const invocation = newInvocation(command, host.instanceId);
      command.invocations.push(invocation);
      host.agent.deliver(invocation);
    }
    return command;
  }

  find(commandId: string): Command | undefined {
    return this.#commands.find((each) => each.commandId === commandId);
  }

  /** Newest first. */
  list(): Command[] {
    return this.#commands.toReversed();
  }

  /** Undefined while SSM does not know it yet, too. */
  invocation(commandId: string, instanceId: string): Invocation | undefined {
    const found = this.find(commandId)?.invocations.find((each) => each.instanceId === instanceId);
    return found && Date.now() - found.requestedAt.getTime() >= UNKNOWN_FOR_MS ? found : undefined;
  }

  /** What runs is killed, what waits is never started. */
  cancel(command: Command, instanceIds: readonly string[]): void {
    const chosen = command.invocations.filter(
      (each) => instanceIds.length === 0 || instanceIds.includes(each.instanceId),
    );
    for (const each of chosen.filter((one) => !hasEnded(one))) {
      const waits = each.status === 'Pending';
      setStatus(each, waits ? 'Cancelled' : 'Cancelling');
      each.cancellation.abort();
    }
  }

  /**
   * Test lever: delivers a command to a host again, as the network may where the agent has forgotten its ID. Answers the
   * second run, which nobody can ask SSM for.
   */
  redeliver(commandId: string, instanceId: string): Invocation {
    const command = this.find(commandId);
    const host = this.hosts.get(instanceId);
    if (!command || !host)
      throw new Error(`there is no command ${commandId} on ${instanceId} to deliver again`);
    const again = newInvocation(command, instanceId);
    host.agent.deliver(again);
    return again;
  }
}

function newInvocation(command: Command, instanceId: string): Invocation {
  const { commandId, document, parameters, comment, requestedAt, deliverBy } = command;
  return {
    commandId,
    instanceId,
    documentName: document.name,
    content: document.content,
    parameters: parameterValues(document.content, parameters),
    comment,
    requestedAt,
    deliverBy,
    cancellation: new AbortController(),
    status: 'Pending',
    statusDetails: 'Pending',
    steps: pendingSteps(document.content),
  };
}

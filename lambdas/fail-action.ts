// FailAction: why an action failed on a host. Where the host did not say, SSM is asked what became of the command.
import { NOT_DELIVERED, type NodeItem } from '../adapters/ports.ts';
import {
  ActionLost,
  errorClasses,
  errorFrom,
  HostUnreachable,
  LockLost,
  type RingvaultError,
  type ToldError,
  tellError,
  UnsupportedHost,
} from '../contracts/errors.ts';
import type { StepInput, StepOutput } from '../contracts/steps.ts';
import { inOneLine, tellCaught } from './reporting/caught.ts';
import { readConfiguration } from './vault/documents.ts';
import { defineStep } from './wrapper/define-step.ts';
import type { StepPorts } from './wrapper/step-ports.ts';

/** What cleans up or comes after a run's own end: its failure is a warning of the run, and not its nodes' outcome. */
const AFTERWARDS: readonly string[] = ['clear-snapshot', 'release-increments', 'end-run', 'repair'];

export async function failAction(
  input: StepInput<'FailAction'>,
  ports: StepPorts,
): Promise<StepOutput<'FailAction'>> {
  const { run, host, action, phase, error } = input;
  const silent = error.Error === 'States.HeartbeatTimeout' || error.Error === 'States.Timeout';
  const told = silent ? tellError(await whyNotHeardOf(input, ports)) : tellCaught(error);
  if (AFTERWARDS.includes(action)) {
    const warning = `${phase} on ${host.instanceId}: ${inOneLine(told)}`;
    await ports.catalog.amendRun(run.clusterId, run.runId, { warnings: [warning] });
    return told;
  }
  const { instanceId, hostId } = host;
  try {
    await ports.catalog.putNode(run, {
      ...{ instanceId, ...(hostId && { hostId }), status: 'FAILED', phase, error: told },
      endedAt: ports.clock.now().toISOString(),
    });
  } catch (lost) {
    // Recover has taken the run over and asks the hosts itself; the cause still goes up with the child.
    if (!(lost instanceof LockLost)) throw lost;
  }
  return told;
}

async function whyNotHeardOf(
  { run, host, phase, error }: StepInput<'FailAction'>,
  ports: StepPorts,
): Promise<RingvaultError> {
  const { heartbeatSeconds, actionTimeoutSeconds } = (await readConfiguration(ports, run)).policy;
  const silence =
    error.Error === 'States.HeartbeatTimeout'
      ? `was not heard of for ${heartbeatSeconds} s`
      : `was not done within ${actionTimeoutSeconds} s`;
  const node = await ports.catalog.readNode(run.runId, host.instanceId);
  const commandId = commandOf(node, phase);
  const command = commandId ? await ports.hosts.outcome(commandId, host.instanceId) : undefined;
  const what = `${phase} on ${host.instanceId} ${silence}`;
  if (!command) return new ActionLost(`${what}; SSM knows of no command for it`);
  const detail = command.detail || command.status;
  if (NOT_DELIVERED.includes(detail)) {
    return new HostUnreachable(`${what}: command ${commandId} was ${detail}`);
  }
  if (detail === 'InvalidPlatform') return new UnsupportedHost(`${what}: command ${commandId}: ${detail}`);
  const stderr = command.stderr.trim();
  const named = namedIn(stderr);
  if (named) return errorFrom({ ...named, message: `${what}: ${named.message}` });
  return new ActionLost(
    `${what}: command ${commandId} was ${detail}${stderr ? `: ${stderr.slice(-2_000)}` : ''}`,
  );
}

/** A final node keeps its phase while it is cleaned: its command is then the newest. */
function commandOf(node: NodeItem | undefined, phase: string): string | undefined {
  return node?.phase === phase || node?.status === 'COMPLETED' ? node.commandId : undefined;
}

/** A document's script says `<Name>: <message>` on its last line where it refuses. */
function namedIn(stderr: string): Pick<ToldError, 'errorName' | 'message'> | undefined {
  const [, errorName, message] = /^(\w+): (.+)$/.exec(stderr.split('\n').at(-1) ?? '') ?? [];
  return errorName && message && errorClasses.has(errorName) ? { errorName, message } : undefined;
}

export const handler = defineStep('FailAction', failAction);

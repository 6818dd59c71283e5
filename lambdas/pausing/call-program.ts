// Pauses, resumes and asks applications by the program on their hosts, through Run Command.
import pMap from 'p-map';
import { type Clock, type CommandOutcome, type HostCommands, NOT_DELIVERED } from '../../adapters/ports.ts';
import { ApplicationsUnknown, HostUnreachable } from '../../contracts/errors.ts';
import type {
  Application,
  ApplicationAnswer,
  ApplicationsRequest,
  CommandHook,
} from '../../contracts/pause.ts';
import type { StepOutput } from '../../contracts/steps.ts';

interface Ports {
  hosts: HostCommands;
  clock: Clock;
}
type Call = Exclude<ApplicationsRequest['call'], 'discover'>;
type Said = Pick<ApplicationAnswer, 'answer' | 'message'>;

/** SSM's least: a command that waits longer for its host is never run, so that no pause comes about after its end. */
const DELIVER_WITHIN_SECONDS = 30;
const LOOK_EVERY_MS = 1_000;
const HOSTS_AT_ONCE = 50;

/** What the program says by its exit code, besides 0 and failures. */
const RUNNING = 3;
const CANNOT_SAY = 64;
const UNDER_WAY = ['', 'Pending', 'InProgress', 'Delayed', 'Cancelling'];

/** All at once. @throws ApplicationsUnknown where no host has the tag */
export async function callProgram(
  request: ApplicationsRequest,
  command: CommandHook,
  ports: Ports,
): Promise<StepOutput<'CallApplications'>> {
  if (request.call === 'discover') return { found: await findHosts(command, ports), answers: [] };
  const { call, hook, applications } = request;
  const limitMs = (hook.waitSeconds + 2 * DELIVER_WITHIN_SECONDS) * 1_000;
  const answers = await pMap(
    applications,
    async (application) => {
      const said = await say(call, application.address, limitMs, ports);
      return { application, ...said, answeredAt: ports.clock.now().toISOString() };
    },
    { concurrency: HOSTS_AT_ONCE },
  );
  return { found: [], answers };
}

/** Those that are not online, too: whether their applications run is not known. */
async function findHosts({ tag }: CommandHook, { hosts }: Ports): Promise<Application[]> {
  const found = await hosts.listHosts(tag);
  if (found.length === 0) {
    throw new ApplicationsUnknown(`got no host that SSM manages with the tag ${tag.key}=${tag.value}`);
  }
  return found
    .map(({ instanceId, computerName }) => ({ name: computerName || instanceId, address: instanceId }))
    .sort((one, other) => (`${one.name} ${one.address}` < `${other.name} ${other.address}` ? -1 : 1));
}

/** What a host does not answer is an answer, too. */
async function say(call: Call, instanceId: string, limitMs: number, { hosts, clock }: Ports): Promise<Said> {
  const givesUpAt = clock.now().getTime() + limitMs;
  const sent = await hosts
    .send({
      instanceId,
      document: 'applications',
      parameters: { call },
      comment: `Ringvault: ${call}`,
      deliverWithinSeconds: DELIVER_WITHIN_SECONDS,
    })
    .catch((error: unknown) => {
      if (error instanceof HostUnreachable) return error;
      throw error;
    });
  if (sent instanceof HostUnreachable) return { answer: 'unreachable', message: shortened(sent.message) };
  for (;;) {
    const outcome = await hosts.outcome(sent.commandId, instanceId);
    if (outcome && !UNDER_WAY.includes(outcome.status)) return read(call, outcome);
    if (clock.now().getTime() >= givesUpAt) {
      await hosts.cancel(sent.commandId, instanceId);
      const message = `command ${sent.commandId} was ${outcome?.status || 'unknown'} after ${limitMs / 1_000} s`;
      return { answer: outcome?.status === 'InProgress' ? 'silent' : 'unreachable', message };
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
}

function read(call: Call, { status, detail, exitCode, stderr }: CommandOutcome): Said {
  if (status === 'Success') return { answer: call === 'check' ? 'paused' : 'done' };
  if (NOT_DELIVERED.includes(detail)) return { answer: 'unreachable', message: detail };
  if (status === 'TimedOut') return { answer: 'silent', message: detail };
  if (call === 'check' && exitCode === RUNNING) return { answer: 'running' };
  if (call === 'check' && exitCode === CANNOT_SAY) return { answer: 'unsupported' };
  const said = stderr.trim();
  return { answer: 'refused', message: shortened(`${detail}, exit code ${exitCode}${said && `: ${said}`}`) };
}

function shortened(message: string): string {
  return message.slice(-1_000);
}

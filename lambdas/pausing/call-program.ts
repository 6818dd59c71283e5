// Pauses, resumes and asks applications by the program on their hosts, through Run Command.
import pMap from 'p-map';
import { type Clock, type CommandOutcome, type HostCommands, NOT_DELIVERED } from '../../adapters/ports.ts';
import { COMMANDS_PER_SECOND, PAUSE_PROGRAM } from '../../contracts/limits.ts';
import {
  type Application,
  type ApplicationAnswer,
  type ApplicationsRequest,
  byName,
  type CommandHook,
} from '../../contracts/pause.ts';
import type { StepOutput } from '../../contracts/steps.ts';

interface Ports {
  hosts: HostCommands;
  clock: Clock;
}
type Call = Exclude<ApplicationsRequest['call'], 'discover'>;
type Said = Pick<ApplicationAnswer, 'answer' | 'message'>;
type Answer = StepOutput<'CallApplications'>;

const LOOK_EVERY_MS = 1_000;
const SENT_AT_ONCE = 10;

/** What the program says by its exit code, besides 0 and failures. */
const RUNNING = 3;
const CANNOT_SAY = 64;
const UNDER_WAY = ['', 'Pending', 'InProgress', 'Delayed', 'Cancelling'];

/** All at once. */
export async function callProgram(
  request: ApplicationsRequest,
  command: CommandHook,
  ports: Ports,
): Promise<Answer> {
  if (request.call === 'discover') return { ...(await findHosts(command, ports)), answers: [] };
  const { call, hook, applications } = request;
  const mayTake = call === 'pause' ? hook.waitSeconds : PAUSE_PROGRAM.answer;
  const sent = await pMap(applications, (each) => send(call, each, ports), {
    concurrency: SENT_AT_ONCE,
  });
  const wait = {
    givesUpAt:
      ports.clock.now().getTime() + (mayTake + PAUSE_PROGRAM.delivery + PAUSE_PROGRAM.status) * 1_000,
    // The account's other calls need SSM, too.
    lookEveryMs: Math.max(LOOK_EVERY_MS, (sent.length / COMMANDS_PER_SECOND) * 1_000),
  };
  const answers = await Promise.all(sent.map((each) => hear(call, each, wait, ports)));
  return { found: [], away: [], answers };
}

async function findHosts({ tag }: CommandHook, { hosts }: Ports): Promise<Pick<Answer, 'found' | 'away'>> {
  const tagged = (await hosts.listHosts(tag)).map(({ instanceId, computerName, online }) => ({
    online,
    application: { name: computerName || instanceId, address: instanceId },
  }));
  const sorted = tagged.sort((one, other) => byName(one.application, other.application));
  return {
    found: sorted.map(({ application }) => application),
    away: sorted.filter(({ online }) => !online).map(({ application }) => application),
  };
}

interface Wait {
  givesUpAt: number;
  lookEveryMs: number;
}
interface Sent {
  application: Application;
  commandId?: string;
  refused?: string;
}

/** Never rejects, as what follows: what one host's command meets must not keep another from being resumed. */
async function send(call: Call, application: Application, { hosts }: Ports): Promise<Sent> {
  try {
    const { commandId } = await hosts.send({
      instanceId: application.address,
      document: 'applications',
      parameters: { call },
      comment: `Ringvault: ${call}`,
      deliverWithinSeconds: PAUSE_PROGRAM.delivery,
    });
    return { application, commandId };
  } catch (error) {
    return { application, refused: messageOf(error) };
  }
}

async function hear(
  call: Call,
  { application, commandId, refused }: Sent,
  wait: Wait,
  ports: Ports,
): Promise<ApplicationAnswer> {
  const said: Said =
    commandId === undefined
      ? { answer: 'unreachable', message: shortened(refused ?? '') }
      : await outcomeOf(call, commandId, application.address, wait, ports);
  return { application, ...said, answeredAt: ports.clock.now().toISOString() };
}

async function outcomeOf(
  call: Call,
  commandId: string,
  instanceId: string,
  { givesUpAt, lookEveryMs }: Wait,
  { hosts, clock }: Ports,
): Promise<Said> {
  let last = 'unknown';
  for (;;) {
    try {
      const outcome = await hosts.outcome(commandId, instanceId);
      if (outcome && !UNDER_WAY.includes(outcome.status)) return read(call, outcome);
      last = outcome?.status || last;
    } catch (error) {
      last = messageOf(error);
    }
    if (clock.now().getTime() >= givesUpAt) break;
    await clock.sleep(Math.min(lookEveryMs, givesUpAt - clock.now().getTime()));
  }
  const cancelled = await hosts.cancel(commandId, instanceId).then(
    () => 'it was cancelled',
    (error: unknown) => `it could not be cancelled: ${messageOf(error)}`,
  );
  return {
    answer: last === 'Pending' ? 'unreachable' : 'silent',
    message: shortened(`command ${commandId} was still ${last}; ${cancelled}`),
  };
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function shortened(message: string): string {
  return message.slice(-1_000);
}

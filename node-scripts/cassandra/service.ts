// Stopping and starting Cassandra by the commands of the configuration, and knowing that it is gone, or serves.
import { connect } from 'node:net';
import { basename } from 'node:path';
import { CassandraUnavailable, CommandFailed } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { isThere } from '../durable-files.ts';
import { SYSTEMD } from '../host-paths.ts';
import { argumentsOf, commandName, processesUsing } from '../processes.ts';
import { type CommandResult, runCommand } from './command.ts';
import { readConfigurationFile } from './configuration-file.ts';
import { nodeDirectories } from './directories.ts';
import { operationMode, ownNode, ringStatus, schemaVersions, toldLater, tryNodetool } from './nodetool.ts';

const POLL_MS = 500;
const SETTLED_MS = 3_000;
const CONNECT_LIMIT_MS = 5_000;

/** Processes that have data of the node open: Cassandra itself, or whoever must not be there while data is changed. */
async function usersOfData(context: ActionContext): Promise<number[]> {
  const { data, commitLog } = await nodeDirectories(context);
  return processesUsing([...data, commitLog]);
}

export async function isRunning(context: ActionContext): Promise<boolean> {
  return (await usersOfData(context)).length > 0;
}

/** @throws CommandFailed where a process still uses the node's data */
export async function mustBeStopped(context: ActionContext): Promise<void> {
  const pids = await usersOfData(context);
  if (pids.length === 0) return;
  const named = await Promise.all(pids.map(async (pid) => `${pid} (${await commandName(pid)})`));
  throw new CommandFailed(`Cassandra must be stopped: processes still use its data: ${named.join(', ')}`);
}

/** Runs the stop command and waits until nobody uses the data. Nothing happens where Cassandra does not run. */
export async function stopCassandra(context: ActionContext): Promise<void> {
  if (!(await isRunning(context))) return;
  const { stop, stopTimeoutSeconds } = context.document.cassandra;
  const deadline = context.clock.now().getTime() + stopTimeoutSeconds * 1_000;
  const result = await runCommand(stop, { signal: context.signal, timeoutMs: stopTimeoutSeconds * 1_000 });
  if (result.failed) throw new CommandFailed(`${result.command}: ${result.lastWords}`);
  while (await isRunning(context)) {
    if (context.clock.now().getTime() > deadline) await mustBeStopped(context);
    await context.clock.sleep(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

/**
 * Of the JVM, for the first start of a node that takes the place of a dead one, and nothing to any later start. What it would stream
 * from the others it has already, and a repair brings the rest.
 */
export const optionsToReplace = (address: string) => [
  `-Dcassandra.replace_address_first_boot=${address}`,
  '-Dcassandra.allow_unsafe_replace=true',
  '-Dcassandra.auto_bootstrap=false',
];

/**
 * Starts Cassandra unless it serves; waits until it serves CQL and sees itself Up/Normal. Needs no CQL login, which may be impossible
 * until other nodes are up. @param options of the JVM, for this start alone @throws CommandFailed CassandraUnavailable
 */
export async function startCassandra(
  context: ActionContext,
  options: string[] = [],
): Promise<{ hostId: string }> {
  const { start, startTimeoutSeconds } = context.document.cassandra;
  const deadline = context.clock.now().getTime() + startTimeoutSeconds * 1_000;
  const look = options.length > 0 ? watchOptions(context, options) : async () => undefined;
  if (!(await servesCql(context))) {
    await stopIfDrained(context, deadline);
    if (!(await letClientsIn(context))) {
      const command = startCommand(start, await hasSystemd(context));
      const result = await runWith(context, options, {
        command,
        timeoutMs: startTimeoutSeconds * 1_000,
        look,
      });
      if (result.failed) throw new CommandFailed(`${result.command}: ${result.lastWords}`);
    }
  }
  for (;;) {
    const serving = await ownStateIfServing(context);
    if (serving.state === 'UN') {
      if (options.length > 0) await unsetOptions(start);
      return { hostId: serving.hostId };
    }
    // Whatever restarts it may do so without.
    await look();
    if (context.clock.now().getTime() > deadline) {
      throw new CassandraUnavailable(
        `Cassandra was started but after ${startTimeoutSeconds} s it is ${serving.state}, expected Up/Normal and serving CQL`,
      );
    }
    await context.clock.sleep(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

const EXTRA = 'JVM_EXTRA_OPTS';
const isSystemctl = ([program = '']: string[]) => basename(program) === 'systemctl';

/**
 * Cassandra's own cassandra-env.sh adds what is in JVM_EXTRA_OPTS; a unit has its environment from systemd itself, which keeps it until
 * the node serves: systemd may start it again.
 * @param look is asked while the command runs, which may wait until the node has joined
 */
async function runWith(
  { clock }: Pick<ActionContext, 'clock'>,
  options: string[],
  { command, timeoutMs, look }: { command: string[]; timeoutMs: number; look(): Promise<void> },
): Promise<CommandResult> {
  if (options.length === 0) return runCommand(command, { timeoutMs });
  const value = options.join(' ');
  const [program = ''] = command;
  if (isSystemctl(command)) {
    const set = await runCommand([program, 'set-environment', `${EXTRA}=${value}`]);
    if (set.failed) return set;
  }
  const ended = new AbortController();
  const environment = { [EXTRA]: value };
  const starting = runCommand(command, { timeoutMs, environment }).finally(() => ended.abort());
  try {
    // Twice at least, and once after its end.
    for (let looks = 0; looks < 2 || !ended.signal.aborted; looks += 1) {
      await look();
      await clock.sleep(POLL_MS);
    }
    await look();
  } finally {
    await starting;
  }
  return starting;
}

/** @throws CommandFailed */
async function unsetOptions(command: string[]): Promise<void> {
  if (!isSystemctl(command)) return;
  const result = await runCommand([command[0] ?? '', 'unset-environment', EXTRA]);
  if (result.failed) throw new CommandFailed(`${result.command}: ${result.lastWords}`);
}

/**
 * Without them it would join as one node more, and move the ring: which it begins no sooner than 30 s after its start, as long as it
 * is no seed of its own. A process may be looked at before it is Cassandra: the second look in a row tells.
 * @returns a look, which @throws CommandFailed where it runs without; it is stopped
 */
function watchOptions(context: ActionContext, options: string[]): () => Promise<void> {
  let looksWithout = 0;
  return async () => {
    const running = await Promise.all((await usersOfData(context)).map(argumentsOf));
    const isWithout = (all: string[]) => all.length > 0 && !options.every((each) => all.includes(each));
    looksWithout = running.some(isWithout) ? looksWithout + 1 : 0;
    if (looksWithout < 2) return;
    await stopCassandra(context);
    throw new CommandFailed(
      `Cassandra: got it running without ${options.join(' ')}, expected what is in ${EXTRA} to be handed on (cassandra-env.sh does); it was stopped: see on another node that it has not joined (nodetool status)`,
    );
  };
}

const hasSystemd = ({ paths }: ActionContext) => isThere(paths.fixed(SYSTEMD));

/** What a command forks would end with this program's own unit; in a scope of its own it outlives it. */
export function startCommand(start: string[], withSystemd: boolean): string[] {
  if (!withSystemd || isSystemctl(start)) return start;
  return ['systemd-run', '--scope', '--collect', '--quiet', '--', ...start];
}

/** A node whose clients were stopped needs no start. One that is coming up is in the same mode for a moment, and refuses. */
async function letClientsIn(context: ActionContext): Promise<boolean> {
  if (!(await isRunning(context)) || (await operationMode(context)) !== 'NORMAL') return false;
  return !(await tryNodetool(context, 'enablebinary')).failed;
}

/** A drained node never serves again, and to start what runs does nothing. A node in any other mode may be coming up. */
async function stopIfDrained(context: ActionContext, deadline: number): Promise<void> {
  while (await isRunning(context)) {
    const mode = await operationMode(context);
    if (mode === 'DRAINED') {
      await context.beforeDestroying('stop the drained Cassandra');
      return stopCassandra(context);
    }
    // Who asked for the drain may be gone; the node carries it to its end.
    if (mode !== 'DRAINING' || context.clock.now().getTime() > deadline) return;
    await context.clock.sleep(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

async function ownStateIfServing(context: ActionContext): Promise<{ state: string; hostId: string }> {
  const own = await servingNode(context);
  if (!own) return { state: 'not serving CQL', hostId: '' };
  const { hostId } = own;
  const status = await ringStatus(context).catch(toldLater);
  if ('untold' in status) return { state: `not telling its ring (${status.untold})`, hostId };
  return { state: status.find((node) => node.hostId === hostId)?.state ?? 'not in its own ring', hostId };
}

/**
 * Until all members are seen with one schema, and again a while later: a new node makes tables of Cassandra's own, of which the others
 * hear by and by. As long as a start may take. @throws CassandraUnavailable
 */
export async function untilOneSchema(context: ActionContext): Promise<void> {
  const { startTimeoutSeconds } = context.document.cassandra;
  const deadline = context.clock.now().getTime() + startTimeoutSeconds * 1_000;
  for (let settled: string | undefined; ; ) {
    const seen = await schemaVersions(context).catch(toldLater);
    const { versions, unreachable } = 'untold' in seen ? { versions: [], unreachable: [seen.untold] } : seen;
    const isOne = versions.length === 1 && unreachable.length === 0;
    if (isOne && versions[0] === settled) return;
    settled = isOne ? versions[0] : undefined;
    if (context.clock.now().getTime() > deadline) {
      throw new CassandraUnavailable(
        `Cassandra serves, but after ${startTimeoutSeconds} s it sees schema versions ${[...versions, ...unreachable.map((member) => `none of ${member}`)].join(', ')}; expected one of all members`,
      );
    }
    await context.clock.sleep(isOne ? SETTLED_MS : POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

/** Whether the node serves CQL. */
export async function servesCql(context: ActionContext): Promise<boolean> {
  return (await servingNode(context)) !== undefined;
}

/** nodetool, which takes a second of a core to start, is asked only once somebody listens on the node's CQL port. */
async function servingNode(context: ActionContext): Promise<{ hostId: string } | undefined> {
  const { configFile, cql } = context.document.cassandra;
  const { cqlAddress } = await readConfigurationFile(context.paths.fixed(configFile));
  if (!(await isListening(cqlAddress, cql.port))) return undefined;
  const own = await ownNode(context);
  return own?.servesCql ? own : undefined;
}

function isListening(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, timeout: CONNECT_LIMIT_MS });
  socket.once('connect', () => resolve(true));
  socket.once('timeout', () => resolve(false));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/** @returns why it did not work, where it did not */
export async function drain(context: ActionContext): Promise<string | undefined> {
  const result = await tryNodetool(context, 'drain');
  return result.failed ? `${result.command}: ${result.lastWords}` : undefined;
}

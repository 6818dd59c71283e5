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
  if (!(await servesCql(context))) {
    await stopIfDrained(context, deadline);
    if (!(await letClientsIn(context))) {
      const command = startCommand(start, await hasSystemd(context));
      const starting = runWith(options, command, startTimeoutSeconds * 1_000);
      // While it starts: the command may wait until the node has joined.
      if (options.length > 0)
        await mustRunWith(context, options, { starting, deadline }).finally(() => starting);
      const result = await starting;
      if (result.failed) throw new CommandFailed(`${result.command}: ${result.lastWords}`);
    }
  } else if (options.length > 0) await leaveNone(start);
  for (;;) {
    const serving = await ownStateIfServing(context);
    if (serving.state === 'UN') return { hostId: serving.hostId };
    if (context.clock.now().getTime() > deadline) {
      throw new CassandraUnavailable(
        `Cassandra was started but after ${startTimeoutSeconds} s it is ${serving.state}, expected Up/Normal and serving CQL`,
      );
    }
    await context.clock.sleep(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

/** Cassandra's own cassandra-env.sh adds what is in JVM_EXTRA_OPTS; a unit has its environment from systemd itself. */
async function runWith(options: string[], command: string[], timeoutMs: number): Promise<CommandResult> {
  if (options.length === 0) return runCommand(command, { timeoutMs });
  const value = options.join(' ');
  if (!isSystemctl(command)) return runCommand(command, { timeoutMs, environment: { [EXTRA]: value } });
  const [systemctl = ''] = command;
  const set = await runCommand([systemctl, 'set-environment', `${EXTRA}=${value}`]);
  if (set.failed) return set;
  const result = await runCommand(command, { timeoutMs });
  await leaveNone(command);
  return result;
}

/** Also of an attempt that was killed after its start. @throws CommandFailed */
async function leaveNone(command: string[]): Promise<void> {
  if (!isSystemctl(command)) return;
  const result = await runCommand([command[0] ?? '', 'unset-environment', EXTRA]);
  if (result.failed) throw new CommandFailed(`${result.command}: ${result.lastWords}`);
}

const isSystemctl = ([program = '']: string[]) => basename(program) === 'systemctl';

const EXTRA = 'JVM_EXTRA_OPTS';

/**
 * Without them it would join as one node more, and move the ring: which it begins no sooner than 30 s after its start, as long as it
 * is no seed of its own.
 * @param starting the command @throws CommandFailed where it runs without; it is stopped
 */
async function mustRunWith(
  context: ActionContext,
  options: string[],
  { starting, deadline }: { starting: Promise<CommandResult>; deadline: number },
): Promise<void> {
  let isOver = false;
  void starting.then(
    ({ failed }) => {
      isOver = failed;
    },
    () => {
      isOver = true;
    },
  );
  for (;;) {
    const wasOver = isOver;
    const running = await Promise.all((await usersOfData(context)).map(argumentsOf));
    if (running.length > 0 && running.every((all) => options.every((each) => all.includes(each)))) return;
    if (running.length > 0) {
      await stopCassandra(context);
      throw new CommandFailed(
        `Cassandra: got a start without ${options.join(' ')}, expected what is in ${EXTRA} to be handed on (cassandra-env.sh does); it was stopped: see on another node that it has not joined (nodetool status)`,
      );
    }
    if (wasOver) return;
    if (context.clock.now().getTime() > deadline)
      throw new CassandraUnavailable('Cassandra was started, and no process uses its data, expected one');
    await context.clock.sleep(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
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
  for (let settled = ''; ; ) {
    const seen = await schemaVersions(context).catch(toldLater);
    const { versions, unreachable } = 'untold' in seen ? { versions: [], unreachable: [seen.untold] } : seen;
    const [version = '', ...others] = versions;
    const isOne = others.length === 0 && unreachable.length === 0;
    if (isOne && version === settled) return;
    settled = isOne ? version : '';
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

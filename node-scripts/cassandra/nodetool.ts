// nodetool: the one place that calls it and reads what it prints.
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { systemClock } from '../../adapters/clock-system.ts';
import { NodetoolFailed } from '../../contracts/errors.ts';
import type { ActionContext } from '../context.ts';
import { type CommandResult, runCommand } from './command.ts';

type NodetoolContext = Pick<ActionContext, 'document' | 'paths' | 'signal'>;

/** @throws NodetoolFailed */
export async function nodetool(context: NodetoolContext, ...args: string[]): Promise<string> {
  const result = await tryNodetool(context, ...args);
  if (result.failed) {
    throw new NodetoolFailed(
      `${result.command}: exit code ${result.exitCode ?? 'none'}: ${result.lastWords}`,
    );
  }
  return result.stdout;
}

export async function tryNodetool(context: NodetoolContext, ...args: string[]): Promise<CommandResult> {
  const { nodetool: command, jmxPasswordFile } = context.document.cassandra;
  const credentials = jmxPasswordFile ? await credentialsOf(context.paths.fixed(jmxPasswordFile)) : [];
  return runCommand([...command, ...credentials, ...args], { signal: context.signal });
}

/** The password stays in its file. */
async function credentialsOf(path: string): Promise<string[]> {
  const [user] = (await readFile(path, 'utf8')).trim().split(/\s+/);
  if (!user)
    throw new NodetoolFailed(`cassandra.jmxPasswordFile: ${path} is empty, expected "user password"`);
  return ['-u', user, '-pwf', path];
}

export interface NodeStatus {
  /** "UN", "DN", "UJ", … as `nodetool status` prints it. */
  state: string;
  address: string;
  hostId: string;
}

/** Of a member that is just coming up a node may not know all yet, and nodetool fails at that ("error: null"). */
const STATUS_ATTEMPTS = 3;
const STATUS_PAUSE_MS = 1_000;

/** Every ring member as this node sees it. @throws NodetoolFailed */
export async function ringStatus(context: NodetoolContext): Promise<NodeStatus[]> {
  for (let attempt = 1; attempt < STATUS_ATTEMPTS; attempt += 1) {
    const { failed, stdout } = await tryNodetool(context, 'status');
    if (!failed) return parseStatus(stdout);
    await systemClock.sleep(STATUS_PAUSE_MS, context.signal);
    context.signal.throwIfAborted();
  }
  return parseStatus(await nodetool(context, 'status'));
}

/** Java and the driver write IPv6 each in its own way, and members are compared by address. */
export function canonicalAddress(address: string): string {
  const [plain = '', ...zone] = address.split('%');
  if (!isIPv6(plain)) return address;
  return [new URL(`http://[${plain}]`).hostname.slice(1, -1), ...zone].join('%');
}

function parseStatus(output: string): NodeStatus[] {
  const line = /^([UD?][NLJMS?])\s+(\S+)\s.*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/;
  return output.split('\n').flatMap((each) => {
    const match = line.exec(each);
    if (!match) return [];
    const [, state = '', address = '', hostId = ''] = match;
    return [{ state, address: canonicalAddress(address), hostId }];
  });
}

/** Of a node that is coming up, before it knows where its members are, nodetool fails at what it does not know yet. */
export function toldLater(error: unknown): { untold: string } {
  if (error instanceof NodetoolFailed) return { untold: error.message };
  throw error;
}

/** `address (state)` of each member that is not Up/Normal. */
export function notUpNormal(status: NodeStatus[]): string[] {
  return status
    .filter((node) => node.state !== 'UN')
    .map((node) => `${node.address} (${node.state})`)
    .sort();
}

/** What the node says of itself over JMX, which needs no login. Undefined: it does not answer (yet). */
export async function ownNode(
  context: NodetoolContext,
): Promise<{ hostId: string; servesCql: boolean } | undefined> {
  const { failed, stdout } = await tryNodetool(context, 'info');
  const hostId = /^ID\s*:\s*([0-9a-f-]{36})\s*$/m.exec(stdout)?.[1];
  if (failed || !hostId) return undefined;
  return { hostId, servesCql: /^Native Transport active\s*:\s*true\s*$/m.test(stdout) };
}

/** The schema versions that members have, and the members that tell none. @throws NodetoolFailed */
export async function schemaVersions(
  context: NodetoolContext,
): Promise<{ versions: string[]; unreachable: string[] }> {
  const answer = await nodetool(context, 'describecluster');
  const [, list] = /^\s*Schema versions:$([\s\S]*?)^Stats for all nodes:/m.exec(answer) ?? [];
  if (list === undefined)
    throw new NodetoolFailed(`nodetool describecluster: got ${answer}, expected schema versions`);
  const lines = [...list.matchAll(/^\s*(\S+): \[([^\]]*)\]/gm)].map(([, version = '', members = '']) => ({
    version,
    members,
  }));
  const isTold = ({ version }: { version: string }) => version !== 'UNREACHABLE';
  return {
    versions: lines.filter(isTold).map(({ version }) => version),
    unreachable: lines.filter((line) => !isTold(line)).flatMap(({ members }) => members.split(', ')),
  };
}

/** NORMAL, STARTING, DRAINED, …: the mode that the node says it is in. Undefined: it does not answer. */
export async function operationMode(context: NodetoolContext): Promise<string | undefined> {
  const { stdout } = await tryNodetool(context, 'netstats');
  return /^Mode\s*:\s*(\S+)/m.exec(stdout)?.[1];
}

/** Requests of clients that are under way or wait. @throws NodetoolFailed */
export async function clientRequests(context: NodetoolContext): Promise<number> {
  const pools = await nodetool(context, 'tpstats');
  const [, active, pending] = /^Native-Transport-Requests\s+(\d+)\s+(\d+)/m.exec(pools) ?? [];
  if (active === undefined || pending === undefined)
    throw new NodetoolFailed('nodetool tpstats: got no line of Native-Transport-Requests, expected one');
  return Number(active) + Number(pending);
}

/** For so long a coordinator waits for a replica's answer to a write, as the node has it now. @throws NodetoolFailed */
export async function writeTimeoutMs(context: NodetoolContext): Promise<number> {
  const answer = (await nodetool(context, 'gettimeout', 'write')).trim();
  const [, timeout] = /(\d+) ms$/.exec(answer) ?? [];
  if (timeout === undefined)
    throw new NodetoolFailed(`nodetool gettimeout write: got ${answer}, expected milliseconds`);
  return Number(timeout);
}

/** Whether each flush links what it wrote under backups/. @throws NodetoolFailed */
export async function incrementalBackups(context: NodetoolContext): Promise<boolean> {
  return (await nodetool(context, 'statusbackup')).trim() === 'running';
}

/** Tags of the snapshots that the node has. @throws NodetoolFailed */
export async function snapshotTags(context: NodetoolContext): Promise<Set<string>> {
  const lines = (await nodetool(context, 'listsnapshots')).split('\n');
  return new Set(lines.map((line) => line.trim().split(/\s+/)[0] ?? ''));
}

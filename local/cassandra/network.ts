// A free 127.x.y.0/24 and free JMX ports, so that a demo, tests and a second cluster on one machine do not meet.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { LocalServerFailed } from '../servers/errors.ts';

const STORAGE_PORT = 7000;
export const CQL_PORT = 9042;
/** Below the kernel's ephemeral ports (32768 on), so that no client socket takes a stopped node's port. */
const JMX_PORTS = { from: 10_000, to: 32_000 };
const ATTEMPTS = 200;

export interface Network {
  /** `127.x.y`. */
  prefix: string;
  address(node: number): string;
  /** Gives the network back. */
  release(): Promise<void>;
}

/**
 * Claims a /24 for as long as this process lives: whoever listens on `.254` owns it. Nodes left over from a process that
 * died still hold `.1` to `.n`; they are looked at too.
 */
export async function claimNetwork(nodes: number): Promise<Network> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const prefix = `127.${randomInt(16, 255)}.${randomInt(0, 256)}`;
    const claim = await listen(`${prefix}.254`, STORAGE_PORT);
    if (claim === undefined) continue;
    const address = (node: number) => `${prefix}.${node}`;
    if (await allFree(Array.from({ length: nodes }, (_, node) => address(node + 1)))) {
      return { prefix, address, release: () => close(claim) };
    }
    await close(claim);
  }
  throw new LocalServerFailed(`got no free 127.x.y.0/24 in ${ATTEMPTS} attempts, expected most to be free`);
}

/** Distinct ports of 127.0.0.1 that nobody listens on. */
export async function freeJmxPorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let attempt = 0; held.size < count && attempt < ATTEMPTS; attempt += 1) {
      const port = randomInt(JMX_PORTS.from, JMX_PORTS.to);
      const server = held.has(port) ? undefined : await listen('127.0.0.1', port);
      if (server) held.set(port, server);
    }
  } finally {
    await Promise.all([...held.values()].map(close));
  }
  if (held.size < count) {
    throw new LocalServerFailed(`got ${held.size} free ports for JMX, expected ${count}`);
  }
  return [...held.keys()];
}

async function allFree(addresses: string[]): Promise<boolean> {
  for (const address of addresses) {
    for (const port of [STORAGE_PORT, CQL_PORT]) {
      const server = await listen(address, port);
      if (server === undefined) return false;
      await close(server);
    }
  }
  return true;
}

/** Undefined where somebody listens there already. */
async function listen(host: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  // The claim alone keeps no process alive.
  server.unref();
  server.listen({ host, port, exclusive: true });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

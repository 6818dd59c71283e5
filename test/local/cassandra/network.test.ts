import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { claimNetwork, freeJmxPorts } from '../../../local/cassandra/network.ts';

describe('networks of local clusters', () => {
  it('are each claimed once, until they are released', async () => {
    const networks = await Promise.all(Array.from({ length: 20 }, () => claimNetwork(3)));
    expect(new Set(networks.map(({ prefix }) => prefix)).size).toBe(20);
    const [first] = networks;
    const server = createServer();
    server.listen({ host: `${first?.prefix}.254`, port: 7000 });
    await expect(once(server, 'listening')).rejects.toThrow('EADDRINUSE');
    await Promise.all(networks.map((network) => network.release()));
    server.listen({ host: `${first?.prefix}.254`, port: 7000 });
    await once(server, 'listening');
    server.close();
  });

  it('number their nodes from 1', async () => {
    const network = await claimNetwork(1);
    expect(network.address(1)).toBe(`${network.prefix}.1`);
    await network.release();
  });
});

describe('JMX ports', () => {
  it('are distinct and below those that clients are given', async () => {
    const ports = await freeJmxPorts(30);
    expect(new Set(ports).size).toBe(30);
    expect(Math.max(...ports)).toBeLessThan(32_768);
  });
});

// Which directory a backed-up file goes to: none that Cassandra does not look into for it.
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeHeader } from '../../contracts/manifests.ts';
import { nodeDirectories } from '../../node-scripts/cassandra/directories.ts';
import { mapDataDirectories } from '../../node-scripts/transfer/placement.ts';
import { fakeNode } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

let host: HostUnderTest;
beforeEach(async () => {
  host = await hostUnderTest();
});
afterEach(() => host.remove());

async function mapped(backedUp: string[], data: string[], system?: string): Promise<string[]> {
  const local = system ? { local_system_data_file_directory: system } : {};
  await fakeNode(host, { data_file_directories: data, ...local });
  const directories = await nodeDirectories({ ...host, document: host.document(RUN, 'describe', {}) });
  return mapDataDirectories({ dataDirectories: backedUp } as NodeHeader, directories);
}

const RUN = '20261121t030000z-0a1b2c3d';

it.each([
  { backedUp: ['/a', '/b'], data: ['/b', '/a'], expected: ['/a', '/b'] },
  { backedUp: ['/a', '/b', '/c'], data: ['/x', '/y'], expected: ['/x', '/y', '/x'] },
  // Cassandra's own directory is for its own tables alone.
  { backedUp: ['/a', '/b'], data: ['/x'], system: '/s', expected: ['/x', '/x'] },
  { backedUp: ['/a'], data: ['/x', '/y'], system: '/a', expected: ['/x'] },
  // Its tables it takes from any.
  { backedUp: ['/a', '/s'], data: ['/a'], system: '/s', expected: ['/a', '/a'] },
])('of $backedUp on $data (system: $system): $expected', async ({ backedUp, data, system, expected }) => {
  expect(await mapped(backedUp, data, system)).toEqual(expected);
});

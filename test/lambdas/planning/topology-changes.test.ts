import { expect, it } from 'vitest';
import type { Topology } from '../../../contracts/registrations.ts';
import { topologyChanges } from '../../../lambdas/planning/topology-changes.ts';

const hostId = (number: number) => `0000000${number}-0000-4000-8000-000000000000`;
const node = (number: number): Topology['nodes'][number] => ({
  ...{ hostId: hostId(number), instanceId: `i-0000000${number}`, address: `10.0.0.${number}` },
  ...{ datacenter: 'dc1', rack: 'r1', tokens: ['1', '2'], cassandraVersion: '5.0.9' },
  dataDirectories: ['/data1'],
});
const before: Topology = {
  ...{ clusterName: 'Demo', partitioner: 'p', schemaVersion: hostId(9), keyspaces: ['a', 'b'] },
  nodes: [node(1), node(2)],
};
const nodes = (...changed: Array<Topology['nodes'][number]>) => ({ ...before, nodes: changed });

it.each<[string, Topology, string[]]>([
  ['nothing', { ...before, schemaVersion: hostId(8) }, []],
  [
    'a node that joined',
    nodes(node(1), node(2), node(3)),
    [`node ${hostId(3)} on i-00000003 (10.0.0.3, dc1/r1) is new`],
  ],
  ['a node that left', nodes(node(1)), [`node ${hostId(2)} on i-00000002 (10.0.0.2, dc1/r1) is gone`]],
  [
    'a node that was given a new host ID and other tokens',
    nodes(node(1), { ...node(2), hostId: hostId(7), tokens: ['3'] }),
    [
      `the node on i-00000002 was given a new host ID: ${hostId(7)}, was ${hostId(2)}`,
      `the tokens of node ${hostId(7)} are others`,
    ],
  ],
  [
    'a node that moved to another instance, with a further directory',
    nodes(node(1), { ...node(2), instanceId: 'i-00000009', dataDirectories: ['/data1', '/data 2'] }),
    [
      `the instance of node ${hostId(2)}: i-00000009, was i-00000002`,
      `the data directories of node ${hostId(2)}: /data1, /data 2, was /data1`,
    ],
  ],
  [
    'keyspaces, and the name',
    { ...before, clusterName: 'New', keyspaces: ['b', 'C d'] },
    ['the cluster’s name: New, was Demo', 'keyspace "C d" is new', 'keyspace "a" is gone'],
  ],
])('tells of %s', (_, after, changes) => {
  expect(topologyChanges(before, after)).toEqual(changes);
});

it('tells no more of a large cluster than a mail can hold', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => ({
    ...node(1),
    hostId: `${(0x10000000 + index).toString(16)}-0000-4000-8000-000000000000`,
  }));
  const upgraded = many.map((each) => ({ ...each, cassandraVersion: '5.0.10' }));
  const changes = topologyChanges(nodes(...many), nodes(...upgraded));
  expect(changes).toHaveLength(101);
  expect(changes.at(-1)).toBe('… and 900 more');
});

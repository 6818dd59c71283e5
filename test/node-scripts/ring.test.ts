// The ring and its schema versions where a node remembers more than members: as Cassandra keeps one that another took the place of.
import { types } from 'cassandra-driver';
import { expect, it } from 'vitest';
import type { Cql } from '../../node-scripts/cassandra/cql.ts';
import { canonicalAddress } from '../../node-scripts/cassandra/nodetool.ts';
import { readRing } from '../../node-scripts/cassandra/ring.ts';
import { readSchemaVersions } from '../../node-scripts/cassandra/schema.ts';

const id = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
const [OWN, OTHER, DEAD] = [id('1'), id('2'), id('3')];

const row = (values: Record<string, unknown>) => values as unknown as types.Row;
const member = (hostId: string, last: number, tokens: string[] | null, schema = 'same') => ({
  ...{ host_id: hostId, data_center: 'dc1', rack: 'r1', tokens, schema_version: schema },
  peer: types.InetAddress.fromString(`10.0.0.${last}`),
});
const cql: Cql = {
  rows: async (query) =>
    query.includes('system.local')
      ? [
          row({
            ...member(OWN, 1, ['5', '-10']),
            broadcast_address: types.InetAddress.fromString('10.0.0.1'),
            ...{ cluster_name: 'demo', partitioner: 'Murmur3Partitioner', release_version: '5.0.9' },
          }),
        ]
      : [
          row(member(DEAD, 3, ['7'], 'of its last day')),
          row(member(OTHER, 2, ['7'])),
          // Heard of, and no member yet.
          row(member(id('4'), 4, null)),
        ],
};
const members = [{ hostId: OWN }, { hostId: OTHER }];

it('the ring has members alone, and the others by address', async () => {
  const { ring, stale, own } = await readRing(cql, members);
  expect(own).toMatchObject({ hostId: OWN, tokens: ['-10', '5'], cassandraVersion: '5.0.9' });
  expect(ring.nodes.map(({ hostId, address }) => [hostId, address])).toEqual([
    [OWN, '10.0.0.1'],
    [OTHER, '10.0.0.2'],
  ]);
  expect(stale).toEqual(['10.0.0.3']);
});

it('an address is the same however it is written', () => {
  expect(canonicalAddress('2001:db8:0:0:0:0:0:1')).toBe(canonicalAddress('2001:db8::1'));
  expect(canonicalAddress('10.0.0.1')).toBe('10.0.0.1');
  expect(canonicalAddress('fe80:0:0:0:0:0:0:1%eth0')).toBe('fe80::1%eth0');
});

it('nobody waits for the schema of one that is no member', async () => {
  expect(await readSchemaVersions(cql, members)).toEqual(['same']);
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { upNormalIn } from '../../../local/cassandra/cluster.ts';
import { dealTokens } from '../../../local/cassandra/ring.ts';

describe('tokens of a local ring', () => {
  it('are distinct, within the partitioner’s range, and evenly spaced', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 16 }), (nodes, each) => {
        const dealt = dealTokens(nodes, each);
        expect(dealt.map((tokens) => tokens.length)).toEqual(Array(nodes).fill(each));
        const sorted = dealt
          .flat()
          .map(BigInt)
          .sort((one, other) => (one < other ? -1 : 1));
        expect(sorted[0]).toBeGreaterThanOrEqual(-(2n ** 63n));
        expect(sorted.at(-1)).toBeLessThan(2n ** 63n);
        const gaps = sorted.slice(1).map((token, index) => token - (sorted[index] ?? token));
        expect(new Set(gaps).size).toBeLessThanOrEqual(1);
        expect(gaps.every((gap) => gap > 0n)).toBe(true);
      }),
    );
  });
});

describe('nodetool status', () => {
  it('counts as up only what is Up and Normal', () => {
    const status = [
      'Datacenter: dc1',
      '--  Address       Load        Tokens  Owns  Host ID                               Rack',
      'UN  127.79.147.1  95.23 KiB   4       66%   c73a400c-af96-4632-a899-17d53789dd38  rack1',
      'DN  127.79.147.2  ?           4       66%   d744ed2f-42fc-4e0e-9e7e-de4fadb8067e  rack2',
      'UJ  127.79.147.3  95.15 KiB   4       66%   a0d52200-75e0-4ad7-ab99-2e246d6f2f55  rack3',
    ];
    expect([...upNormalIn(status.join('\n'))]).toEqual(['127.79.147.1']);
  });
});

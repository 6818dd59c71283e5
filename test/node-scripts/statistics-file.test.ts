import { describe, expect, it } from 'vitest';
import { originOf } from '../../node-scripts/cassandra/statistics-file.ts';
import { uncovered } from '../../node-scripts/increments/positions.ts';
import { HOST_ID, statisticsFile } from './fake-increments.ts';

const position = (at: number) => (BigInt(at) << 32n) + 7n;

describe('the commit log positions of an SSTable', () => {
  it('are read with the node whose they are', () => {
    const spans = [
      { from: 3, to: 5 },
      { from: 8, to: 9 },
    ];
    expect(originOf('nb', statisticsFile(spans))).toEqual({
      intervals: spans.map(({ from, to }) => ({ from: position(from), to: position(to) })),
      hostId: HOST_ID,
    });
    expect(originOf('oa', statisticsFile([]))).toEqual({ intervals: [], hostId: HOST_ID });
  });

  it('are not told of another format, of a damaged file, and of what is no such file', () => {
    const file = statisticsFile([{ from: 3, to: 5 }]);
    expect(originOf('me', file)).toBeUndefined();
    const damaged = Buffer.from(file);
    damaged.writeUInt8(damaged.readUInt8(70) ^ 1, 70);
    expect(originOf('nb', damaged)).toBeUndefined();
    expect(originOf('nb', file.subarray(0, 40))).toBeUndefined();
    expect(originOf('nb', Buffer.from('statistics'))).toBeUndefined();
  });
});

it.each([
  ['up to the position', [{ from: 1n, to: 4n }], [], []],
  ['beyond it', [{ from: 1n, to: 9n }], [], [{ from: 5n, to: 9n }]],
  [
    'in others, one after another',
    [{ from: 1n, to: 9n }],
    [
      { from: 7n, to: 9n },
      { from: 4n, to: 7n },
    ],
    [],
  ],
  [
    'with a hole between others',
    [{ from: 1n, to: 12n }],
    [
      { from: 5n, to: 7n },
      { from: 9n, to: 12n },
    ],
    [{ from: 7n, to: 9n }],
  ],
])('an interval %s', (_what, intervals, others, left) => {
  expect(uncovered(intervals, 5n, others)).toEqual(left);
});

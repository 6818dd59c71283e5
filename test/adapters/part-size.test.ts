// S3's limits: 10,000 parts, each but the last of at least 5 MiB and at most 5 GiB; objects of 5 TiB, which backups may meet.
import { describe, expect, it } from 'vitest';
import { partBytesFor, streamPartBytesFor } from '../../adapters/part-size.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const TIB = 1024 ** 4;
const MOST_PARTS = 10_000;

describe.each([
  ['a file', partBytesFor, 64 * MIB, 1, [256 * MIB + 1]],
  // One percent more than the file has.
  ['a stream', streamPartBytesFor, 16 * MIB, 1.01, [0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1]],
])('the parts of %s', (_, partBytes, usual, larger, sizes) => {
  const partsOf = (sizeBytes: number) => Math.ceil((sizeBytes * larger) / partBytes(sizeBytes));
  const mostOfUsual = Math.floor((MOST_PARTS * usual) / larger);

  it.each([...sizes, mostOfUsual - 1, mostOfUsual])('of %d bytes are usual', (size) => {
    expect(partBytes(size)).toBe(usual);
    expect(partsOf(size)).toBeLessThanOrEqual(MOST_PARTS);
  });

  it('are 10,000, and a MiB larger where one more would be needed', () => {
    expect(partsOf(mostOfUsual)).toBe(MOST_PARTS);
    expect(partBytes(mostOfUsual + 1)).toBe(usual + MIB);
    expect(partsOf(mostOfUsual + 1)).toBeLessThan(MOST_PARTS);
  });

  it.each([TIB, 5 * TIB - 1, 5 * TIB])(
    'of %d bytes are whole MiB, as many as S3 takes, none too large',
    (size) => {
      expect(partsOf(size)).toBeLessThanOrEqual(MOST_PARTS);
      expect(partBytes(size) % MIB).toBe(0);
      expect(partBytes(size)).toBeLessThanOrEqual(5 * GIB);
    },
  );
});

it('takes one PUT up to 256 MiB, parts from a byte more', () => {
  const most = 256 * MIB;
  const parts = [0, 1, most - 1, most, most + 1].map((size) => Math.ceil(size / partBytesFor(size)));
  expect(parts).toEqual([0, 1, 1, 1, 5]);
});

// The CRC32 of a whole from those of its parts, held against zlib's.
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { joinedCrc32 } from '../../adapters/joined-crc32.ts';

const bytes = randomBytes(3_000_000);

it.each([0, 1, 7, 65_536, 1_048_577, bytes.length - 1, bytes.length])('joins at byte %i', (at) => {
  const [first, second] = [bytes.subarray(0, at), bytes.subarray(at)];
  expect(joinedCrc32(crc32(first), crc32(second), second.length)).toBe(crc32(bytes));
});

it('joins what is longer than 32 bits count', () => {
  // A gibibyte of zeros, five times, by doubling what is known of a mebibyte.
  const mebibyte = 1024 ** 2;
  let gibibyte = crc32(Buffer.alloc(mebibyte));
  for (let size = mebibyte; size < 1024 * mebibyte; size *= 2)
    gibibyte = joinedCrc32(gibibyte, gibibyte, size);
  const step = (crc: number, length: number) => joinedCrc32(crc, gibibyte, length);
  const oneByOne = [1, 2, 3, 4].reduce((crc) => step(crc, 1024 * mebibyte), gibibyte);
  const four = [1, 2, 3].reduce((crc) => step(crc, 1024 * mebibyte), gibibyte);
  expect(joinedCrc32(gibibyte, four, 4 * 1024 * mebibyte)).toBe(oneByOne);
});

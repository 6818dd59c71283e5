// The CRC32 of bytes that follow one another, from the CRC32 of each: as polynomials over GF(2), the first is multiplied by x
// for each bit that follows, and the second is added. Bits are reflected, as CRC32 has them: the highest is that of x⁰.
const POLYNOMIAL = 0xedb8_8320;
const ONE = 0x8000_0000;
/** x⁸, a byte. */
const BYTE = 0x0080_0000;

/** @param secondBytes how many of them the second is of */
export function joinedCrc32(first: number, second: number, secondBytes: number): number {
  let shift = ONE;
  let square = BYTE;
  for (let left = secondBytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = product(shift, square);
    square = product(square, square);
  }
  return (product(first, shift) ^ second) >>> 0;
}

function product(one: number, other: number): number {
  let sum = 0;
  let shifted = other;
  for (let bit = 31; bit >= 0; bit -= 1) {
    if ((one >>> bit) & 1) sum ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return sum;
}

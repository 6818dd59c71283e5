// Which requests an object takes: one PUT up to a size, beyond it parts of at least that size, at most 10,000.

const MIB = 1024 ** 2;
/** Up to here an object is one PUT, and this is the size of a part. AWS takes 5 GiB for both. */
const PART_BYTES = 64 * MIB;
const MOST_PARTS = 10_000;

/** Of a file that goes in parts: whole MiB, so that the last part is the only smaller one. */
export function partBytesFor(sizeBytes: number): number {
  const least = Math.ceil(sizeBytes / MOST_PARTS / MIB) * MIB;
  return Math.max(PART_BYTES, least);
}

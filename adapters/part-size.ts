// Which requests an object takes: one PUT up to a size, beyond it parts, at most 10,000.

const MIB = 1024 ** 2;
/** Up to here an object is one PUT, as it is one GET; AWS takes 5 GiB. */
const SINGLE_PUT_BYTES = 256 * MIB;
const PART_BYTES = 64 * MIB;
const MOST_PARTS = 10_000;

/** Two of them are held in memory for each stream that is sent; larger ones are written to files. */
export const STREAM_PART_BYTES = 16 * MIB;

/** Of a file: where it is larger, whole MiB, so that the last part is the only smaller one. */
export function partBytesFor(sizeBytes: number): number {
  if (sizeBytes <= SINGLE_PUT_BYTES) return SINGLE_PUT_BYTES;
  const least = Math.ceil(sizeBytes / MOST_PARTS / MIB) * MIB;
  return Math.max(PART_BYTES, least);
}

/** Of what is made of a file as it is sent, and may come out a little larger than it. */
export function streamPartBytesFor(sizeBytes: number): number {
  const least = Math.ceil((sizeBytes * 1.01) / MOST_PARTS / MIB) * MIB;
  return Math.max(STREAM_PART_BYTES, least);
}

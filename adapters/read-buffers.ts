// Buffers that files are read into on their way to S3, used again and again: to allocate each anew, and to collect it, costs more than
// to read. Of few files at once each is read a mebibyte at a time; with many more, those that have less to themselves read less.

/** Three: one is read into while another is sent. */
export type ReadBuffers = readonly [Buffer, Buffer, Buffer];

interface Size {
  bytes: number;
  left: number;
  readonly resting: ReadBuffers[];
}

const SIZES: readonly Size[] = [
  { bytes: 1024 ** 2, left: 8, resting: [] },
  { bytes: 128 * 1024, left: Number.POSITIVE_INFINITY, resting: [] },
];

/** @returns what is given back once nothing is read into them any more */
export function lendBuffers(): { buffers: ReadBuffers; giveBack(): void } {
  const size = SIZES.find(({ left, resting }) => left > 0 || resting.length > 0);
  if (!size) throw new Error('expected a size without end');
  const buffers = size.resting.pop() ?? makeBuffers(size);
  return { buffers, giveBack: () => void size.resting.push(buffers) };
}

function makeBuffers(size: Size): ReadBuffers {
  size.left -= 1;
  const one = () => Buffer.allocUnsafeSlow(size.bytes);
  return [one(), one(), one()];
}

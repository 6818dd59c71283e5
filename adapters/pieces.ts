// Cuts a stream into pieces of one size.

export interface Piece {
  bytes: Buffer;
  isLast: boolean;
}

/**
 * The last one may be smaller; there is one, empty, where there are no bytes.
 * @param buffers of one size, that of the pieces, used in turn: a piece is others' once as many more are asked for
 */
export async function* pieces(
  stream: AsyncIterable<Uint8Array>,
  buffers: readonly [Buffer, ...Buffer[]],
): AsyncGenerator<Piece> {
  let [piece] = buffers;
  let count = 0;
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === piece.length) {
        yield { bytes: piece, isLast: false };
        count += 1;
        piece = buffers[count % buffers.length] ?? piece;
        filled = 0;
      }
      const taken = Math.min(chunk.length - at, piece.length - filled);
      piece.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
    }
  }
  yield { bytes: piece.subarray(0, filled), isLast: true };
}

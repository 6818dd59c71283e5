// Cuts a stream into pieces of one size.

export interface Piece {
  bytes: Buffer;
  isLast: boolean;
}

/** The last one may be smaller; there is one, empty, where there are no bytes. Each is a buffer of its own. */
export async function* pieces(stream: AsyncIterable<Uint8Array>, pieceBytes: number): AsyncGenerator<Piece> {
  let piece = Buffer.allocUnsafeSlow(pieceBytes);
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === pieceBytes) {
        yield { bytes: piece, isLast: false };
        piece = Buffer.allocUnsafeSlow(pieceBytes);
        filled = 0;
      }
      const taken = Math.min(chunk.length - at, pieceBytes - filled);
      piece.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
    }
  }
  yield { bytes: piece.subarray(0, filled), isLast: true };
}

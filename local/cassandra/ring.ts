// Tokens and addresses of a local ring.

const LEAST_TOKEN = -(2n ** 63n);
const RING_SIZE = 2n ** 64n;

/**
 * Tokens that split the ring evenly, dealt to the nodes in turn, so that each node owns ranges all around it and a
 * cluster starts with all nodes at once (no bootstrap, no allocation).
 */
export function dealTokens(nodes: number, tokensPerNode: number): string[][] {
  const step = RING_SIZE / BigInt(nodes * tokensPerNode);
  return Array.from({ length: nodes }, (_, node) =>
    Array.from({ length: tokensPerNode }, (_, round) =>
      String(LEAST_TOKEN + BigInt(round * nodes + node + 1) * step - 1n),
    ),
  );
}

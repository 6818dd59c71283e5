// The real source of randomness, for jitter; nothing secret is made of it.
import type { Random } from './ports.ts';

export const systemRandom: Random = { next: () => Math.random() };

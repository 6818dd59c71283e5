// Medians and spreads over the rounds of a run.

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Undefined of nothing. */
export function spreadOf(values: number[]): Spread | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  const [min] = sorted;
  const max = sorted.at(-1);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined) return undefined;
  return { min, max, median: (low + high) / 2 };
}

/** `5.21 (5.02–5.60)`; what does not vary, once. */
export function show(spread: Spread | undefined, digits = 2): string {
  if (!spread) return '–';
  const [median, min, max] = [spread.median, spread.min, spread.max].map((value) => value.toFixed(digits));
  return min === max ? `${median}` : `${median} (${min}–${max})`;
}

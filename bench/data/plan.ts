// How much of what the benchmark's node holds: a dozen big SSTables, two hundred small ones, fifty tiny tables. The numbers
// stay the same at every size, so that a run on little data makes the same requests.

const MIB = 1024 ** 2;
/** At this size small SSTables have 0.1 to 4 MiB each. */
const FULL_MIB = 2048;

const BIG_TABLES = 12;
const SMALL_TABLES = 20;
const SMALL_ROUNDS = 10;
const TINY_TABLES = 50;

export interface DataPlan {
  /** Each becomes one SSTable. */
  big: string[];
  bigBytes: number;
  /** Each gets one SSTable per entry of `smallBytes`. */
  small: string[];
  smallBytes: number[][];
  tiny: string[];
  /** What the 2 % go to: a part to each of these, one flush. */
  grown: string[];
  grownBytes: number;
  /** What the compaction rewrites. */
  compacted: string[];
}

export function planData(sizeMiB: number): DataPlan {
  const named = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${name}${String(index + 1).padStart(2, '0')}`);
  const big = named('big', BIG_TABLES);
  const small = named('small', SMALL_TABLES);
  const scale = Math.min(1, sizeMiB / FULL_MIB);
  const smallBytes = Array.from({ length: SMALL_ROUNDS }, (_, round) =>
    small.map((_, table) => Math.round(smallSize(round * SMALL_TABLES + table) * scale)),
  );
  const ofSmall = smallBytes.flat().reduce((sum, bytes) => sum + bytes, 0);
  // Two fifths are rewritten: five of the big ones, a quarter of the small ones.
  const grown = [...big.slice(0, 5), ...small.slice(0, 5)];
  return {
    big,
    bigBytes: Math.max(MIB, Math.round((sizeMiB * MIB - ofSmall) / BIG_TABLES)),
    small,
    smallBytes,
    tiny: named('tiny', TINY_TABLES),
    grown,
    grownBytes: Math.round((sizeMiB * MIB * 0.02) / grown.length),
    compacted: grown,
  };
}

/** 0.1 to 4 MiB, as many in each octave; in an order that mixes them. */
function smallSize(index: number): number {
  const count = SMALL_TABLES * SMALL_ROUNDS;
  const place = ((index * 73) % count) / (count - 1);
  return 0.1 * MIB * 40 ** place;
}

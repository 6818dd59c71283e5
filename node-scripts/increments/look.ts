// One look at what a node has: what is there to be collected, and whether all that was written since is among it.
import type { TableRef } from '../../contracts/actions.ts';
import type { Interval } from '../cassandra/statistics-file.ts';
import { tablePath } from '../transfer/placement.ts';
import type { Memory } from './memory.ts';
import { nameOf, type PlacedSSTable, sstablesAt, storeOf } from './places.ts';
import { readOrigin, uncovered, upToOf } from './positions.ts';
import { type Candidate, isWhole, signatureOf } from './whole.ts';

export interface LookOptions {
  hostId: string;
  dataDirectories: string[];
  tables: TableRef[];
  previous: Memory;
  /** Keyspaces whose writes leave no trace in the commit log. */
  undurable: ReadonlySet<string>;
}

export interface Look {
  /** Whole, and in no sealed backup yet. */
  whole: Candidate[];
  /** Not whole yet. */
  unfinished: Candidate[];
  /** Held by backups before: superfluous. */
  held: PlacedSSTable[];
  gaps: string[];
  upTo: Record<string, string>;
  /** Of all that is not whole yet or never was seen before, to tell at the next look whether it changed. */
  signatures: Map<string, string>;
}

/** The live ones are looked at first: what is flushed meanwhile is then not missed among those under backups/. */
export async function look(options: LookOptions, before: Look | undefined): Promise<Look> {
  const { dataDirectories, tables, previous } = options;
  const paths = new Set(tables.map(tablePath));
  const live = await liveSSTables(dataDirectories, paths);
  const liveByKey = new Map(live.map((each) => [each.key, each]));
  const linked = await sstablesAt('linked', dataDirectories);
  const collected = await sstablesAt('collected', dataDirectories);
  const known = keysOf(previous);
  const isHeld = ({ key }: PlacedSSTable) => key !== undefined && known.has(key);
  const fresh = [...linked, ...collected].filter((each) => paths.has(each.path) && !isHeld(each));
  const result: Look = {
    ...{ whole: [], unfinished: [], gaps: [], signatures: new Map() },
    // Among what was collected Data.db comes first and goes last: without it the rest is left over.
    held: [...[...linked, ...collected].filter(isHeld), ...collected.filter(({ key }) => key === undefined)],
    upTo: { ...previous.upTo },
  };
  for (const [name, parts] of Map.groupBy(fresh, nameOf)) {
    const keys = parts.flatMap(({ key }) => key ?? []);
    const [first] = parts;
    if (keys.length > 1 || (keys.length === 1 && name in previous.sstables)) {
      result.gaps.push(`${nameForPeople(first)}: its name was used before, for other data`);
      continue;
    }
    const candidate = { parts, live: liveByKey.get(keys[0]) };
    const signature = signatureOf(candidate);
    result.signatures.set(name, signature);
    if (isWhole(candidate, before?.signatures.get(name) === signature)) result.whole.push(candidate);
    else if (keys.some((key) => previous.unfinished[first?.path ?? '']?.includes(key)))
      result.gaps.push(`${nameForPeople(first)}: only a part of it was ever linked`);
    // Without Data.db it is a late component of one that was taken, or the first one of a flush.
    else if (keys.length > 0) result.unfinished.push(candidate);
  }
  const whole = result.whole.flatMap(({ parts, live: twin }) => [...parts, ...(twin ? [twin] : [])]);
  result.gaps.push(...(await unaccounted(options, { live, fresh, whole }, result.upTo)));
  return result;
}

function keysOf({ before, sstables }: Memory): Set<string> {
  return new Set([...Object.values(before).flat(), ...Object.values(sstables)]);
}

/** Compaction replaces SSTables meanwhile, and a directory is not read at one moment: until nothing new comes up. */
async function liveSSTables(dataDirectories: string[], paths: ReadonlySet<string>): Promise<PlacedSSTable[]> {
  const seen = new Map<string, PlacedSSTable>();
  for (;;) {
    const now = await sstablesAt('live', dataDirectories, paths);
    // Without Statistics.db it is still being written, and what it is made of is still there.
    const news = now.filter(
      (each) => each.components.includes('Statistics.db') && each.key && !seen.has(each.key),
    );
    if (news.length === 0) return [...seen.values()];
    for (const each of news) if (each.key) seen.set(each.key, each);
  }
}

/**
 * Live SSTables that hold what neither the backups before nor what was linked since holds. Known by what their Data.db is known
 * by; of compaction's output the positions of the commit log tell. Moves `upTo` on to what is covered then.
 */
async function unaccounted(
  { hostId, previous, undurable }: LookOptions,
  { live, fresh, whole }: Record<'live' | 'fresh' | 'whole', readonly PlacedSSTable[]>,
  upTo: Record<string, string>,
): Promise<string[]> {
  const known = keysOf(previous);
  const freshKeys = new Set(fresh.map(({ key }) => key));
  const covering = new Map<string, Interval[]>();
  const add = (store: string, intervals: Interval[]) => {
    const known = covering.get(store) ?? [];
    known.push(...intervals);
    covering.set(store, known);
    upTo[store] = upToOf(upTo[store], intervals);
  };
  for (const sstable of whole) {
    if (sstable.key) add(storeOf(sstable), (await readOrigin(sstable, hostId)) ?? []);
  }
  const gaps: string[] = [];
  for (const sstable of live) {
    if (sstable.key === undefined || known.has(sstable.key) || freshKeys.has(sstable.key)) continue;
    if (nameOf(sstable) in previous.sstables) {
      gaps.push(`${nameForPeople(sstable)}: its name was used before, for other data`);
      continue;
    }
    const store = storeOf(sstable);
    const intervals = (await readOrigin(sstable, hostId)) ?? [];
    const reached = BigInt(previous.upTo[store] ?? -1);
    const left = uncovered(intervals, reached, covering.get(store) ?? []);
    const told =
      intervals.some(({ from, to }) => from < to) && !undurable.has(sstable.path.split('/')[0] ?? '');
    if (!told)
      gaps.push(`${nameForPeople(sstable)}: nothing tells whether the backups before hold all that it holds`);
    else if (left.length > 0)
      gaps.push(`${nameForPeople(sstable)}: it was flushed while incremental backups were off`);
  }
  return gaps;
}

function nameForPeople(sstable: PlacedSSTable | undefined): string {
  return `${sstable?.path}/${sstable?.stem}*`;
}

// What is taken from backups/ while Cassandra goes on linking, compacting and reusing names, and while the program is killed.
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock } from '../../adapters/clock-manual.ts';
import type { Memory } from '../../node-scripts/increments/memory.ts';
import { recall } from '../../node-scripts/increments/memory.ts';
import { nameOf, sstablesAt } from '../../node-scripts/increments/places.ts';
import { takeIncrements } from '../../node-scripts/increments/take.ts';
import { type FakeSSTable, flushed, HOST_ID, linkComponent, writeLive } from './fake-increments.ts';
import { fakeNode, ITEMS, ORDERS, tablePath } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const RUN = '20261121t020000z-0a1b2c3d';
const BASE = '20261121t010000z-0a1b2c3d';
const upTo = (at: number) => String((BigInt(at) << 32n) + 7n);

let host: HostUnderTest;
let data: string[];
let previous: Memory;
/** Called instead of each pause between two looks. */
let whilePausing: () => Promise<void>;
beforeEach(async () => {
  host = await hostUnderTest();
  data = await fakeNode(host);
  whilePausing = async () => undefined;
  await flushed(root(), ORDERS, { name: 'nb-1-big', spans: [{ from: 1, to: 5 }] });
  previous = await memoryOfAll(5);
});
afterEach(() => host.remove());

const root = () => data[0] ?? '';

/** As a base that holds what there is now. */
async function memoryOfAll(at: number): Promise<Memory> {
  const live = await sstablesAt('live', data);
  return {
    formatVersion: 1,
    backupId: BASE,
    dataDirectories: data,
    truncated: {},
    before: {},
    unfinished: {},
    sstables: Object.fromEntries(live.map((each) => [nameOf(each), each.key ?? ''])),
    upTo: { [`${tablePath(ORDERS)}/`]: upTo(at) },
  };
}

function take(
  beforeFile: () => Promise<void> = async () => undefined,
  more: { undurable?: string[]; truncated?: Record<string, string>; tables?: Array<typeof ORDERS> } = {},
) {
  const context = {
    paths: host.paths,
    clock: { ...manualClock(new Date()), sleep: () => whilePausing() },
    signal: new AbortController().signal,
    document: host.document(RUN, 'collect-increments', {}),
    failPoint: beforeFile,
    beforeDestroying: async () => undefined,
  };
  const undurable = new Set(more.undurable);
  const tables = more.tables ?? [ORDERS, ITEMS];
  const options = { hostId: HOST_ID, dataDirectories: data, tables, previous, undurable };
  return takeIncrements(context, options, more.truncated ?? {});
}

async function filesIn(...path: string[]): Promise<string[]> {
  const entries = await readdir(join(root(), ...path), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries
    .filter((each) => each.isFile())
    .map((each) => each.name)
    .sort();
}
const linked = () => filesIn(tablePath(ORDERS), 'backups');
const collected = () => filesIn('.ringvault', 'increments');
const second: FakeSSTable = { name: 'nb-2-big', spans: [{ from: 5, to: 9 }] };
const componentsOf = (name: string) =>
  ['Data.db', 'Digest.crc32', 'Filter.db', 'Index.db', 'Statistics.db', 'TOC.txt'].map(
    (each) => `${name}-${each}`,
  );

describe('an SSTable that is being linked', () => {
  it('is left alone between any two of its components, and taken once it is whole', async () => {
    for (const [index, component] of (await writeLive(root(), ORDERS, second)).entries()) {
      const { sstables } = await take();
      expect(sstables, `before component ${index}`).toBe(0);
      expect(await collected()).toEqual([]);
      await linkComponent(root(), ORDERS, second, component);
    }
    expect(await take()).toEqual({ gaps: [], sstables: 1, unfinished: 0 });
    expect(await collected()).toEqual(componentsOf('nb-2-big'));
    expect(await linked()).toEqual([]);
  });

  it('is a gap where it is not whole by the next one, and is covered by none until then', async () => {
    for (const component of (await writeLive(root(), ORDERS, second)).slice(0, 3)) {
      await linkComponent(root(), ORDERS, second, component);
    }
    expect(await take()).toEqual({ gaps: [], sstables: 0, unfinished: 1 });
    previous = (await recall(host, RUN)) ?? previous;
    expect(previous.upTo[`${tablePath(ORDERS)}/`]).toBe(upTo(5));
    // One of other tables in between does not know of it.
    expect(await take(undefined, { tables: [ITEMS] })).toEqual({ gaps: [], sstables: 0, unfinished: 0 });
    previous = (await recall(host, RUN)) ?? previous;
    expect((await take()).gaps).toEqual([expect.stringContaining('only a part of it was ever linked')]);
  });

  it('is taken by the same look where the pause was short', async () => {
    const components = await writeLive(root(), ORDERS, second);
    whilePausing = async () => {
      for (const component of components.splice(0, 3)) await linkComponent(root(), ORDERS, second, component);
    };
    expect(await take()).toEqual({ gaps: [], sstables: 1, unfinished: 0 });
  });

  it('without TOC.txt is left alone as long as the live one has more', async () => {
    const streamed = { ...second, streamed: true, hostId: '11111111-2d22-4cc2-99ef-2a36e09d4b93' };
    const [last = '', ...first] = await writeLive(root(), ORDERS, streamed);
    for (const component of first) await linkComponent(root(), ORDERS, streamed, component);
    expect(await take()).toEqual({ gaps: [], sstables: 0, unfinished: 1 });
    await linkComponent(root(), ORDERS, streamed, last);
    expect(await take()).toEqual({ gaps: [], sstables: 1, unfinished: 0 });
  });

  it('without TOC.txt and without a live one is taken where nothing changed between two looks', async () => {
    const streamed = { ...second, streamed: true };
    const [last = '', ...first] = await writeLive(root(), ORDERS, streamed);
    for (const component of first) await linkComponent(root(), ORDERS, streamed, component);
    const live = join(root(), tablePath(ORDERS), `nb-2-big-${last}`);
    let pauses = 0;
    whilePausing = async () => {
      if (++pauses > 1) return;
      await linkComponent(root(), ORDERS, streamed, last);
      for (const each of [live, ...first.map((name) => live.replace(last, name))]) await rm(each);
    };
    expect(await take()).toMatchObject({ sstables: 1, unfinished: 0 });
    expect(pauses).toBe(2);
    expect(await collected()).toHaveLength(first.length + 1);
  });

  it('belongs to a secondary index: it is collected beside its table’s', async () => {
    await flushed(root(), ORDERS, { name: '.by_name/nb-1-big', spans: [{ from: 5, to: 9 }] });
    expect(await take()).toEqual({ gaps: [], sstables: 1, unfinished: 0 });
    expect(await filesIn('.ringvault', 'increments', tablePath(ORDERS), '.by_name')).toEqual(
      componentsOf('nb-1-big'),
    );
  });
});

it('remembers truncations of the tables that it is of, and leaves those of others to be found', async () => {
  const other = 'f'.repeat(32);
  previous = { ...previous, truncated: { [other]: 'then', [ITEMS.tableId]: 'then' } };
  await take(undefined, { truncated: { [other]: 'now', [ITEMS.tableId]: 'now', [ORDERS.tableId]: 'now' } });
  expect((await recall(host, RUN))?.truncated).toEqual({
    [other]: 'then',
    [ITEMS.tableId]: 'now',
    [ORDERS.tableId]: 'now',
  });
});

it('deletes what a release that was killed left without its data', async () => {
  await flushed(root(), ORDERS, second);
  await take();
  const data = join(root(), '.ringvault', 'increments', tablePath(ORDERS), 'nb-2-big-Data.db');
  await rm(data);
  previous = { ...((await recall(host, RUN)) ?? previous) };
  expect(await take()).toEqual({ gaps: [], sstables: 0, unfinished: 0 });
  expect(await collected()).toEqual([]);
});

it('killed before any file that is moved: the next attempt, and the next run, lose nothing', async () => {
  const third = { name: 'nb-3-big', spans: [{ from: 9, to: 12 }] };
  for (let at = 0; at < 12; at += 1) {
    await flushed(root(), ORDERS, second);
    await flushed(root(), ORDERS, third);
    let moved = 0;
    const killed = take(async () => {
      if (moved++ === at) throw new Error('killed');
    });
    await expect(killed).rejects.toThrow('killed');
    expect([...(await linked()), ...(await collected())]).toHaveLength(12);
    expect(await take()).toEqual({ gaps: [], sstables: 2, unfinished: 0 });
    expect(await collected()).toEqual([...componentsOf('nb-2-big'), ...componentsOf('nb-3-big')]);
    expect(await linked()).toEqual([]);
    for (const path of [join('.ringvault', 'increments'), tablePath(ORDERS)]) {
      await rm(join(root(), path), { recursive: true });
    }
    await flushed(root(), ORDERS, { name: 'nb-1-big', spans: [{ from: 1, to: 5 }] });
    previous = await memoryOfAll(5);
  }
});

it('what a sealed backup holds is deleted, under backups/ and among what was collected', async () => {
  await flushed(root(), ORDERS, second);
  await take();
  previous = {
    ...(await memoryOfAll(9)),
    before: { [tablePath(ORDERS)]: (await sstablesAt('collected', data)).map(({ key }) => key ?? '') },
  };
  await flushed(root(), ORDERS, { name: 'nb-3-big', spans: [{ from: 9, to: 12 }] });
  expect(await take()).toEqual({ gaps: [], sstables: 1, unfinished: 0 });
  expect(await collected()).toEqual(componentsOf('nb-3-big'));
  expect(await linked()).toEqual([]);
});

describe('a gap', () => {
  const expectGap = async (why: RegExp, more?: { undurable?: string[] }) => {
    const before = await linked();
    expect((await take(undefined, more)).gaps).toEqual([expect.stringMatching(why)]);
    // Nothing is touched: a base will be taken, or nothing.
    expect(await linked()).toEqual(before);
    expect(await collected()).toEqual([]);
  };

  it('is a flush that was not linked', async () => {
    await writeLive(root(), ORDERS, second);
    await flushed(root(), ORDERS, { name: 'nb-3-big', spans: [{ from: 9, to: 12 }] });
    await expectGap(/nb-2-big-\*: it was flushed while incremental backups were off/);
  });

  it('is such a flush within what compaction made of it', async () => {
    await flushed(root(), ORDERS, { name: 'nb-3-big', spans: [{ from: 9, to: 12 }] });
    await writeLive(root(), ORDERS, { name: 'nb-4-big', spans: [{ from: 1, to: 12 }] });
    await expectGap(/nb-4-big-\*: it was flushed/);
  });

  it('is none where compaction put together what is linked and what backups hold', async () => {
    await flushed(root(), ORDERS, second);
    await flushed(root(), ORDERS, { name: 'nb-3-big', spans: [{ from: 9, to: 12 }] });
    await writeLive(root(), ORDERS, { name: 'nb-4-big', spans: [{ from: 1, to: 12 }] });
    expect(await take()).toEqual({ gaps: [], sstables: 2, unfinished: 0 });
    expect((await recall(host, RUN))?.upTo[`${tablePath(ORDERS)}/`]).toBe(upTo(12));
  });

  it('is an SSTable of another node that was not linked, and one that tells nothing', async () => {
    const hostId = '11111111-2d22-4cc2-99ef-2a36e09d4b93';
    await writeLive(root(), ORDERS, { name: 'nb-4-big', spans: [{ from: 1, to: 2 }], hostId });
    await expectGap(/nothing tells whether the backups before hold all/);
  });

  it('is what is not in the commit log, as soon as compaction touched it', async () => {
    await writeLive(root(), ORDERS, { name: 'nb-4-big', spans: [{ from: 1, to: 5 }] });
    expect(await take()).toMatchObject({ gaps: [] });
    await expectGap(/nothing tells/, { undurable: [ORDERS.keyspace] });
  });

  it('is an SSTable that somebody put in the place of one that a backup holds', async () => {
    await writeLive(root(), ORDERS, { name: 'nb-1-big', spans: [{ from: 1, to: 4 }], content: 'by hand' });
    expect((await take()).gaps).toEqual([expect.stringContaining('its name was used before')]);
  });

  it('is a name that was used before, for other data', async () => {
    await rm(join(root(), tablePath(ORDERS)), { recursive: true });
    await writeFile(join(root(), 'takes the inode'), '');
    await flushed(root(), ORDERS, { name: 'nb-1-big', spans: [{ from: 9, to: 12 }], content: 'other' });
    await expectGap(/nb-1-big-\*: its name was used before/);
  });

  it('is none of a table made since', async () => {
    await flushed(root(), ITEMS, { name: 'nb-1-big', spans: [{ from: 2, to: 9 }] });
    expect(await take()).toEqual({ gaps: [], sstables: 1, unfinished: 0 });
  });

  it('is a table made since, of which a flush was not linked', async () => {
    await writeLive(root(), ITEMS, { name: 'nb-1-big', spans: [{ from: 2, to: 4 }] });
    await expectGap(/Items-.*nb-1-big-\*: it was flushed/);
  });
});

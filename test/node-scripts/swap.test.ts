// The swap on a real directory tree, killed at every operation: whatever was interrupted, settling gives exactly the tree
// from before or exactly the restored one.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SwapState } from '../../contracts/actions.ts';
import { placeTables, planSwap } from '../../node-scripts/swap/place-tables.ts';
import { readPlan } from '../../node-scripts/swap/plan.ts';
import { type PutBackOptions, putBackTables } from '../../node-scripts/swap/put-back-tables.ts';
import { releaseAside } from '../../node-scripts/swap/release-aside.ts';
import { mustBeWhole, swapState } from '../../node-scripts/swap/state.ts';
import { undoneRoot } from '../../node-scripts/transfer/placement.ts';
import { dieAfter, Killed, liveOn, useFatalDisk } from './fatal-disk.ts';

const RUN = '20261121t040000z-0a1b2c3d';
const id = (digit: string) => digit.repeat(32);
const T1 = `shop/orders-${id('1')}`;
const T2 = `shop/items-${id('2')}`;
const T3 = `other/lost-${id('3')}`;
const T4 = `shop/empty-${id('4')}`;
const PAXOS = `system/paxos-${id('5')}`;
const TABLES = [
  { keyspace: 'shop', table: 'orders', tableId: id('1') },
  { keyspace: 'shop', table: 'items', tableId: id('2') },
  { keyspace: 'other', table: 'lost', tableId: id('3') },
  { keyspace: 'shop', table: 'empty', tableId: id('4') },
];

type Tree = Record<string, string>;
const BEFORE: Tree = {
  [`data1/${T1}/nb-1-big-Data.db`]: 'old orders',
  [`data1/${T1}/.by_name/nb-1-big-Data.db`]: 'old index',
  [`data1/${T1}/nb_txn_compaction_1.log`]: 'left over',
  [`data1/${T1}/snapshots/mine/nb-1-big-Data.db`]: 'a snapshot of the owner',
  [`data1/${T1}/backups/nb-1-big-Data.db`]: 'an incremental',
  [`data2/${T1}/nb-7-big-Data.db`]: 'old orders, second directory',
  [`data1/${T2}/nb-2-big-Data.db`]: 'old items',
  [`data1/${T4}/nb-2-big-Data.db`]: 'empty in the backup',
  [`data1/shop/unrelated-${id('9')}/nb-1-big-Data.db`]: 'not of the backup',
  [`data1/${PAXOS}/nb-1-big-Data.db`]: 'stale ballots',
  [`data1/system/paxos_repair_history-${id('6')}/nb-1-big-Data.db`]: 'another table',
  'commitlog/CommitLog-7-1.log': 'unflushed',
  'commitlog/CommitLog-7-2.log': 'more',
  'hints/hint.hints': 'hint',
};
const STAGED: Tree = {
  [`data1/.ringvault/${RUN}.new/${T1}/nb-1-big-Data.db`]: 'restored orders',
  [`data1/.ringvault/${RUN}.new/${T1}/.by_name/nb-1-big-Data.db`]: 'restored index',
  [`data2/.ringvault/${RUN}.new/${T2}/nb-3-big-Data.db`]: 'restored items',
  [`data1/.ringvault/${RUN}.new/${T3}/nb-1-big-Data.db`]: 'restored lost table',
};
const AFTER: Tree = {
  [`data1/${T1}/nb-1-big-Data.db`]: 'restored orders',
  [`data1/${T1}/.by_name/nb-1-big-Data.db`]: 'restored index',
  [`data1/${T1}/snapshots/mine/nb-1-big-Data.db`]: 'a snapshot of the owner',
  [`data1/${T1}/backups/nb-1-big-Data.db`]: 'an incremental',
  [`data2/${T2}/nb-3-big-Data.db`]: 'restored items',
  [`data1/${T3}/nb-1-big-Data.db`]: 'restored lost table',
  [`data1/shop/unrelated-${id('9')}/nb-1-big-Data.db`]: 'not of the backup',
  [`data1/system/paxos_repair_history-${id('6')}/nb-1-big-Data.db`]: 'another table',
};
/** What Cassandra does after a restore: new data, a new snapshot, a new commit log. */
const SERVED: Tree = {
  [`data1/${T1}/nb-2-big-Data.db`]: 'written since',
  [`data1/${T1}/snapshots/since/nb-2-big-Data.db`]: 'a snapshot since',
  [`data1/${T3}/snapshots/since/nb-2-big-Data.db`]: 'a snapshot since, of a table that was lost',
  'commitlog/CommitLog-8-1.log': 'written since',
};

/** What was live until the undo: all of it but the snapshots, which stay with their tables. */
const KEPT_AFTER_UNDO: Tree = {
  ...Object.fromEntries(
    Object.entries({ ...AFTER, ...SERVED }).filter(
      ([path, content]) => !/snapshots|backups/.test(path) && content !== BEFORE[path],
    ),
  ),
};

let root: string;
let journals: string;

// The tests' own files are made and read synchronously: that takes a third of the time, and spares no operation of the disk
// that dies.
function build(tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** Files by path, without what is below .ringvault. */
function tree(directory = root): Tree {
  const found: Tree = {};
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isFile()) found[path.slice(root.length + 1)] = readFileSync(path, 'utf8');
    else if (entry.name !== '.ringvault' && path !== journals) Object.assign(found, tree(path));
  }
  return found;
}

/** What undo keeps aside, by the paths that it was live at. */
function kept(): Tree {
  const found: Tree = {};
  for (const live of ['data1', 'data2', 'commitlog', 'hints', 'saved_caches']) {
    const undone = undoneRoot(join(root, live), RUN);
    if (!existsSync(undone)) continue;
    for (const [path, content] of Object.entries(tree(undone)))
      found[join(live, path.slice(undone.length - root.length))] = content;
  }
  return found;
}

async function place(beforeTable?: () => Promise<void>): Promise<void> {
  const dataDirectories = [join(root, 'data1'), join(root, 'data2')];
  const plan = await planSwap({
    journals,
    runId: RUN,
    dataDirectories,
    tables: TABLES,
    emptiedTables: [{ keyspace: 'system', table: 'paxos' }],
    emptiedDirectories: ['commitlog', 'hints', 'saved_caches'].map((name) => join(root, name)),
  });
  await placeTables(journals, plan, beforeTable);
}

async function settle(direction: 'back' | 'forward'): Promise<void> {
  const state = await swapState(journals, RUN);
  if (direction === 'back' && !['none', 'put-back'].includes(state)) await putBack();
  if (direction === 'forward' && state === 'partly-placed') await place();
}

async function putBack(options: Partial<PutBackOptions> = {}): Promise<void> {
  const plan = await readPlan(journals, RUN);
  if (plan) await putBackTables(journals, plan, { keeps: false, ...options });
}

function fresh(...trees: Tree[]): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  for (const each of trees) build(each);
}

/** @returns whether it was killed */
async function killedAfter(operations: number, torn: boolean, work: () => Promise<void>): Promise<boolean> {
  dieAfter(operations, torn);
  try {
    await work();
    return false;
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    return true;
  } finally {
    liveOn();
  }
}

let putDiskBack: () => void;
beforeAll(() => {
  putDiskBack = useFatalDisk();
});
afterAll(() => putDiskBack());
beforeEach(() => {
  // In memory: a killed process loses nothing that the kernel has.
  root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'ringvault-swap-'));
  journals = join(root, 'journals');
});
afterEach(() => {
  liveOn();
  rmSync(root, { recursive: true, force: true });
});

describe('the swap', () => {
  it('places what is staged and keeps what was there, for undo and for release', async () => {
    fresh(BEFORE, STAGED);
    await place();
    expect(tree()).toEqual(AFTER);
    expect(await swapState(journals, RUN)).toBe('placed');
    await place();
    expect(tree()).toEqual(AFTER);
    const plan = await readPlan(journals, RUN);
    const { freedBytes } = (plan && (await releaseAside(journals, plan))) ?? { freedBytes: 0 };
    expect(freedBytes).toBeGreaterThan('old orders'.length);
    expect(tree()).toEqual(AFTER);
    expect(await swapState(journals, RUN)).toBe('released');
  });

  it('moves nothing where a link leads to what it would keep: it could not be released', async () => {
    fresh(BEFORE, STAGED);
    const ringvault = join(root, 'hints', '.ringvault');
    symlinkSync(root, ringvault);
    await expect(place()).rejects.toMatchObject({ name: 'FileInTheWay' });
    expect(tree()).toEqual(BEFORE);
    unlinkSync(ringvault);
    await place();
    const moved = join(root, 'data1', '.ringvault', 'moved');
    renameSync(ringvault, moved);
    symlinkSync(moved, ringvault);
    await expect(putBack()).rejects.toMatchObject({ name: 'FileInTheWay' });
    expect(tree()).toEqual(AFTER);
    unlinkSync(ringvault);
    renameSync(moved, ringvault);
    await putBack();
    expect(tree()).toEqual(BEFORE);
  });

  it('is undone after Cassandra served, and keeps the snapshots taken since', async () => {
    fresh(BEFORE, STAGED);
    await place();
    build(SERVED);
    await putBack();
    expect(tree()).toEqual({
      ...BEFORE,
      [`data1/${T1}/snapshots/since/nb-2-big-Data.db`]: 'a snapshot since',
      [`data1/${T3}/snapshots/since/nb-2-big-Data.db`]: 'a snapshot since, of a table that was lost',
    });
    expect(await swapState(journals, RUN)).toBe('put-back');
  });

  it('keeps, where it is undone, what was live until then: until its release', async () => {
    fresh(BEFORE, STAGED);
    await place();
    build(SERVED);
    await putBack({ keeps: true });
    expect(kept()).toEqual(KEPT_AFTER_UNDO);
    await putBack({ keeps: true });
    expect(kept()).toEqual(KEPT_AFTER_UNDO);
    const live = tree();
    const plan = await readPlan(journals, RUN);
    if (plan) await releaseAside(journals, plan);
    expect(kept()).toEqual({});
    expect(tree()).toEqual(live);
    expect(await swapState(journals, RUN)).toBe('released');
  });

  it('asks before each table that it moves, and before it deletes', async () => {
    const refuseAt = (count: number) => {
      let asked = 0;
      return async () => {
        asked += 1;
        if (asked === count) throw new Error('the right is lost');
      };
    };
    const tables = 7;
    for (let count = 1; count <= tables; count += 1) {
      fresh(BEFORE, STAGED);
      await expect(place(refuseAt(count))).rejects.toThrow('the right is lost');
      const moved = (await readPlan(journals, RUN))?.tables.filter(
        ({ live, staged }) => existsSync(live) && !existsSync(staged),
      );
      expect(moved).toHaveLength(count - 1);
    }
    await place(refuseAt(tables + 1));
    for (let count = 1; count <= tables + 1; count += 1) {
      fresh(BEFORE, STAGED);
      await place();
      await expect(putBack({ before: refuseAt(count) })).rejects.toThrow('the right is lost');
      const undone = (await readPlan(journals, RUN))?.tables.filter((table) => existsSync(table.undone));
      expect(undone).toHaveLength(count - 1);
    }
    await putBack();
    expect(tree()).toEqual(BEFORE);
  });

  it.each(['forward', 'back'] as const)(
    'gives a whole tree when it is settled %s after a kill at any operation',
    async (direction) => {
      const states = new Set<SwapState>();
      for (let operations = 0, killed = true; killed; operations += 1) {
        fresh(BEFORE, STAGED);
        killed = await killedAfter(operations, operations % 2 === 0, place);
        const state = await swapState(journals, RUN);
        states.add(state);
        if (state === 'partly-placed') await expect(mustBeWhole(journals)).rejects.toThrow('partly-placed');
        await settle(direction);
        await mustBeWhole(journals);
        const isOld = direction === 'back' || state === 'none';
        expect(tree(), `killed after ${operations} operations`).toEqual(isOld ? BEFORE : AFTER);
      }
      expect([...states]).toEqual(['none', 'partly-placed', 'placed']);
    },
    120_000,
  );

  it('gives a whole tree however often it is killed on its way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('forward' as const, 'back' as const),
        fc.boolean(),
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 5 }),
        async (direction, torn, kills) => {
          fresh(BEFORE, STAGED);
          const [first = 0, ...more] = kills;
          await killedAfter(first + 4, torn, place);
          const begun = (await swapState(journals, RUN)) !== 'none';
          for (const kill of more) await killedAfter(kill, torn, () => settle(direction));
          await settle(direction);
          await mustBeWhole(journals);
          expect(tree()).toEqual(direction === 'back' || !begun ? BEFORE : AFTER);
        },
      ),
      { numRuns: 40 },
    );
  }, 120_000);

  it('is put back whole after a kill at any operation of the put-back', async () => {
    const expected = {
      ...BEFORE,
      [`data1/${T1}/snapshots/since/nb-2-big-Data.db`]: 'a snapshot since',
      [`data1/${T3}/snapshots/since/nb-2-big-Data.db`]: 'a snapshot since, of a table that was lost',
    };
    for (let operations = 0, killed = true; killed; operations += 1) {
      fresh(BEFORE, STAGED);
      await place();
      build(SERVED);
      killed = await killedAfter(operations, operations % 2 === 1, () => putBack({ keeps: true }));
      await putBack({ keeps: true });
      expect(tree(), `killed after ${operations} operations`).toEqual(expected);
      expect(kept(), `killed after ${operations} operations`).toEqual(KEPT_AFTER_UNDO);
    }
  }, 120_000);

  it('refuses by name where directories are not what the journal says', async () => {
    fresh(BEFORE, STAGED);
    let tables = 0;
    const thirdTable = async () => {
      tables += 1;
      if (tables === 3) throw new Killed('killed');
    };
    await expect(place(thirdTable)).rejects.toThrow('killed');
    expect(await swapState(journals, RUN)).toBe('partly-placed');
    for (const path of [T1, T2, T4, PAXOS]) {
      build({ [`data1/.ringvault/${RUN}/${path}/intruder`]: 'made by nobody we know' });
    }
    await expect(settle('forward')).rejects.toMatchObject({ name: 'SwapConflict' });
  });
});

// Before the stop for a restore of some tables: no clients any more, then nothing owed to other nodes.
import { chmod, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ManualClock, manualClock } from '../../adapters/clock-manual.ts';
import type { Clock } from '../../adapters/ports.ts';
import type { ActionInput, ActionName } from '../../contracts/actions.ts';
import { fakeNode, write } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const RUN = '20261121t030000z-0a1b2c3d';
const START = new Date('2026-11-21T03:00:00Z');
/** Between two looks; for writes of 12 s to end, and batches to be old enough to be replayed; for hints to be flushed. */
const WRITES_OVER_MS = 1_000 + 2 * 12_000;
const HINTS_FLUSHED_MS = 1_000 + 1_500;
const OWN_WAITS_MS = [500, WRITES_OVER_MS, HINTS_FLUSHED_MS];
const HINTS = '0f7e9a52-0000-4000-8000-000000000000-1700000000000-2.hints';

let host: HostUnderTest;
let clock: ManualClock;
let onSleep: () => Promise<void>;

/** `requests` is how many are under way; each look finds one less. */
const nodetool = (root: string) => `#!/bin/sh
echo "$1" >> ${root}/asked
if [ "$1" = tpstats ]; then
  left=$(cat ${root}/requests)
  echo 'Pool Name                    Active   Pending      Completed   Blocked  All time blocked'
  echo "Native-Transport-Requests         $left         0          51234         0                 0"
  echo $((left > 0 ? left - 1 : 0)) > ${root}/requests
fi
if [ "$*" = 'gettimeout write' ]; then echo 'Current timeout for type write: 12000 ms'; fi
`;

const asked = async () => (await readFile(join(host.root, 'asked'), 'utf8')).trim().split('\n');

beforeEach(async () => {
  clock = manualClock(START);
  onSleep = async () => undefined;
  const sleep: Clock['sleep'] = async (milliseconds, signal) => {
    // Heartbeats and progress do not turn the clock: the action's own waits are what is looked at.
    if (!OWN_WAITS_MS.includes(milliseconds)) return new Promise((resolve) => setTimeout(resolve, 5));
    await clock.sleep(milliseconds, signal);
    await onSleep();
  };
  host = await hostUnderTest({ clock: { ...clock, sleep } });
  await fakeNode(host, { hints_flush_period: '1500ms' });
  await write(join(host.root, 'requests'), '0');
  await write(join(host.root, 'nodetool'), nodetool(host.root));
  await chmod(join(host.root, 'nodetool'), 0o755);
});
afterEach(() => host.remove());

async function run<Name extends ActionName>(action: Name, input: ActionInput<Name>) {
  const plain = host.document(RUN, action, input);
  const cassandra = { ...plain.cassandra, nodetool: [join(host.root, 'nodetool')] };
  const graceUntil = '2999-01-01T00:00:00.000Z';
  const document = await host.request({ ...plain, cassandra, graceUntil });
  await host.carryOut(document);
  return host.callback.answers.get(document.taskToken);
}

describe('stop-clients', () => {
  it('keeps clients out of a host that may be restored, and of no other', async () => {
    expect(await run('stop-clients', {})).toMatchObject({ error: { errorName: 'RestoreNotAllowed' } });
    await host.allowRestore();
    expect(await run('stop-clients', {})).toMatchObject({ output: { stoppedAt: expect.any(String) } });
    expect(await asked()).toEqual(['disablebinary']);
  });

  it('does not while hints are piled up: that takes time in which clients can be served', async () => {
    await host.allowRestore();
    await write(join(host.root, 'hints', HINTS), 'for another node');
    expect(await run('stop-clients', {})).toMatchObject({ error: { errorName: 'HintsPending' } });
    await expect(asked()).rejects.toThrow('ENOENT');
  });
});

describe('settle-writes', () => {
  it('does not wait for ever for a request that does not end: nobody is served meanwhile', async () => {
    await write(join(host.root, 'requests'), '1000000');
    onSleep = async () => clock.advance(60_000);
    expect(await run('settle-writes', {})).toMatchObject({
      error: { errorName: 'HintsPending', message: expect.stringMatching(/requests of clients under way/) },
    });
  });

  it('waits until no replica can still fail to answer, has batches replayed, and until hints are in files', async () => {
    await write(join(host.root, 'requests'), '2');
    const answered = await run('settle-writes', {});
    expect(answered).toEqual({ output: { durationMs: 2 * 500 + WRITES_OVER_MS + HINTS_FLUSHED_MS } });
    expect(await asked()).toEqual(['tpstats', 'tpstats', 'tpstats', 'gettimeout', 'replaybatchlog']);
  });

  it('waits for hints to be delivered', async () => {
    const file = join(host.root, 'hints', HINTS);
    await write(file, 'for another node');
    const started = clock.now().getTime();
    onSleep = async () => {
      if (clock.now().getTime() > started + 60_000) await rm(file, { force: true });
    };
    expect(await run('settle-writes', {})).toMatchObject({ output: { durationMs: expect.any(Number) } });
    expect(clock.now().getTime() - started).toBeGreaterThan(60_000);
  });

  it('fails by name where they are not', async () => {
    await write(join(host.root, 'hints', HINTS), 'for another node');
    expect(await run('settle-writes', {})).toMatchObject({
      error: { errorName: 'HintsPending', message: expect.stringContaining(HINTS) },
    });
  });
});

describe('stop', () => {
  it.each([true, false])('with hints that are left, where that may be: %s', async (mayLeaveHints) => {
    await host.allowRestore();
    await write(join(host.root, 'hints', HINTS), 'for another node');
    const answered = await run('stop', { mayFailToDrain: false, mayLeaveHints });
    expect(answered).toMatchObject(
      mayLeaveHints ? { output: { drained: false } } : { error: { errorName: 'HintsPending' } },
    );
  });
});

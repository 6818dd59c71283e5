// One action, attempt after attempt: what is told again, what goes on, what stops, and what is never begun.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ManualClock, manualClock } from '../../adapters/clock-manual.ts';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { ObjectStore } from '../../adapters/ports.ts';
import type { ActionDocument } from '../../contracts/actions.ts';
import { progress } from '../../contracts/runs.ts';
import { isThere } from '../../node-scripts/durable-files.ts';
import { lockHolder, tryLock } from '../../node-scripts/process-lock.ts';
import { fakeNode, ORDERS, TAG, uploadInput, writeSnapshot } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const RUN = '20261121t020000z-0a1b2c3d';
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';

let clock: ManualClock;
let host: HostUnderTest;

beforeEach(async () => {
  clock = manualClock(new Date('2026-11-21T02:00:00Z'));
  host = await hostUnderTest({ clock });
});
afterEach(() => host.remove());

const prepare = () => host.document(RUN, 'prepare', { architecture });
const answerOf = (document: ActionDocument) => host.callback.answers.get(document.taskToken);
const resultOf = async (document: ActionDocument) =>
  JSON.parse(
    (await host.store.get(host.layout.result(host.instanceArn, document.actionId)))?.body.toString() ??
      'null',
  );
async function progressOf(document: ActionDocument) {
  const stored = await host.store.get(host.layout.progress(host.instanceArn, document.actionId));
  return progress.parse(JSON.parse(stored?.body.toString() ?? ''));
}

/** An upload of one table that hangs at its first object until a later attempt takes over. */
async function hangingUpload(): Promise<ActionDocument> {
  const [data = ''] = await fakeNode(host);
  await writeSnapshot(data, ORDERS, { 'nb-1-big': Buffer.from('orders') }, ['nb-1-big-Data.db']);
  const document = host.document(RUN, 'upload', uploadInput(RUN, [ORDERS]));
  // The clock of these tests runs as fast as it is asked.
  return { ...document, graceUntil: '2999-01-01T00:00:00.000Z' };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The fail point has left its mark: the action waits in it. */
const untilHanging = (document: ActionDocument) =>
  until(() => isThere(`${host.paths.action(document.actionId)}/fail-point-upload.object`));

describe('an attempt at an action', () => {
  it('answers its token, and leaves the same under its result key', async () => {
    const document = await host.request(prepare());
    expect(await host.carryOut(document)).toBe('succeeded');
    expect(answerOf(document)).toEqual({ output: await resultOf(document) });
    expect(await progressOf(document)).toMatchObject({ state: 'succeeded', phase: 'prepare', runId: RUN });
    expect(await lockHolder(host.paths.action(document.actionId))).toBeUndefined();
  });

  it('tells a success again under a later token, and does nothing twice', async () => {
    const first = await host.request(prepare());
    await host.carryOut(first);
    host.memory.objects.delete(host.layout.result(host.instanceArn, first.actionId));
    const second = await host.request({ ...first, input: { architecture: 'no such' } });
    expect(await host.carryOut(second)).toBe('replayed');
    expect(answerOf(second)).toEqual(answerOf(first));
    expect(await resultOf(second)).not.toBeNull();
  });

  it('does not tell a failure again: it is another attempt', async () => {
    const other = architecture === 'x64' ? 'arm64' : 'x64';
    const first = await host.request(host.document(RUN, 'prepare', { architecture: other }));
    expect(await host.carryOut(first)).toBe('failed');
    expect(answerOf(first)).toMatchObject({ error: { errorName: 'UnsupportedHost' } });
    expect(await progressOf(first)).toMatchObject({
      state: 'failed',
      error: { errorName: 'UnsupportedHost' },
    });
    const second = await host.request({ ...first, input: { architecture } });
    expect(await host.carryOut(second)).toBe('succeeded');
  });

  it('refuses an input that is not the action’s', async () => {
    const document = await host.request(host.document(RUN, 'prepare', { architecture, more: 1 }));
    await host.carryOut(document);
    expect(answerOf(document)).toMatchObject({ error: { errorName: 'InvalidDocument' } });
  });

  it('refuses by name what belongs to an ended run', async () => {
    await mkdir(dirname(host.paths.endedMarker(RUN)), { recursive: true });
    await writeFile(host.paths.endedMarker(RUN), '');
    const document = await host.request(prepare());
    await host.carryOut(document);
    expect(answerOf(document)).toMatchObject({ error: { errorName: 'RunEnded' } });
  });

  it('leaves the work to the process that holds the lock', async () => {
    const document = await host.request(prepare());
    const lock = await tryLock(host.paths.action(document.actionId));
    expect(await host.carryOut(document)).toBe('held');
    expect(answerOf(document)).toBeUndefined();
    if (lock !== 'held') await lock.release();
    expect(await host.carryOut(document)).toBe('succeeded');
  });

  it('answers a later token that came when it had stopped looking for one', async () => {
    const memory = memoryObjectStore({ clock });
    const { put } = memory;
    let second: ActionDocument | undefined;
    const store: ObjectStore = Object.assign(memory, {
      async put(...[key, body, mode]: Parameters<ObjectStore['put']>) {
        // The last that is told before the lock is given back.
        if (!second && key.startsWith('progress/') && String(body).includes('"succeeded"')) {
          host.callback.expire(first.taskToken);
          second = await host.request(first);
        }
        return put(key, body, mode);
      },
    });
    await host.remove();
    host = await hostUnderTest({ clock, memory, store });
    const first = await host.request(prepare());
    expect(await host.carryOut(first)).toBe('succeeded');
    expect(answerOf(first)).toBeUndefined();
    expect(second && answerOf(second)).toEqual({ output: await resultOf(first) });
  });

  it('goes on under a later token where its own is no longer valid', async () => {
    const first = await host.request(await hangingUpload());
    const ended = host.carryOut(first, 'upload.object:hang');
    await untilHanging(first);
    host.callback.expire(first.taskToken);
    await until(async () => (await progressOf(first)).state === 'waiting');
    const second = await host.request(first);
    expect(await ended).toBe('succeeded');
    expect(answerOf(first)).toBeUndefined();
    expect(answerOf(second)).toHaveProperty('output');
  });

  it('goes on under a later token where its own heartbeats had failed', async () => {
    const first = await host.request(await hangingUpload());
    const ended = host.carryOut(first, 'upload.object:hang,heartbeat:hang');
    await untilHanging(first);
    await until(async () => (await progressOf(first)).state === 'waiting');
    expect(host.callback.heartbeats).toEqual([]);
    host.callback.expire(first.taskToken);
    const second = await host.request(first);
    expect(await ended).toBe('succeeded');
    expect(host.callback.heartbeats).toContain(second.taskToken);
  });

  it('stops when its grace is over and nobody has taken it over', async () => {
    const document = { ...(await hangingUpload()), graceUntil: '2026-11-21T02:10:00.000Z' };
    const first = await host.request(document);
    const ended = host.carryOut(first, 'upload.object:hang');
    await untilHanging(first);
    host.callback.expire(first.taskToken);
    expect(await ended).toBe('failed');
    expect(clock.now().toISOString() > '2026-11-21T02:10:00.000Z').toBe(true);
    expect((await progressOf(first)).error?.errorName).toBe('ActionLost');
  });

  it('stops when its run is ended meanwhile', async () => {
    const first = await host.request(await hangingUpload());
    const ended = host.carryOut(first, 'upload.object:hang');
    await untilHanging(first);
    await mkdir(dirname(host.paths.endedMarker(RUN)), { recursive: true });
    await writeFile(host.paths.endedMarker(RUN), '');
    expect(await ended).toBe('failed');
    expect(answerOf(first)).toMatchObject({ error: { errorName: 'RunEnded' } });
  });
});

describe('a destructive step', () => {
  const stop = (graceUntil: string) => ({
    ...host.document(RUN, 'stop', { mayFailToDrain: false, mayLeaveHints: true }),
    graceUntil,
  });

  beforeEach(async () => {
    await fakeNode(host);
    await host.allowRestore();
  });

  it('is not begun without a heartbeat that was accepted', async () => {
    const document = await host.request(stop('2026-11-21T02:01:00.000Z'));
    host.callback.expire(document.taskToken);
    expect(await host.carryOut(document)).toBe('failed');
    expect((await progressOf(document)).error?.errorName).toBe('ActionLost');
    const log = host.paths.action(document.actionId);
    await expect(readFile(`${log}/drained`)).rejects.toThrow('ENOENT');
  });

  it('waits for the host’s lock, which another process may hold', async () => {
    const held = await tryLock(host.paths.hostLock);
    const document = await host.request(stop('2999-01-01T00:00:00.000Z'));
    const ended = host.carryOut(document);
    await until(() => host.callback.heartbeats.length > 2);
    expect(answerOf(document)).toBeUndefined();
    if (held !== 'held') await held.release();
    expect(await ended).toBe('succeeded');
  });

  it('is refused where the guard file names other clusters alone', async () => {
    await writeFile(host.paths.guard, 'demonstration\n# demo is not allowed\n');
    const document = await host.request(stop('2999-01-01T00:00:00.000Z'));
    await host.carryOut(document);
    expect(answerOf(document)).toMatchObject({ error: { errorName: 'RestoreNotAllowed' } });
  });
});

describe('clear-snapshot', () => {
  it.each(['mine', `ringvault-20261121t020000z-ffffffff-1`, `ringvault-${RUN}-1; rm`, `ringvault-${RUN}`])(
    'refuses the tag %s, which is not of its run',
    async (tag) => {
      await fakeNode(host);
      const document = await host.request(host.document(RUN, 'clear-snapshot', { tags: [TAG, tag] }));
      await host.carryOut(document);
      expect(answerOf(document)).toMatchObject({ error: { errorName: 'InvalidDocument' } });
    },
  );
});

// Two uploads at the same time, of two hosts or on one, in whatever order their requests come to S3, one of them killed between any
// two of them: what is sealed then restores to what was backed up.
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { memoryDataKeys } from '../../adapters/data-keys-memory.ts';
import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import type { ObjectStore } from '../../adapters/ports.ts';
import { memoryTaskCallback } from '../../adapters/task-callback-memory.ts';
import { actions } from '../../contracts/actions.ts';
import { isThere } from '../../node-scripts/durable-files.ts';
import { fakeNode, ORDERS, TAG, tablePath, uploadInput, writeSnapshot } from './fake-node.ts';
import { CLUSTER, type HostUnderTest, hostUnderTest, KMS_KEY } from './host-under-test.ts';

const RUNS = ['20261121t020000z-0a1b2c3d', '20261121t030000z-0a1b2c3d'] as const;
/** On both, on one, an object each or in a pack. */
const SSTABLES = {
  same: randomBytes(1_500_000),
  packed: randomBytes(300),
  text: Buffer.alloc(90_000, 'text'),
};

class Killed extends Error {}

/** Of a program that dies at one of its requests, before S3 has it or before the answer is there: none goes out any more. */
function dyingStore(
  store: ObjectStore,
  turn: () => Promise<void>,
  kill?: { at: number; isDone: boolean },
): ObjectStore {
  let requests = 0;
  const gated = async (act: () => unknown) => {
    await turn();
    requests += 1;
    if (kill && requests > kill.at) throw new Killed();
    const isLast = requests === kill?.at;
    if (isLast && !kill?.isDone) throw new Killed();
    const answer = await act();
    if (isLast) throw new Killed();
    return answer;
  };
  return new Proxy(store, {
    get(target, name, receiver) {
      const member = Reflect.get(target, name, receiver);
      if (typeof member !== 'function' || name === 'onFailedAttempt' || name === 'encryptedWith')
        return member;
      return (...given: unknown[]) => {
        // What is told of how far it is comes when it comes.
        if (String(given[0]).startsWith('progress/')) return member.apply(target, given);
        return gated(() => member.apply(target, given));
      };
    },
  });
}

const hashesIn = async (directory: string) => {
  const names = (await readdir(directory)).filter((name) => name.startsWith('nb-'));
  const hash = async (name: string) =>
    createHash('sha256')
      .update(await readFile(join(directory, name)))
      .digest('hex');
  return Object.fromEntries(await Promise.all(names.sort().map(async (name) => [name, await hash(name)])));
};

async function restored(host: HostUnderTest, data: string, run: string, output: unknown) {
  const { headerSha256, listingSha256 } = actions.upload.output.parse(output);
  const source = {
    clusterId: CLUSTER,
    backupId: run,
    instanceArn: host.instanceArn,
    headerSha256,
    listingSha256,
  };
  await host.allowRestore();
  await rm(host.paths.cache, { recursive: true, force: true });
  const restore = run.replace('20261121', '20261122');
  await host.run(restore, 'download', { sources: [source], tables: [ORDERS] });
  return hashesIn(join(data, '.ringvault', `${restore}.new`, tablePath(ORDERS)));
}

const kill = fc.record({
  at: fc.integer({ min: 1, max: 14 }),
  isDone: fc.boolean(),
  /** Bytes at the end of its journal that had not reached the disk. */
  torn: fc.integer({ min: 0, max: 120 }),
});

it('two uploads at a time, one of them killed on its way, leave what restores', async () => {
  const manner = fc.record({ onOneHost: fc.boolean(), encrypted: fc.boolean(), compressed: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), kill, manner, async (scheduler, { torn, ...dies }, how) => {
      const memory = memoryObjectStore();
      const shared = {
        memory,
        callback: memoryTaskCallback(),
        dataKeys: memoryDataKeys(CLUSTER),
        ...(how.compressed && { compression: 'zstd' as const }),
        limits: { uploadsAtOnce: 2 },
      };
      const turn = () => scheduler.schedule(Promise.resolve());
      const first = await hostUnderTest({ ...shared, store: dyingStore(memory, turn, dies) });
      const again = await hostUnderTest({ ...shared, root: first.root, store: memory });
      const beside = { ...shared, store: dyingStore(memory, turn) };
      const second = await hostUnderTest(how.onOneHost ? { ...beside, root: first.root } : beside);
      try {
        const directories: string[] = [];
        for (const host of how.onOneHost ? [first] : [first, second]) {
          const [data = ''] = await fakeNode(host);
          const sstables = {
            'nb-1-big': SSTABLES.same,
            'nb-2-big': SSTABLES.packed,
            'nb-3-big': SSTABLES.text,
          };
          await writeSnapshot(
            data,
            ORDERS,
            sstables,
            Object.keys(sstables).map((stem) => `${stem}-Data.db`),
          );
          directories.push(data);
        }
        const [data = '', other = data] = directories;
        const inputOf = (run: string) => ({
          ...uploadInput(run, [ORDERS]),
          encryption: how.encrypted ? { clientSideKeyArn: KMS_KEY } : {},
        });
        const document = again.document(RUNS[0], 'upload', inputOf(RUNS[0]));
        const dying = await again.request(document);
        const living = again.document(RUNS[1], 'upload', inputOf(RUNS[1]));
        const requested = await again.request(living);
        const both = Promise.allSettled([first.carryOut(dying), second.carryOut(requested)]);
        const [killed, lived] = await scheduler.waitFor(both);
        expect([lived, shared.callback.answers.get(requested.taskToken)]).toEqual([
          { status: 'fulfilled', value: 'succeeded' },
          { output: expect.anything() },
        ]);
        const journal = join(first.paths.action(document.actionId), 'stored-objects');
        if (killed.status === 'rejected' || killed.value !== 'succeeded') {
          if (await isThere(journal)) await truncate(journal, Math.max(0, (await stat(journal)).size - torn));
        }
        const last = await again.request(dying);
        expect(['succeeded', 'replayed']).toContain(await again.carryOut(last));
        const outputOf = (token: string) =>
          (shared.callback.answers.get(token) as { output?: unknown } | undefined)?.output;
        const wanted = await hashesIn(join(data, tablePath(ORDERS), 'snapshots', TAG));
        expect(await restored(again, data, RUNS[0], outputOf(last.taskToken))).toEqual(wanted);
        const reader = how.onOneHost
          ? again
          : await hostUnderTest({ ...shared, root: second.root, store: memory });
        expect(await restored(reader, other, RUNS[1], outputOf(requested.taskToken))).toEqual(
          await hashesIn(join(other, tablePath(ORDERS), 'snapshots', TAG)),
        );
      } finally {
        await second.remove();
        await first.remove();
      }
    }),
    { numRuns: 15 },
  );
});

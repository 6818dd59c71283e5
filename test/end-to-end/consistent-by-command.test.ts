// Consistent backups whose applications a program on their hosts pauses, through Run Command; on Cassandra 4.1.
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { errorOf } from '../../cli/run-view.ts';
import type { LocalHost } from '../../local/hosts/host.ts';
import { clusterId, gamma, openShop, rows, write, written } from './gamma-shop.ts';
import { type Stage, sharedStage } from './stage.ts';
import { readStoredBackup } from './stored-backup.ts';

const REQUEST = { clusterId, kind: 'consistent' };
const INSTANCE_IDS = ['i-00000000000005a01', 'i-00000000000005a02'];
/** It keeps what it was asked, and whether its shop is paused; `broken` has it refuse to pause. */
const PROGRAM = `#!/bin/sh
state="$RINGVAULT_HOST_ROOT/opt/shop"
echo "$1 $RINGVAULT_WAIT_SECONDS" >> "$state/calls"
case "$1" in
  pause) [ ! -e "$state/broken" ] || { echo 'the shop is on fire' >&2; exit 1; }; touch "$state/paused" ;;
  resume) rm -f "$state/paused" ;;
  check) [ -e "$state/paused" ] || exit 3 ;;
esac
`;

let stage: Stage;
let shops: LocalHost[];

beforeAll(async () => {
  stage = await sharedStage();
  const { cloud } = stage.installation;
  shops = await Promise.all(
    INSTANCE_IDS.map((instanceId) =>
      cloud.addHost({ instanceId, clusterId, tags: { app: 'shop' }, restorable: [] }),
    ),
  );
  for (const { root } of shops) {
    await mkdir(join(root, 'opt/shop'), { recursive: true });
    await writeFile(join(root, 'opt/shop/pause'), PROGRAM, { mode: 0o755 });
  }
});
beforeEach(async () => {
  for (const { root } of shops) await writeFile(join(root, 'opt/shop/calls'), '');
});
afterEach(() => stage.calm());

const callsOf = async ({ root }: LocalHost) =>
  (await readFile(join(root, 'opt/shop/calls'), 'utf8')).trim().split('\n');

test('every host’s program pauses, says so after the snapshots, and resumes; what was written before comes back', async () => {
  const { cluster, client } = await gamma();
  await openShop(cluster, client, 'Consistent');
  const backup = stage.completed(await stage.run('backup', REQUEST));
  for (const shop of shops) expect(await callsOf(shop)).toEqual(['pause 5', 'check 5', 'resume 5']);
  const { manifest } = await readStoredBackup(stage, clusterId, backup.runId);
  expect(manifest.pause?.applications).toMatchObject(
    INSTANCE_IDS.map((address) => ({ name: `${address}.local`, address, confirmed: true })),
  );
  await write(client, 'Consistent', 'after', 0);
  stage.completed(await stage.run('restore', { clusterId, backupId: backup.runId }));
  for (const from of ['Orders', 'Cache', 'OrdersByWhen']) {
    expect(await rows(client, `"Consistent"."${from}"`)).toEqual(written('before', 0));
  }
});

test('one that refuses fails the backup with its own words, and all are resumed', async () => {
  const [first, second] = shops;
  if (!first || !second) throw new Error('there are two shops');
  await appendFile(join(second.root, 'opt/shop/broken'), '');
  const view = await stage.run('backup', REQUEST);
  expect(errorOf(view)).toMatchObject({ name: 'PauseFailed' });
  expect(errorOf(view)?.message).toContain(
    `${second.instanceId}) refused: Failed, exit code 1: the shop is on fire`,
  );
  expect(await callsOf(first)).toEqual(['pause 5', 'resume 5']);
  expect((await callsOf(second)).at(-1)).toBe('resume 5');
});

// end-run on a node that still finishes the snapshot that the killed program had asked for.
import { chmod, readdir, readFile, symlink } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock } from '../../adapters/clock-manual.ts';
import { fakeNode, TAG, write } from './fake-node.ts';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

const ENDED = '20261121t020000z-0a1b2c3d';
const RUN = '20261121t030000z-0a1b2c3d';

let host: HostUnderTest;
let data: string[];
let cqlPort: Server;

/** `late` counts how often the snapshot is there again after it was cleared. */
const nodetool = (root: string) => `#!/bin/sh
case "$1" in
  info) echo 'ID                     : 93654103-2d22-4cc2-99ef-2a36e09d4b93'
    echo 'Native Transport active: true' ;;
  clearsnapshot) echo "$3" >> ${root}/cleared ;;
  listsnapshots)
    echo 'Snapshot Details:'
    echo 'Snapshot name Keyspace name Column family name True size'
    echo '${TAG}0 shop orders 0 bytes'
    late=$(cat ${root}/late)
    if [ "$late" = unknown ]; then exit 1; fi
    if [ "$late" -gt 0 ]; then echo '${TAG} shop orders 1 KiB'; echo $((late - 1)) > ${root}/late; fi ;;
esac
`;

async function endRun(late: number | 'unknown', restoreRunId?: string): Promise<unknown> {
  await write(join(host.root, 'late'), String(late));
  const plain = host.document(RUN, 'end-run', { endedRunId: ENDED, tags: [TAG], restoreRunId });
  const { port } = cqlPort.address() as AddressInfo;
  const cql = { ...plain.cassandra.cql, port };
  const cassandra = { ...plain.cassandra, nodetool: [join(host.root, 'nodetool')], cql };
  const document = await host.request({ ...plain, cassandra, graceUntil: '2999-01-01T00:00:00.000Z' });
  await host.carryOut(document);
  return host.callback.answers.get(document.taskToken);
}

const clearedTags = async () => (await readFile(join(host.root, 'cleared'), 'utf8')).trim().split('\n');

beforeEach(async () => {
  host = await hostUnderTest({ clock: manualClock(new Date('2026-11-21T03:00:00Z')) });
  data = await fakeNode(host, { rpc_address: '127.0.0.1' });
  await write(join(host.root, 'nodetool'), nodetool(host.root));
  await chmod(join(host.root, 'nodetool'), 0o755);
  cqlPort = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => cqlPort.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  cqlPort.close();
  await host.remove();
});

describe('end-run', () => {
  it('clears again a snapshot that was finished after it was cleared', async () => {
    expect(await endRun(2)).toEqual({ output: { swap: 'none', cassandra: 'up', cleared: [TAG] } });
    expect(await clearedTags()).toEqual([TAG, TAG, TAG]);
  });

  it('does not call a snapshot cleared that is there again each time', async () => {
    expect(await endRun(1_000)).toEqual({ output: { swap: 'none', cassandra: 'up', cleared: [] } });
  });

  it('is not held up where the snapshots cannot be listed', async () => {
    expect(await endRun('unknown')).toMatchObject({ output: { cleared: [TAG] } });
  });

  it('deletes what was staged, leaves what a link leads to, and is not held up by it', async () => {
    const [first = '', second = ''] = data;
    const elsewhere = join(host.root, 'elsewhere');
    await write(join(elsewhere, `${ENDED}.new`, 'file'), '');
    await symlink(elsewhere, join(first, '.ringvault'));
    await write(join(second, '.ringvault', `${ENDED}.new`, 'file'), '');
    expect(await endRun(0, ENDED)).toEqual({ output: { swap: 'none', cassandra: 'up', cleared: [TAG] } });
    expect(await readdir(elsewhere)).toEqual([`${ENDED}.new`]);
    expect(await readdir(join(second, '.ringvault'))).toEqual([]);
  });
});

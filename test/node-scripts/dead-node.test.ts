// A dead node on its new host: nothing of another node may be there, Cassandra waits for the others' schema, and is repaired.
import { chmod, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeNode, ORDERS, tablePath, write } from './fake-node.ts';
import { type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

let host: HostWithSnapshot;
beforeEach(async () => {
  host = await hostWithSnapshot();
  await host.allowRestore();
});
afterEach(() => host.remove());

describe('a host that a dead node is to come back on', () => {
  const newHost = { readableFormats: ['nb'], clusterName: 'demo' };
  const input = async (more = newHost) => ({
    ...{ sources: [host.sourceOf(RUN, await host.upload())], tables: [ORDERS] },
    newHost: more,
  });
  /** As it is when its Cassandra was never started. */
  const empty = async () => {
    for (const root of host.data) await rm(root, { recursive: true });
    for (const root of host.data) await write(join(root, 'lost+found', '.keep'), '');
  };

  it('must have no table in any data directory, be it one of Cassandra’s own', async () => {
    const asked = await input();
    await empty();
    expect(await host.run(RESTORE, 'check-restore', asked)).toMatchObject({ freeBytes: expect.any(Number) });
    const file = `system/local-${'7'.repeat(32)}/nb-1-big-Data.db`;
    await write(join(host.data[1] ?? '', file), 'another host ID');
    await expect(host.run(RESTORE, 'check-restore', asked, 'again')).rejects.toMatchObject({
      name: 'HostNotEmpty',
      message: expect.stringContaining(`${file.split('/').slice(0, -1).join('/')}: got nb-1-big-Data.db`),
    });
  });

  it('is looked at again right before the files are placed', async () => {
    const asked = await input();
    await empty();
    await host.run(RESTORE, 'download', { sources: asked.sources, tables: asked.tables });
    const started = join(host.data[0] ?? '', tablePath(ORDERS), 'nb-1-big-Data.db');
    await write(started, 'somebody started it');
    const place = { ...asked, emptied: [] };
    await expect(host.run(RESTORE, 'place', place)).rejects.toMatchObject({ name: 'HostNotEmpty' });
    expect(await readFile(started, 'utf8')).toBe('somebody started it');
    await rm(started);
    expect(await host.run(RESTORE, 'place', place, 'again')).toMatchObject({ files: expect.any(Number) });
  });

  it.each(['commitlog', 'hints'])(
    'must have nothing in its %s directory, which would be deleted',
    async (name) => {
      const asked = await input();
      await empty();
      await write(join(host.root, name, 'CommitLog-7-1.log'), 'of another node, not flushed');
      await expect(host.run(RESTORE, 'check-restore', asked)).rejects.toMatchObject({
        name: 'HostNotEmpty',
        message: expect.stringContaining('got CommitLog-7-1.log'),
      });
    },
  );

  it('must be set up for the cluster that the node knows itself a part of', async () => {
    const asked = await input({ ...newHost, clusterName: 'other' });
    await empty();
    await expect(host.run(RESTORE, 'check-restore', asked)).rejects.toMatchObject({
      name: 'InvalidConfiguration',
      message: expect.stringMatching(/cluster_name "demo", expected "other"/),
    });
  });

  describe('in its place, under a new host ID', () => {
    const replaces = '10.0.0.3';
    const refused = async (
      expected: string | RegExp,
      more: Record<string, unknown>,
      place = 'dc=dc1\nrack=rack1\n',
    ) => {
      const asked = await input({ ...newHost, replaces } as typeof newHost);
      await fakeNode(host, {
        endpoint_snitch: 'GossipingPropertyFileSnitch',
        listen_address: '10.0.0.9',
        ...more,
      });
      await write(host.paths.fixed('/etc/cassandra/cassandra-rackdc.properties'), place);
      await empty();
      const checked = host.run(RESTORE, 'check-restore', asked);
      if (expected === 'nothing')
        return expect(checked).resolves.toMatchObject({ freeBytes: expect.any(Number) });
      return expect(checked).rejects.toMatchObject({
        name: 'InvalidConfiguration',
        message: expect.stringMatching(expected),
      });
    };
    const seeds = (own: string) => ({ seed_provider: [{ parameters: [{ seeds: own }] }] });

    it('is taken by one with another address, of the same rack', () =>
      refused('nothing', seeds('10.0.0.1,10.0.0.2')));
    it('must not have the dead one’s address: it would get its host ID', () =>
      refused(/got 10\.0\.0\.3, the address of the dead node/, { listen_address: replaces }));
    it('must not be a seed of its own: it would not wait before it joins', () =>
      refused(/among its own seeds/, seeds('10.0.0.1, 10.0.0.9')));
    it('must be in the same rack: else rows would belong to other nodes', () =>
      refused(/got datacenter dc1, rack rack2, expected dc1, rack1/, {}, 'dc = dc1\nrack = rack2\n'));
  });

  it('must read what the others read', async () => {
    const asked = await input({ ...newHost, readableFormats: ['oa'] });
    await empty();
    await expect(host.run(RESTORE, 'check-restore', asked)).rejects.toMatchObject({
      name: 'IncompatibleVersion',
      message: expect.stringMatching(/Cassandra on the other hosts reads oa/),
    });
  });
});

const ID = '93654103-2d22-4cc2-99ef-2a36e09d4b93';
const VERSION = '59adb24e-f3cd-3e02-97f0-5b395827453f';

/** Of a node that serves; the first look finds another member with another schema, the second one that is away. */
const nodetool = (root: string) => `#!/bin/sh
echo "$*" >> ${root}/asked
case $1 in
  info) printf 'ID                     : ${ID}\\nNative Transport active: true\\n' ;;
  status)
    if [ -e ${root}/coming-up ]; then rm ${root}/coming-up; echo 'error: null' >&2; exit 2; fi
    echo 'UN  127.0.0.1  100 KiB  4  100.0%  ${ID}  rack1' ;;
  describecluster)
    looks=$(grep -c describecluster ${root}/asked)
    echo 'Cluster Information:'
    echo '\tSchema versions:'
    if [ "$looks" = 1 ]; then
      printf '\\t\\t${VERSION}: [127.0.0.1]\\n\\n\\t\\t86afa796-d883-3932-aa73-6b017cef0d19: [127.0.0.2, 127.0.0.3]\\n\\n'
    elif [ "$looks" = 2 ]; then
      printf '\\t\\t${VERSION}: [127.0.0.1, 127.0.0.2]\\n\\n\\t\\tUNREACHABLE: [127.0.0.3]\\n\\n'
    else
      printf '\\t\\t${VERSION}: [127.0.0.1, 127.0.0.2, 127.0.0.3]\\n\\n'
    fi
    echo 'Stats for all nodes:' ;;
  repair) if [ "$5" = broken ]; then echo 'error: Repair job has failed' >&2; exit 2; fi ;;
esac
`;

async function run(action: 'start' | 'repair', input: unknown) {
  await write(join(host.root, 'nodetool'), nodetool(host.root));
  await chmod(join(host.root, 'nodetool'), 0o755);
  const plain = host.document(RUN, action, input);
  const cassandra = { ...plain.cassandra, nodetool: [join(host.root, 'nodetool')] };
  const document = await host.request({ ...plain, cassandra, graceUntil: '2999-01-01T00:00:00.000Z' });
  await host.carryOut(document);
  return host.callback.answers.get(document.taskToken);
}

const asked = async (word: string) =>
  (await readFile(join(host.root, 'asked'), 'utf8')).split('\n').filter((line) => line.startsWith(word));

const ADDRESS = '127.99.99.98';

describe('its start', () => {
  let server: Server;
  beforeEach(async () => {
    await write(join(host.root, 'coming-up'), '');
    // Of its own: at that of the others nobody listens.
    await fakeNode(host, { rpc_address: ADDRESS });
    server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(9042, ADDRESS, () => resolve()));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it('is over once all members are seen with one schema, and seen so again', async () => {
    expect(await run('start', { awaitsSchema: true })).toMatchObject({ output: { hostId: ID } });
    expect(await asked('describecluster')).toHaveLength(4);
    // The first look fails, as that at a node which does not know all members yet.
    expect(await asked('status')).toHaveLength(2);
  });

  it('of any other node does not wait for that', async () => {
    expect(await run('start', { awaitsSchema: false })).toMatchObject({ output: { hostId: ID } });
    expect(await asked('describecluster')).toEqual([]);
  });
});

describe('repair', () => {
  it('is in full, of all that is replicated where nothing is named', async () => {
    expect(await run('repair', { keyspaces: [], primaryRange: false })).toMatchObject({
      output: { durationMs: expect.any(Number) },
    });
    expect(await asked('repair')).toEqual(['repair -full']);
  });

  it('is of the tables that are named, a keyspace at a time', async () => {
    const keyspaces = [
      { keyspace: 'shop', tables: ['orders', 'Items'] },
      { keyspace: 'app', tables: [] },
    ];
    await run('repair', { keyspaces, primaryRange: true });
    expect(await asked('repair')).toEqual([
      'repair -full -pr -- shop orders Items',
      'repair -full -pr -- app',
    ]);
  });

  it('says what nodetool said where it fails', async () => {
    const keyspaces = [{ keyspace: 'broken', tables: [] }];
    expect(await run('repair', { keyspaces, primaryRange: true })).toMatchObject({
      error: { errorName: 'NodetoolFailed', message: expect.stringMatching(/Repair job has failed/) },
    });
  });
});

// The bulk loader as a host starts it, with a java that only says what the real one says.
import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock-system.ts';
import type { Clock } from '../../adapters/ports.ts';
import type { ActionInput } from '../../contracts/actions.ts';
import type { ListedFile } from '../../contracts/manifests.ts';
import { isThere } from '../../node-scripts/durable-files.ts';
import { batchesOf } from '../../node-scripts/transfer/sstable-batches.ts';
import { fakeNode, ITEMS, ORDERS, write } from './fake-node.ts';
import { type HostWithSnapshot, hostWithSnapshot, RESTORE, RUN } from './host-with-snapshot.ts';

const AS = { keyspace: 'Old', table: 'before' };
const TABLES = [{ ...ORDERS, as: AS }];
const PASSWORD = `p"a\\s#s' word`;

let host: HostWithSnapshot;
let calls: string;
beforeEach(async () => {
  const clock: Clock = {
    ...systemClock,
    // Before it tries again it waits for nobody here.
    sleep: (milliseconds, signal) => systemClock.sleep(milliseconds < 5_000 ? milliseconds : 1, signal),
  };
  host = await hostWithSnapshot({ clock, credentials: { username: 'somebody', password: PASSWORD } });
  calls = join(host.root, 'calls');
  await host.allowRestore();
});
afterEach(() => host.remove());

/** @param says instead of what the loader prints where all is streamed */
async function withLoader(
  says = 'echo "Streaming relevant part of $(echo $dir/*-Data.db) to [/10.0.0.1:7000]"',
) {
  const java = join(host.root, 'java');
  const script = `#!/bin/sh
echo "$@" >>${calls}.commands
for last; do :; done
arguments=${calls}.$(date +%s%N)
cat "\${last#@}" >$arguments
dir=$(tail -1 $arguments | tr -d '"')
case $dir in */nothing/*) exit 0 ;; esac
ls "$dir" >>${calls}.files
${says}
`;
  await writeFile(java, script, { mode: 0o755 });
  const include = `JAVA='${java}'\nCLASSPATH='jars/*'\nJVM_OPTS='-Done=1 -Dtwo=2'\n`;
  await write(host.paths.fixed('/usr/share/cassandra/cassandra.in.sh'), include);
}

async function input(): Promise<ActionInput<'load'>> {
  const source = host.sourceOf(RUN, await host.upload());
  return { chains: [[source]], tables: TABLES };
}

const staging = () => Promise.all(host.data.map((each) => readdir(join(each, '.ringvault')).catch(() => [])));

describe('load', () => {
  it('streams each SSTable under the new name, without its indexes, and leaves nothing behind', async () => {
    await withLoader();
    expect(await host.run(RESTORE, 'load', await input())).toMatchObject({ tables: 1, sstables: 2 });
    const files = (await readFile(`${calls}.files`, 'utf8')).trim().split('\n');
    expect(files.filter((name) => name.endsWith('Data.db'))).toEqual([
      'nb-1-big-Data.db',
      'nb-2-big-Data.db',
    ]);
    expect(files.filter((name) => /TOC|by_name/.test(name))).toEqual([]);
    expect(await staging()).toEqual([[], []]);
  });

  it('shows the password to nobody', async () => {
    await withLoader();
    await host.run(RESTORE, 'load', await input());
    const commands = await readFile(`${calls}.commands`, 'utf8');
    expect(commands).toMatch(/^-cp jars\/\* -Done=1 -Dtwo=2 -Xmx512M /);
    expect(commands).not.toContain('somebody');
    expect(commands).not.toContain('word');
    const [argumentFile = ''] = (await readdir(host.root)).filter((name) => /^calls\.\d+$/.test(name));
    const lines = (await readFile(join(host.root, argumentFile), 'utf8')).split('\n');
    expect(lines.slice(0, 2)).toEqual(['"org.apache.cassandra.tools.BulkLoader"', '"-d"']);
    // As java(1) reads it.
    expect(lines).toContain(`"p\\"a\\\\s#s' word"`);
    const kept = await readdir(host.root, { recursive: true, withFileTypes: true });
    for (const each of kept.filter((entry) => entry.isFile() && !entry.name.startsWith('calls')))
      expect(await readFile(join(each.parentPath, each.name), 'latin1')).not.toContain("s#s' word");
  });

  it.for([
    ['passes an SSTable over', 'echo "Streaming relevant part of $dir/nb-1-big-Data.db to [/10.0.0.1:7000]"'],
    ['finds no node for them', 'echo "Streaming relevant part of $(echo $dir/*-Data.db) to []"'],
    ['says nothing', 'true'],
    ['fails', 'echo gone wrong >&2; exit 1'],
  ] as const)('fails where the loader %s, and a retry goes on', async ([, says]) => {
    await withLoader(says);
    const asked = await input();
    await expect(host.run(RESTORE, 'load', asked)).rejects.toMatchObject({ name: 'LoadIncomplete' });
    await withLoader();
    expect(await host.run(RESTORE, 'load', asked)).toMatchObject({ sstables: 2 });
    expect(await staging()).toEqual([[], []]);
  });

  it('goes at the rates of cassandra.yaml, under whichever name', async () => {
    await withLoader();
    const source = host.sourceOf(RUN, await host.upload());
    await fakeNode(host, {
      inter_dc_stream_throughput_outbound_megabits_per_sec: 80,
      entire_sstable_stream_throughput_outbound: '0MiB/s',
      entire_sstable_inter_dc_stream_throughput_outbound: '2048KiB/s',
    });
    await host.run(RESTORE, 'load', { chains: [[source]], tables: TABLES });
    const [argumentFile = ''] = (await readdir(host.root)).filter((name) => /^calls\.\d+$/.test(name));
    const given = (await readFile(join(host.root, argumentFile), 'utf8')).replaceAll('"', '').split('\n');
    const rateOf = (option: string) => given[given.indexOf(option) + 1];
    expect(rateOf('--inter-dc-throttle-mib')).toBe('10');
    expect(rateOf('--entire-sstable-throttle-mib')).toBe('0');
    expect(rateOf('--entire-sstable-inter-dc-throttle-mib')).toBe('2');
  });

  it('tries a batch again before it fails', async () => {
    await withLoader(`[ $(ls ${calls}.[0-9]* | wc -l) -gt 2 ] || exit 1
echo "Streaming relevant part of $(echo $dir/*-Data.db) to [/[2001:db8::1]:7000, /10.0.0.1:7000]"`);
    expect(await host.run(RESTORE, 'load', await input())).toMatchObject({ sstables: 2 });
  });

  it('knows its SSTables where the loader resolves a link', async () => {
    await withLoader(
      'echo "Streaming relevant part of $(cd $dir; for each in *-Data.db; do echo /real/$each; done | xargs) to [/10.0.0.1:7000]"',
    );
    expect(await host.run(RESTORE, 'load', await input())).toMatchObject({ sstables: 2 });
  });

  it('streams again only what is not noted as streamed', async () => {
    await withLoader();
    const asked = await input();
    const both = {
      chains: asked.chains,
      tables: [...TABLES, { ...ITEMS, as: { keyspace: 'Old', table: 'items' } }],
    };
    const twice = { ...both, chains: [...both.chains, ...both.chains] };
    await expect(host.run(RESTORE, 'load', twice, 'load', 'load.batch:fail')).rejects.toThrow(/fail point/);
    expect(await host.run(RESTORE, 'load', twice)).toMatchObject({ sstables: 4 });
    const streams = (await readdir(host.root)).filter((name) => /^calls\.\d+$/.test(name));
    // Of the first batch nobody knows whether it was.
    expect(streams).toHaveLength(3);
  });

  it('needs the guard file, what it is to stream, and a loader that starts', async () => {
    const asked = { chains: (await input()).chains };
    const check = (phase: string) => host.run(RESTORE, 'check-loader', asked, phase);
    await expect(check('without')).rejects.toMatchObject({
      name: 'LoaderUnavailable',
      message: expect.stringMatching(/got none of .*usr\/share\/cassandra\/cassandra\.in\.sh/),
    });
    await withLoader();
    expect(await check('with')).toEqual({});
    const [first] = host.listing();
    const key = host.keyOf(first);
    const kept = host.memory.objects.get(key) ?? Buffer.alloc(0);
    host.memory.objects.delete(key);
    await expect(check('gone')).rejects.toMatchObject({
      name: 'BackupDamaged',
      message: `${key}: it is gone`,
    });
    host.memory.objects.set(key, kept);
    const include = host.paths.fixed('/usr/share/cassandra/cassandra.in.sh');
    await writeFile(include, 'JAVA=/nowhere/java\n');
    await expect(check('late')).rejects.toMatchObject({
      name: 'LoaderUnavailable',
      message: expect.stringMatching(/\/nowhere\/java/),
    });
    await writeFile(host.paths.guard, 'other\n');
    await expect(check('guarded')).rejects.toMatchObject({ name: 'RestoreNotAllowed' });
    await expect(host.run(RESTORE, 'load', await input())).rejects.toMatchObject({
      name: 'RestoreNotAllowed',
    });
  });
});

it('the loader ends with the program that started it', async () => {
  const pidFile = join(host.root, 'pid');
  await withLoader(`echo $$ >${pidFile}; exec sleep 60`);
  const module = new URL('../../node-scripts/cassandra/bulk-loader.ts', import.meta.url).href;
  const context = {
    document: {
      cassandra: {
        configFile: '/etc/cassandra/cassandra.yaml',
        cql: { port: 9042, credentialsSecretArn: '' },
      },
    },
    directory: host.root,
  };
  const program = `
    import { bulkLoad } from ${JSON.stringify(module)};
    const context = ${JSON.stringify(context)};
    await bulkLoad({ ...context, log: console, signal: new AbortController().signal,
      paths: { identity: '/nowhere', fixed: (path) => ${JSON.stringify(host.root)} + path },
      secrets: { read: async () => ({ username: 'u', password: 'p' }) } }, ${JSON.stringify(host.root)}, []);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
  try {
    await expect.poll(() => isThere(pidFile), { timeout: 20_000 }).toBe(true);
    const pid = (await readFile(pidFile, 'utf8')).trim();
    expect(await isThere(`/proc/${pid}`)).toBe(true);
    child.kill('SIGKILL');
    await expect.poll(() => isThere(`/proc/${pid}`), { timeout: 20_000 }).toBe(false);
  } finally {
    child.kill('SIGKILL');
  }
});

describe('batches', () => {
  const file = (path: string, dataDirectory = 0, sizeBytes = 10): ListedFile => ({
    ...{ path, dataDirectory, sizeBytes, sha256: 'a'.repeat(64) },
  });
  const table = (name: string) => `shop/${name}-${'1'.repeat(32)}`;
  async function gathered(files: ListedFile[], skip?: number) {
    const all = [];
    for await (const batch of batchesOf(ReadableStream.from(files), skip)) all.push(batch);
    return all;
  }
  const components = (name: string, sstable: string, ...sizes: number[]) =>
    ['Data.db', 'Index.db', 'SAI+aa+Meta.db', 'TOC.txt'].flatMap((component) =>
      (sizes.length > 0 ? sizes : [10]).map((size, directory) =>
        file(`${table(name)}/${sstable}${component}`, directory, size),
      ),
    );

  it('are of one table, with SSTables of each data directory', async () => {
    const files = [
      ...components('a', 'nb-1-big-', 10, 10),
      ...components('a', 'nb-2-big-'),
      file(`${table('a')}/.by_name/nb-1-big-Data.db`),
      ...components('b', 'nb-1-big-'),
    ];
    const batches = await gathered(files);
    expect(batches.map(({ tablePath, sstables, bytes }) => [tablePath, sstables.length, bytes])).toEqual([
      [table('a'), 3, 60],
      [table('b'), 1, 20],
    ]);
    expect((await gathered(files, 2)).map(({ sstables }) => sstables.length)).toEqual([1, 1]);
    expect(await gathered(files, 4)).toEqual([]);
  });

  it('are bounded in bytes and in number', async () => {
    const large = 3 * 1024 ** 3;
    const few = [...components('a', 'nb-1-big-', large), ...components('a', 'nb-2-big-', large)];
    expect(await gathered(few)).toHaveLength(2);
    const many = Array.from({ length: 300 }, (_, index) =>
      components('a', `nb-${1_000 + index}-big-`),
    ).flat();
    expect((await gathered(many)).map(({ sstables }) => sstables.length)).toEqual([128, 128, 44]);
  });
});

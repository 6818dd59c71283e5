// Data directories as Cassandra leaves them, with a snapshot in them, for a host under test that runs no Cassandra.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { stringify } from 'yaml';
import type { ActionInput } from '../../contracts/actions.ts';
import type { HostUnderTest } from './host-under-test.ts';

export const TAG = 'ringvault-20261121t020000z-0a1b2c3d-1';
export const ORDERS = { keyspace: 'shop', table: 'orders', tableId: '1'.repeat(32) };
export const ITEMS = { keyspace: 'shop', table: 'Items', tableId: '2'.repeat(32) };
export const ROLES = { keyspace: 'system_auth', table: 'roles', tableId: '3'.repeat(32) };
export type Table = typeof ORDERS;

export const tablePath = (table: Table) => `${table.keyspace}/${table.table}-${table.tableId}`;

/** Writes cassandra.yaml and empty data directories `data1`, `data2` of the host. */
export async function fakeNode(host: HostUnderTest, extra: Record<string, unknown> = {}): Promise<string[]> {
  const data = [join(host.root, 'data1'), join(host.root, 'data2')];
  const configuration = {
    cluster_name: 'demo',
    data_file_directories: data,
    commitlog_directory: join(host.root, 'commitlog'),
    hints_directory: join(host.root, 'hints'),
    saved_caches_directory: join(host.root, 'saved_caches'),
    // Nobody listens on port 9042 of this address.
    rpc_address: '127.99.99.99',
    ...extra,
  };
  for (const path of [...data, join(host.root, 'commitlog')]) await mkdir(path, { recursive: true });
  await write(host.paths.fixed('/etc/cassandra/cassandra.yaml'), stringify(configuration));
  return data;
}

export async function write(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** An SSTable's components below a directory; with neither Digest.crc32 nor TOC.txt where it was streamed whole. */
async function writeSSTable(directory: string, name: string, data: Buffer, streamed = false): Promise<void> {
  const components: Record<string, string | Buffer> = {
    'Data.db': data,
    'Index.db': `index of ${name}`,
    'Statistics.db': `statistics of ${name}`,
    'Filter.db': 'the same filter everywhere',
    ...(!streamed && { 'Digest.crc32': String(crc32(data)) }),
  };
  const toc = [...Object.keys(components), 'TOC.txt', 'SAI+aa+made_after_the_snapshot+Meta.db'].join('\n');
  if (!streamed) components['TOC.txt'] = `${toc}\n`;
  for (const [component, content] of Object.entries(components)) {
    await write(join(directory, `${name}-${component}`), content);
  }
}

/** The snapshot of a table in one data directory; `files` of the manifest are those of all data directories. */
export async function writeSnapshot(
  dataDirectory: string,
  table: Table,
  sstables: Record<string, Buffer>,
  manifest?: string[],
  streamed = false,
): Promise<string> {
  const directory = join(dataDirectory, tablePath(table), 'snapshots', TAG);
  await mkdir(directory, { recursive: true });
  for (const [name, data] of Object.entries(sstables)) {
    const folder = dirname(name);
    await writeSSTable(
      join(directory, folder),
      name.slice(folder === '.' ? 0 : folder.length + 1),
      data,
      streamed,
    );
  }
  if (manifest) {
    await write(join(directory, 'manifest.json'), JSON.stringify({ files: manifest, created_at: 'now' }));
    await write(join(directory, 'schema.cql'), 'CREATE TABLE …');
  }
  return directory;
}

/** What an upload of these tables is asked for, on a node with one snapshot. */
export function uploadInput(run: string, tables: Table[]): ActionInput<'upload'> {
  const schemaVersion = '93654103-2d22-4cc2-99ef-2a36e09d4b93';
  const time = '2026-11-21T02:00:00.000Z';
  return {
    backupId: run,
    kind: 'snapshot',
    hostId: schemaVersion,
    datacenter: 'dc1',
    rack: 'rack1',
    cassandraVersion: '5.0.9',
    schemaVersion,
    incrementalBackups: false,
    tag: TAG,
    times: { askedAt: time, startedAt: time, doneAt: time, clockOffsetMs: 0 },
    tables,
    scope: 'cluster',
    damagedFiles: 'refuse',
    encryption: {},
    previous: [],
  };
}

// What hosts answer, as the host program would write it: descriptions, snapshots, uploads, restores.
import type { ActionName, ActionOutput } from '../../../contracts/actions.ts';
import { actionIdOf, snapshotTagOf } from '../../../contracts/identifiers.ts';
import type { NodeHeader } from '../../../contracts/manifests.ts';
import type { RingView, SchemaView } from '../../../contracts/ring.ts';
import type { RunRef } from '../../../contracts/runs.ts';
import { serialize, sha256Of } from '../../../lambdas/vault/documents.ts';
import { hosts, type World } from './world.ts';

type Description = ActionOutput<'describe'>;

export const SCHEMA_VERSION = '11111111-1111-4111-8111-111111111111';
export const USERS_ID = 'a'.repeat(32);
export const ORDERS_ID = 'b'.repeat(32);
const AUTH_ID = 'c'.repeat(32);

export const ring: RingView = {
  clusterName: 'Demo',
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: hosts.map(({ hostId }, index) => ({
    ...{ hostId, address: `10.0.0.${index + 1}`, datacenter: 'dc1', rack: `r${index + 1}` },
    tokens: [`${index}00`, `${index}50`],
  })),
};

const column = (name: string, kind: 'partition_key' | 'regular', type = 'text') => ({
  ...{ name, type, kind, position: kind === 'partition_key' ? 0 : -1 },
});
const table = (name: string, id: string) => ({
  ...{ keyspace: 'app', name, id, kind: 'table' as const },
  columns: [column('key', 'partition_key'), column('value', 'regular')],
  indexes: [],
});

export const schema: SchemaView = {
  schemaVersion: SCHEMA_VERSION,
  tables: [table('Orders', ORDERS_ID), table('users', USERS_ID)],
  statements: [
    {
      ...{ keyspace: 'app', type: 'keyspace', name: 'app' },
      statement: "CREATE KEYSPACE app WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': '3'};",
    },
    {
      keyspace: 'app',
      type: 'type',
      name: 'address',
      statement: 'CREATE TYPE app.address (\n    street text\n);',
    },
    {
      // As DESCRIBE writes it.
      ...{ keyspace: 'app', type: 'table', name: '"Orders"' },
      statement: `CREATE TABLE app."Orders" (key text PRIMARY KEY, value text) WITH ID = ${ORDERS_ID}`,
    },
    {
      ...{ keyspace: 'app', type: 'table', name: 'users' },
      statement: `CREATE TABLE app.users (key text PRIMARY KEY, value text) WITH ID = ${USERS_ID};`,
    },
  ],
};

function description(index: number, more: Partial<Description> = {}): Description {
  const { instanceId, hostId } = hosts[index] ?? { instanceId: 'i-00000000', hostId: '' };
  return {
    ...{ instanceId, cassandra: 'up', hostId, clusterName: 'Demo', datacenter: 'dc1', rack: `r${index + 1}` },
    ...{ address: `10.0.0.${index + 1}`, cassandraVersion: '5.0.9', readableFormats: ['nb'] },
    ...{
      schemaVersion: SCHEMA_VERSION,
      ringDigest: sha256Of(serialize(ring)),
      notUpNormal: [],
      isSeed: index === 0,
    },
    dataDirectories: [{ path: '/var/lib/cassandra/data', freeBytes: 1_000_000, totalBytes: 2_000_000 }],
    ...{ restoreAllowed: true, warnings: [] },
    ...more,
  };
}

export async function answer<Name extends ActionName>(
  { vault, layout }: World,
  run: Pick<RunRef, 'runId'>,
  phase: string,
  answers: readonly (ActionOutput<Name> | undefined)[],
): Promise<void> {
  for (const [index, output] of answers.entries()) {
    const host = hosts[index];
    if (!host || !output) continue;
    const key = layout.result(host.instanceArn, actionIdOf(run.runId, phase));
    await vault.put(key, serialize(output), 'overwrite');
  }
}

/** @param more changes what a host says of itself, by its index */
export async function answerDescribe(
  world: World,
  run: Pick<RunRef, 'runId'>,
  phase = 'describe-1',
  more: Record<number, Partial<Description>> = {},
  live: { ring?: RingView; schema?: SchemaView } = {},
): Promise<void> {
  const digest = sha256Of(serialize(live.ring ?? ring));
  const described = hosts.map((_, index) => description(index, { ringDigest: digest, ...more[index] }));
  await answer<'describe'>(world, run, phase, described);
  for (const { instanceArn } of hosts) {
    const id = actionIdOf(run.runId, phase);
    await world.vault.put(
      world.layout.resultRing(instanceArn, id),
      serialize(live.ring ?? ring),
      'overwrite',
    );
    await world.vault.put(
      world.layout.resultSchema(instanceArn, id),
      serialize(live.schema ?? schema),
      'overwrite',
    );
  }
}

export function snapshot(
  run: Pick<RunRef, 'runId'>,
  round = 1,
  more: Partial<ActionOutput<'snapshot'>> = {},
): ActionOutput<'snapshot'> {
  return {
    tag: snapshotTagOf(run.runId, round),
    times: {
      ...{ askedAt: '2026-11-21T02:00:20.000Z', startedAt: '2026-11-21T02:00:20.010Z' },
      ...{ doneAt: '2026-11-21T02:00:20.500Z', clockOffsetMs: 3 },
    },
    ...{ late: false, ringDigest: sha256Of(serialize(ring)), schemaVersion: SCHEMA_VERSION, notUpNormal: [] },
    incrementalBackups: true,
    ...more,
  };
}

export function answerSnapshots(
  world: World,
  run: Pick<RunRef, 'runId'>,
  round = 1,
  more: Record<number, Partial<ActionOutput<'snapshot'>>> = {},
): Promise<void> {
  const taken = hosts.map((_, index) => snapshot(run, round, more[index]));
  return answer<'snapshot'>(world, run, `snapshot-${round}`, taken);
}

export function answerCollected(
  world: World,
  run: Pick<RunRef, 'runId'>,
  round = 1,
  more: Record<number, Partial<ActionOutput<'collect-increments'>>> = {},
): Promise<void> {
  const { times, ringDigest, schemaVersion, notUpNormal } = snapshot(run, round);
  const collected = hosts.map((_, index) => ({
    ...{
      times,
      ringDigest,
      schemaVersion,
      notUpNormal,
      turnedOn: false,
      gaps: [],
      sstables: 1,
      unfinished: 0,
    },
    ...more[index],
  }));
  return answer<'collect-increments'>(world, run, `collect-increments-${round}`, collected);
}

/** Header and listing in the vault, and the answer that names them. */
export async function answerUploads(
  world: World,
  run: Pick<RunRef, 'runId' | 'clusterId'>,
  more: Record<number, Partial<NodeHeader>> = {},
): Promise<void> {
  const outputs = hosts.map((_, index): ActionOutput<'upload'> => {
    const header = headerOf(run, index, more[index]);
    const body = serialize(header);
    const { instanceArn } = header;
    const { nodeHeader, nodeListing } = world.layout;
    world.vault.objects.set(nodeHeader(run.clusterId, run.runId, instanceArn), Buffer.from(body));
    world.vault.objects.set(nodeListing(run.clusterId, run.runId, instanceArn), LISTING);
    return {
      ...{ headerSha256: sha256Of(body), listingSha256: header.listing.sha256, systemBytes: 10 },
      ...{ files: header.files, bytes: header.bytes, uploadedFiles: 1, uploadedBytes: 100 },
      ...{ systemUploadedBytes: 10, tampered: [] },
      rottenFiles: header.damagedFiles,
      rotten: header.damagedFiles > 0 ? [`nb-1-big-Data.db: got CRC32 1, expected 2`] : [],
    };
  });
  await answer<'upload'>(world, run, 'upload', outputs);
}

const LISTING = Buffer.from('a listing');

export function headerOf(
  run: Pick<RunRef, 'runId' | 'clusterId'>,
  index: number,
  more: Partial<NodeHeader> = {},
): NodeHeader {
  const { instanceArn, hostId } = hosts[index] ?? { instanceArn: '', hostId: '' };
  const totals = (keyspace: string, name: string, tableId: string) => ({
    ...{ keyspace, table: name, tableId, files: 9, bytes: 1_000, sstables: 1 },
  });
  return {
    ...{ formatVersion: 1, backupId: run.runId, clusterId: run.clusterId, hostId, instanceArn },
    ...{ datacenter: 'dc1', rack: `r${index + 1}`, cassandraVersion: '5.0.9', sstableFormats: ['nb'] },
    ...{ dataDirectories: ['/var/lib/cassandra/data'], schemaVersion: SCHEMA_VERSION },
    ...{ snapshotTag: snapshotTagOf(run.runId, 1), snapshot: snapshot(run).times },
    tables: [
      totals('app', 'Orders', ORDERS_ID),
      totals('app', 'users', USERS_ID),
      totals('system_auth', 'roles', AUTH_ID),
    ],
    ...{ files: 27, bytes: 3_000, damagedFiles: 0 },
    listing: { sha256: sha256Of(LISTING), sizeBytes: LISTING.length, lines: 27 },
    ...more,
  };
}

// A dead node that is to come back on a host that has none: what its hosts say, and the plan that comes of it.
import { restorePlan } from '../../../contracts/plans.ts';
import { readDocument } from '../../../lambdas/vault/documents.ts';
import { headerOf } from './answers.ts';
import { completedBackup } from './backup.ts';
import { plannedRestore } from './restore.ts';
import { CLUSTER, hosts, newWorld, START, type World } from './world.ts';

const [first, second, dead] = hosts;
if (!first || !second || !dead) throw new Error('three hosts');
/** By their hosts; the last is the dead one's, and the new one's. */
export const NODES = [first, second, dead] as const;
export const OTHER_VERSION = '22222222-2222-4222-8222-222222222222';
export const deadNode = { node: dead.hostId, newInstanceId: dead.instanceId };

/** As the hosts tell it: the third is new, and the two others miss its node. */
export const EMPTY_HOST = {
  ...{ cassandra: 'down' as const, downReason: 'nobody listens', hostId: undefined, clusterName: undefined },
  ...{ datacenter: undefined, rack: undefined, address: undefined, cassandraVersion: undefined },
  ...{ readableFormats: undefined, schemaVersion: undefined, ringDigest: undefined, notUpNormal: undefined },
};
export const missing = { notUpNormal: ['10.0.0.3 (DN)'] };
export const LOST = { 0: missing, 1: missing, 2: EMPTY_HOST };
export const DOWN = { cassandra: 'down' as const };
export type Answers = NonNullable<NonNullable<Parameters<typeof plannedRestore>[1]>['more']>;

const table = (name: string, digit: string, keyspace = 'system') => ({
  ...{ keyspace, table: name, tableId: digit.repeat(32), files: 9, bytes: 500, sstables: 1 },
});

export async function backedUp(): Promise<World> {
  const world = newWorld();
  const run = { runId: '', clusterId: CLUSTER };
  const { tables, listing } = headerOf(run, 0);
  const all = [
    ...tables,
    ...[table('local', '1'), table('paxos', '2'), table('batches', '3')],
    table('tables', '4', 'system_schema'),
  ];
  const header = { tables: all, files: 63, bytes: 5_000, listing: { ...listing, lines: 63 } };
  await completedBackup(world, {}, { 0: header, 1: header, 2: header });
  return world;
}

interface Planned {
  more?: Answers;
  request?: object;
  live?: object;
  name?: string;
  at?: number;
}

export async function planned(
  world: World,
  { more = LOST, request = {}, live = {}, name = 'restore', at = 600 }: Planned = {},
) {
  const asked = { request: { deadNode, ...request }, more, live, name, at };
  const answered = await plannedRestore(world, asked);
  return { ...answered, plan: await readDocument(world, answered.planKey, restorePlan) };
}

/** Whoever has it. */
export async function releaseLock(world: World): Promise<void> {
  const lock = await world.catalog.readLock(CLUSTER);
  if (lock) await world.catalog.release({ ...lock, startedAt: START.toISOString(), configurationKey: '' });
}

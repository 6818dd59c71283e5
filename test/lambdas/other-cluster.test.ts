// A backup of one cluster restored to another: which node gets which part is told by tokens, and by nothing else.
import { describe, expect, it } from 'vitest';
import { clusterConfiguration } from '../../contracts/configuration.ts';
import { restorePlan } from '../../contracts/plans.ts';
import type { RingView } from '../../contracts/ring.ts';
import { inTermsOf } from '../../lambdas/planning/other-cluster.ts';
import { readBackup } from '../../lambdas/planning/restorable-backup.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answerDescribe, ring, schema } from './support/answers.ts';
import { completedBackup } from './support/backup.ts';
import { answerPlaced, completedRestore, plannedRestore } from './support/restore.ts';
import { CLUSTER, configuration, hosts, newWorld, type World } from './support/world.ts';

const TWIN = 'twin';
const hostIdOf = (index: number) => `9999999${index}-0000-4000-8000-000000000000`;
const hostIds = [0, 1, 2].map(hostIdOf);
/** Which node of the source each node of the twin has the tokens of. */
const SOURCES = [2, 0, 1];

/** The twin's ring: the source's tokens on other nodes, in racks of other names. */
function twinRing(more: Partial<RingView> = {}): RingView {
  return {
    ...ring,
    clusterName: 'Twin',
    nodes: SOURCES.map((source, index) => ({
      ...{ hostId: hostIdOf(index), address: `10.9.0.${index}`, datacenter: 'dc1', rack: `zone-${source}` },
      tokens: ring.nodes[source]?.tokens ?? [],
    })),
    ...more,
  };
}

/** The same with one node that is another. */
const change = (index: number, more: object) => ({
  nodes: twinRing().nodes.map((node, each) => (each === index ? { ...node, ...more } : node)),
});

const described = (ofAll: object = {}) =>
  Object.fromEntries(
    hosts.map((_, index) => [index, { hostId: hostIdOf(index), clusterName: 'Twin', ...ofAll }]),
  );

const nothingYet = { ...schema, tables: [], statements: [] };

/** A world with a backup of the source, and a twin that may read it. */
async function backedUp(restoresFrom = [CLUSTER]): Promise<World> {
  const world = newWorld();
  await completedBackup(world);
  const cluster = clusterConfiguration.parse({ ...configuration.cluster, restoresFrom });
  return {
    ...world,
    clusters: { ...world.clusters, [TWIN]: { ...configuration, clusterId: TWIN, cluster } },
  };
}

const request = { clusterId: TWIN, confirmCluster: TWIN, sourceCluster: CLUSTER };
const restoreOf = (live: RingView) => ({
  request,
  more: described(),
  live: { ring: live, schema: nothingYet },
});

async function planned(world: World, live = twinRing()) {
  const answered = await plannedRestore(world, restoreOf(live));
  return { ...answered, plan: await readDocument(world, answered.planKey, restorePlan) };
}

describe('a restore of another cluster’s backup', () => {
  it('gives each node the part of the one whose tokens it has, and all of the schema', async () => {
    const { plan, summary } = await planned(await backedUp());
    expect(plan).toMatchObject({ clusterId: TWIN, sourceCluster: CLUSTER, settlesWrites: false });
    expect(summary).toMatchObject({ sourceCluster: CLUSTER });
    expect(plan.nodes.map(({ instanceId, hostId, sources }) => [instanceId, hostId, sources[0]])).toEqual(
      // In the order of the backup.
      [0, 1, 2].map((source) => {
        const index = SOURCES.indexOf(source);
        const { instanceArn } = hosts[source] ?? {};
        return [
          hosts[index]?.instanceId,
          hostIdOf(index),
          expect.objectContaining({ clusterId: CLUSTER, instanceArn }),
        ];
      }),
    );
    expect(plan.statements.map(({ name }) => name)).toEqual(schema.statements.map(({ name }) => name));
    expect(plan.warnings.join('; ')).toMatch(/roles and permissions are not restored/);
  });

  it('goes on from a base with all increments since, each of the same node', async () => {
    const world = await backedUp();
    const [base] = await world.catalog.listRuns(CLUSTER);
    const incremental = { name: 'first', at: 60, request: { kind: 'incremental' } };
    const { runId } = await completedBackup(world, incremental);
    const answered = await plannedRestore(world, {
      ...restoreOf(twinRing()),
      request: { ...request, backupId: runId },
    });
    const { nodes } = await readDocument(world, answered.planKey, restorePlan);
    for (const { hostId, sources } of nodes) {
      const { instanceArn } = hosts[SOURCES[hostIds.indexOf(hostId)] ?? -1] ?? {};
      expect(sources).toMatchObject([
        { clusterId: CLUSTER, backupId: base?.runId, instanceArn },
        { clusterId: CLUSTER, backupId: runId, instanceArn },
      ]);
    }
    const only = { ...request, backupId: runId, snapshotOnly: true };
    await world.catalog.release(answered.run);
    const alone = await plannedRestore(world, {
      ...{ ...restoreOf(twinRing()), name: 'alone', at: 900, request: only },
    });
    expect(alone.summary).toMatchObject({ backupId: base?.runId, sourceCluster: CLUSTER });
  });

  it('is of the nodes that are named as they are here', async () => {
    const world = await backedUp();
    const nodes = [hosts[0]?.instanceId];
    const answered = await plannedRestore(world, {
      ...restoreOf(twinRing()),
      request: { ...request, nodes },
    });
    const plan = await readDocument(world, answered.planKey, restorePlan);
    expect(plan.nodes).toMatchObject([
      { hostId: hostIdOf(0), sources: [{ instanceArn: hosts[SOURCES[0] ?? -1]?.instanceArn }] },
    ]);
    expect(plan.selection.nodes).toEqual([hostIdOf(0)]);
  });

  it('takes one of its own cluster for what it is', async () => {
    const world = await backedUp();
    const answered = await plannedRestore(world, { request: { sourceCluster: CLUSTER } });
    expect(answered.summary).not.toHaveProperty('sourceCluster');
  });

  it('is refused where its hosts may not read the source’s backups', async () => {
    await expect(planned(await backedUp([]))).rejects.toMatchObject({
      name: 'InvalidConfiguration',
      message: expect.stringContaining(`restoresFrom of ${TWIN}: got none, expected "${CLUSTER}"`),
    });
  });

  it('is refused under the source’s cluster name', async () => {
    const live = twinRing({ clusterName: ring.clusterName });
    await expect(planned(await backedUp(), live)).rejects.toMatchObject({ name: 'SameClusterName' });
  });

  it('is refused while no node is up, which alone can tell its tokens', async () => {
    const restore = { ...restoreOf(twinRing()), more: described({ cassandra: 'down' }) };
    await expect(plannedRestore(await backedUp(), restore)).rejects.toMatchObject({ name: 'NodeDown' });
  });

  const misfits: Array<[string, Partial<RingView>, RegExp]> = [
    ['a node is missing', { nodes: twinRing().nodes.slice(1) }, /got no node with the tokens of 00000003/],
    ['a node has other tokens', change(1, { tokens: ['7'] }), /got no node with the tokens of 00000001/],
    ['a node is in another datacenter', change(1, { datacenter: 'dc2' }), /expected one in its datacenter/],
    [
      'two racks of the backup are one here',
      change(1, { rack: 'zone-1' }),
      /got nodes of the backup’s racks dc1\/r1, dc1\/r2 in rack dc1\/zone-1, expected of one rack/,
    ],
    ['the partitioner is another', { partitioner: 'RandomPartitioner' }, /got partitioner RandomPartitioner/],
  ];
  it.each(misfits)('is refused where %s', async (_what, more, says) => {
    const refused = planned(await backedUp(), twinRing(more));
    await expect(refused).rejects.toMatchObject({ name: 'TokensMismatch' });
    await expect(refused).rejects.toThrow(says);
  });

  it('is refused where one rack of the backup is two here', async () => {
    const together = { ...ring, nodes: ring.nodes.map((node) => ({ ...node, rack: 'r1' })) };
    const world = newWorld();
    await completedBackup(world, {}, {}, { ring: together });
    const { clusters } = await backedUp();
    await expect(planned({ ...world, clusters })).rejects.toThrow(
      /got nodes of the backup’s rack dc1\/r1 in dc1\/zone-0, dc1\/zone-1, dc1\/zone-2, expected one rack/,
    );
  });

  it('is refused where the new cluster has a node more', async () => {
    const more = { hostId: hostIdOf(7), address: '10.9.0.7', datacenter: 'dc1', rack: 'r', tokens: ['9'] };
    const live = twinRing({ nodes: [...twinRing().nodes, more] });
    await expect(planned(await backedUp(), live)).rejects.toMatchObject({ name: 'TopologyMismatch' });
  });

  it.each([
    ['the same ring', twinRing(), schema, undefined],
    ['other tokens', twinRing(change(1, { tokens: ['7'] })), schema, /TokensMismatch/],
    ['a table less', twinRing(), { ...schema, tables: schema.tables.slice(1) }, /app\.Orders/],
  ])('is verified by the ring and schema after it: %s', async (_what, after, live, says) => {
    const world = await backedUp();
    const { run, planKey } = await planned(world);
    await answerPlaced(world, run);
    await answerDescribe(world, run, 'describe-after', described(), { ring: after, schema: live });
    const verified = verifyRestore({ run, planKey }, world);
    if (!says) return expect(await verified).toMatchObject({ nodes: 3 });
    await expect(verified).rejects.toMatchObject({ name: 'RestoreIncomplete' });
    await expect(verified).rejects.toThrow(says);
  });

  it.each(['undo', 'release'])(
    '%s is of the nodes that were restored, and of none that has the tokens of one since',
    async (operation) => {
      const world = await backedUp();
      await completedRestore(world, restoreOf(twinRing()));
      const replaced = { hostId: hostIdOf(8) };
      const planning = plannedRestore(world, {
        ...{ name: operation, at: 900 },
        more: { ...described(), 1: { ...replaced, clusterName: 'Twin' } },
        live: { ring: twinRing(change(1, replaced)), schema },
        request: { operation, clusterId: TWIN, confirmCluster: TWIN },
      });
      if (operation === 'undo') {
        await expect(planning).rejects.toMatchObject({ name: 'TopologyMismatch' });
        return expect(planning).rejects.toThrow(/with host ID 99999998-.*, which was not restored/);
      }
      const { nodes, warnings } = await readDocument(world, (await planning).planKey, restorePlan);
      expect(nodes.map(({ hostId }) => hostId).sort()).toEqual([hostIdOf(0), hostIdOf(2)]);
      expect(warnings.join()).toMatch(/which was not restored/);
    },
  );

  it('is undone on the same nodes', async () => {
    const world = await backedUp();
    const restore = await completedRestore(world, restoreOf(twinRing()));
    expect(await world.catalog.readRun(TWIN, restore.runId)).toMatchObject({ sourceCluster: CLUSTER });
    const undo = await plannedRestore(world, {
      ...{ name: 'undo', at: 900, more: described(), live: { ring: twinRing(), schema } },
      request: { operation: 'undo', clusterId: TWIN, confirmCluster: TWIN },
    });
    const plan = await readDocument(world, undo.planKey, restorePlan);
    expect(plan).toMatchObject({ sourceCluster: CLUSTER, restoreRunId: restore.runId });
    expect(plan.nodes.map(({ hostId }) => hostId).sort()).toEqual([0, 1, 2].map(hostIdOf));
  });
});

describe('a part of another cluster’s backup', () => {
  /** The last node is in a datacenter of its own. */
  async function ofTwoDatacenters() {
    const world = newWorld();
    const { runId } = await completedBackup(world);
    const backup = await readBackup(world, CLUSTER, runId);
    const moved = <Node extends object>(nodes: Node[]) =>
      nodes.with(2, { ...(nodes[2] as Node), datacenter: 'dc2' });
    const headers = moved(backup.headers);
    const { manifest } = backup;
    return {
      ...backup,
      headers,
      chain: [{ manifest, headers }],
      ring: { ...ring, nodes: moved(ring.nodes) },
    };
  }
  const standsFor = (source: number) => hostIdOf(SOURCES.indexOf(source));
  /** Nodes with the tokens of the first datacenter's. */
  const ofOne = twinRing({ nodes: twinRing().nodes.filter((_, index) => SOURCES[index] !== 2) });
  const hostIdsOf = (nodes: ReadonlyArray<{ hostId: string }>) => nodes.map(({ hostId }) => hostId).sort();
  const firstTwo = [standsFor(0), standsFor(1)].sort();

  it('is one datacenter of it, where that is chosen: nobody stays who has newer data', async () => {
    const backup = await ofTwoDatacenters();
    expect(() => inTermsOf(ofOne, backup)).toThrow(/got no node with the tokens of 00000003/);
    const translated = inTermsOf(ofOne, backup, 'dc1');
    expect(translated.manifest.leftOut.nodes).toBe(0);
    for (const nodes of [translated.manifest.nodes, translated.headers, translated.ring.nodes])
      expect(hostIdsOf(nodes)).toEqual(firstTwo);
    expect(hostIdsOf(translated.chain[0]?.headers ?? [])).toEqual(firstTwo);
  });

  it('is what a backup of one datacenter has, likewise', async () => {
    const { manifest, headers, ...whole } = await ofTwoDatacenters();
    const two = {
      manifest: { ...manifest, nodes: manifest.nodes.slice(0, 2), leftOut: { nodes: 1, tables: 0 } },
      headers: headers.slice(0, 2),
    };
    const translated = inTermsOf(ofOne, { ...whole, ...two, chain: [two] });
    expect(translated.manifest.leftOut.nodes).toBe(0);
    expect(hostIdsOf(translated.ring.nodes)).toEqual(firstTwo);
  });

  it('leaves the nodes of other datacenters here as they are', async () => {
    const other = { hostId: hostIdOf(7), address: '10.9.0.7', datacenter: 'dc2', rack: 'r', tokens: ['9'] };
    const live = { ...ofOne, nodes: [...ofOne.nodes, other] };
    const translated = inTermsOf(live, await ofTwoDatacenters(), 'dc1');
    expect(translated.manifest.leftOut.nodes).toBe(1);
    expect(hostIdsOf(translated.ring.nodes)).toEqual([...firstTwo, other.hostId].sort());
  });

  it('is refused with keyspaces that have their rows on the whole ring', async () => {
    const backup = await ofTwoDatacenters();
    const statements = backup.schema.statements.map((each) => ({
      ...each,
      statement: each.statement.replace(
        "'NetworkTopologyStrategy', 'dc1'",
        "'SimpleStrategy', 'replication_factor'",
      ),
    }));
    const simple = { ...backup, schema: { ...backup.schema, statements } };
    expect(() => inTermsOf(ofOne, simple, 'dc1')).toThrow(/^app: got keyspaces that are replicated over/);
    const { nodes } = ring;
    expect(inTermsOf(twinRing(), { ...simple, ring: { ...ring, nodes } }).headers).toHaveLength(3);
  });
});

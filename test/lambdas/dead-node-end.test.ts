// A dead node on its new host to the end of its run: verified, repaired, or brought to its end by Recover.
import { describe, expect, it } from 'vitest';
import type { SwapState } from '../../contracts/actions.ts';
import { type RestorePlan, restorePlan } from '../../contracts/plans.ts';
import type { RingNode, RingView } from '../../contracts/ring.ts';
import type { RunRef } from '../../contracts/runs.ts';
import { actionInputs } from '../../lambdas/action-inputs/action-input.ts';
import { claimRecovery } from '../../lambdas/claim-recovery.ts';
import { discoverHosts } from '../../lambdas/discover-hosts.ts';
import { failAction } from '../../lambdas/fail-action.ts';
import { planRecovery } from '../../lambdas/plan-recovery.ts';
import { recordRun } from '../../lambdas/record-run.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { verifyRestore } from '../../lambdas/verify-restore.ts';
import { answer, answerDescribe, ring, schema } from './support/answers.ts';
import { backedUp, deadNode, NODES, OTHER_VERSION, planned } from './support/dead-node.ts';
import { answerPlaced } from './support/restore.ts';
import { CLUSTER, configuration, executionOf, START, type World } from './support/world.ts';

const [, , dead] = NODES;
const REPLACED = { request: { deadNode: { ...deadNode, newHostId: true } } };

describe('a dead node that came back', () => {
  it('is whole once it has its host ID and everyone one schema; it replaced nothing', async () => {
    const world = await backedUp();
    // Dropped since, and not missed.
    const live = { schema: { ...schema, tables: [], statements: [] } };
    const { run, planKey } = await planned(world, { live });
    await answerPlaced(world, run);
    await answerDescribe(world, run, 'describe-after', {}, live);
    await answerBack(world, run, planKey);
    expect(await verifyRestore({ run, planKey }, world)).toMatchObject({ nodes: 1 });
    await answerDescribe(world, run, 'describe-after', { 0: { schemaVersion: OTHER_VERSION } }, live);
    await expect(verifyRestore({ run, planKey }, world)).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringMatching(/SchemaDisagreement/),
    });
    await recordRun({ run, planKey, status: 'COMPLETED', warnings: [] }, world);
    expect((await world.catalog.readRun(CLUSTER, run.runId))?.undo).toBeUndefined();
  });

  it('under a new host ID is whole once it has the tokens of the dead one, and that one is gone', async () => {
    const world = await backedUp();
    const { run, planKey } = await planned(world, REPLACED);
    await answerBack(world, run, planKey);
    const more = { 2: { hostId: OTHER_VERSION } };
    const members = (change: Partial<RingNode>) => ({
      ring: {
        ...ring,
        nodes: ring.nodes.map((node) => (node.hostId === dead.hostId ? { ...node, ...change } : node)),
      },
    });
    const verified = async (live: { ring: RingView }, others = {}) => {
      await answerDescribe(world, run, 'describe-after', { ...more, ...others }, live);
      return verifyRestore({ run, planKey }, world);
    };
    expect(await verified(members({ hostId: OTHER_VERSION }))).toMatchObject({ nodes: 1 });
    await expect(verified(members({ hostId: OTHER_VERSION, tokens: ['7'] }))).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringMatching(/tokens 7, expected dc1/),
    });
    await expect(verified(members({ hostId: OTHER_VERSION, rack: 'elsewhere' }))).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringMatching(/dc1, elsewhere, .* expected dc1/),
    });
    const late = { 0: { ringDigest: 'f'.repeat(64) } };
    await expect(verified(members({ hostId: OTHER_VERSION }), late)).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringMatching(/RingDisagreement/),
    });
    await expect(verified(members({}))).rejects.toMatchObject({
      name: 'RestoreIncomplete',
      message: expect.stringMatching(/got dead node .* in the ring, expected it replaced/),
    });
  });

  it('that cannot be repaired is a warning, and no failure', async () => {
    const world = await backedUp();
    const { run } = await planned(world);
    const error = { Error: 'NodetoolFailed', Cause: 'nodetool repair -full: exit code 2: no neighbours' };
    await failAction({ run, host: dead, action: 'repair', phase: 'repair', error }, world);
    expect(await world.catalog.readNode(run.runId, dead.instanceId)).not.toMatchObject({ status: 'FAILED' });
    expect((await world.catalog.readRun(CLUSTER, run.runId))?.warnings.join()).toMatch(
      /repair on i-.*nodetool repair -full: exit code 2/,
    );
  });
});

/** The bytes that the plan expects were placed. */
async function answerBack(world: World, run: { runId: string }, planKey: string): Promise<void> {
  const { nodes }: RestorePlan = await readDocument(world, planKey, restorePlan);
  const bytes = nodes[0]?.bytes ?? 0;
  await answerPlaced(world, run, { files: 36, bytes });
}

describe('a dead node whose run died', () => {
  it.each<{ swap: SwapState; phase: string; direction: string; starts: boolean; says: RegExp }>([
    { swap: 'none', phase: 'place', direction: 'none', starts: false, says: /has no node: do not start/ },
    { swap: 'partly-placed', phase: 'place', direction: 'back', starts: false, says: /has no node: do not/ },
    { swap: 'placed', phase: 'place', direction: 'back', starts: false, says: /has no node: do not start/ },
    {
      swap: 'placed',
      phase: 'start',
      direction: 'forward',
      starts: true,
      says: /perhaps not repaired: nodetool/,
    },
    { swap: 'released', phase: 'repair', direction: 'forward', starts: true, says: /perhaps not repaired/ },
  ])(
    'is started by Recover only where it was: $swap in $phase',
    async ({ swap, phase, direction, starts, says }) => {
      const world = await backedUp();
      const { run } = await planned(world);
      await world.catalog.putNode(run, { instanceId: dead.instanceId, status: 'STARTED', phase });
      const swaps = [undefined, undefined, swap];
      const { plan, history } = await recoveredRun(world, run, swaps);
      expect(plan.direction).toBe(direction);
      expect([plan.seedsKey, plan.othersKey].some((key) => key !== '')).toBe(starts);
      expect(history?.warnings.join()).toMatch(says);
      expect(history?.warnings.join()).not.toMatch(/start it yourself/);
      expect(history?.undo).toBeUndefined();
    },
  );

  it('is started in the dead one’s place again where it was to take it', async () => {
    const world = await backedUp();
    const { run } = await planned(world, REPLACED);
    await world.catalog.putNode(run, { instanceId: dead.instanceId, status: 'STARTED', phase: 'start' });
    const { plan, recovery } = await recoveredRun(world, run, [undefined, undefined, 'placed']);
    const asked = { run: recovery, host: dead, planKey: plan.planKey, parameters: {}, ...configuration };
    expect(await actionInputs.start(asked, world)).toEqual({ awaitsSchema: false, replaces: '10.0.0.3' });
  });

  it('holds nobody up where its new host is gone, too', async () => {
    const world = await backedUp();
    const { run } = await planned(world);
    await world.catalog.putNode(run, { instanceId: dead.instanceId, status: 'STARTED', phase: 'place' });
    const { plan, history } = await recoveredRun(world, run, []);
    expect(plan).toMatchObject({ direction: 'none', nodesKey: '', seedsKey: '', othersKey: '' });
    expect(history?.warnings.join()).toMatch(/did not answer: .* start the restore again with another host/);
  });
});

/** Brought to its end by Recover, whose hosts say how the swap stands. */
async function recoveredRun(world: World, subject: RunRef, swaps: Array<SwapState | undefined>) {
  world.executions.known.set(subject.executionArn, { status: 'ABORTED', startedAt: START });
  const execution = { ...executionOf('recover', 'Recover'), startedAt: '2026-11-21T03:30:00.000Z' };
  world.executions.known.set(execution.arn, { status: 'RUNNING', startedAt: START });
  const asked = { request: { executionArn: subject.executionArn }, execution };
  const claimed = await claimRecovery(asked, world);
  if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome);
  const { run } = claimed;
  const { hostsKey, unreachable } = await discoverHosts({ run, tolerateUnreachable: true }, world);
  const ended = swaps.map((swap) => swap && { swap, cassandra: 'down' as const, cleared: [] });
  await answer<'end-run'>(world, run, 'end-run', ended);
  const plan = await planRecovery({ run, subject: claimed.subject, hostsKey, unreachable }, world);
  const recovered = { runId: subject.runId, status: plan.status };
  await recordRun({ run, planKey: plan.planKey, status: 'COMPLETED', recovered, warnings: [] }, world);
  return { plan, recovery: run, history: await world.catalog.readRun(CLUSTER, subject.runId) };
}

// What every catalog must keep, run over each adapter.
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Catalog, Lock } from '../../adapters/ports.ts';
import { runIdOf, startOfRun } from '../../contracts/identifiers.ts';
import type { NodeOutcome, RunRecord, RunRef } from '../../contracts/runs.ts';

let clusters = 0;
let seconds = 0;

/** A claim of a cluster of its own, or of one that is named. */
function claimOf(clusterId = `cluster-${++clusters}`): Omit<Lock, 'fence'> {
  const startedAt = new Date(Date.UTC(2026, 10, 21, 2) + ++seconds * 1_000).toISOString();
  const runId = runIdOf(startedAt, randomBytes(4).toString('hex'));
  const executionArn = `arn:aws:states:eu-west-1:111122223333:execution:Backup:${runId}`;
  const leaseUntil = '2026-12-21T02:00:00.000Z';
  return { clusterId, runId, workflow: 'backup', executionArn, subjectRunId: runId, leaseUntil };
}

function recordOf(run: Omit<Lock, 'fence'>, more: Partial<RunRecord> = {}): RunRecord {
  const { clusterId, runId, workflow, executionArn } = run;
  return {
    ...{ formatVersion: 1, runId, clusterId, workflow, executionArn, status: 'STARTED' },
    ...{ startedAt: '2026-11-21T02:00:00.000Z', request: { clusterId }, warnings: [], nodes: [] },
    ...more,
  };
}

const node: NodeOutcome = { instanceId: 'i-0123456789abcdef0', status: 'STARTED', phase: 'upload' };

export function catalogSuite(name: string, open: () => Promise<Catalog>): void {
  describe(`catalog: ${name}`, () => {
    let catalog: Catalog;
    beforeAll(async () => {
      catalog = await open();
    }, 60_000);

    async function claimed(claim = claimOf()): Promise<RunRef> {
      const taken = await catalog.claim(claim);
      if (taken.outcome !== 'claimed') throw new Error(`cluster ${claim.clusterId} is held`);
      const { clusterId, runId, workflow, executionArn } = claim;
      const startedAt = '2026-11-21T02:00:00.000Z';
      const configurationKey = 'clusters/x/config/y.json';
      return { clusterId, runId, workflow, executionArn, startedAt, fence: taken.fence, configurationKey };
    }

    describe('lock', () => {
      it('is free where nobody claimed', async () => {
        expect(await catalog.readLock('nobody')).toBeUndefined();
      });

      it('tells a second run who holds the cluster', async () => {
        const first = claimOf();
        const { fence } = await claimed(first);
        const second = await catalog.claim(claimOf(first.clusterId));
        expect(second).toEqual({ outcome: 'held', lock: { ...first, fence } });
      });

      it('is re-entrant by execution, with the same fence', async () => {
        const claim = claimOf();
        const { fence } = await claimed(claim);
        expect(await catalog.claim(claim)).toEqual({ outcome: 'claimed', fence });
      });

      it('has exactly one winner of ten', async () => {
        const { clusterId } = claimOf();
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, () => catalog.claim(claimOf(clusterId))),
        );
        expect(outcomes.filter((each) => each.outcome === 'claimed')).toHaveLength(1);
      });

      it('grows its fence over a release', async () => {
        const run = await claimed();
        expect(await catalog.release(run)).toBe(true);
        expect(await catalog.readLock(run.clusterId)).toBeUndefined();
        const next = await claimed(claimOf(run.clusterId));
        expect(next.fence).toBe(run.fence + 1);
      });

      it('is given back once, and only by its holder', async () => {
        const run = await claimed();
        await catalog.release(run);
        expect(await catalog.release(run)).toBe(false);
        const next = await claimed(claimOf(run.clusterId));
        expect(await catalog.release(run)).toBe(false);
        expect(await catalog.readLock(run.clusterId)).toMatchObject({ runId: next.runId });
      });

      it('is taken over as it was seen, and by one only', async () => {
        const stale = claimOf();
        const { fence } = await claimed(stale);
        const seen = { ...stale, fence };
        const claims = [claimOf(stale.clusterId), claimOf(stale.clusterId)];
        const outcomes = await Promise.all(claims.map((claim) => catalog.takeOver(seen, claim)));
        expect(outcomes.map((each) => each.outcome).sort()).toEqual(['claimed', 'lost']);
        const winner = outcomes.findIndex((each) => each.outcome === 'claimed');
        const [claim, won] = [claims[winner], outcomes[winner]];
        expect(won).toEqual({ outcome: 'claimed', fence: fence + 1 });
        // The same execution asks again: an answer was lost.
        expect(claim && (await catalog.takeOver(seen, claim))).toEqual(won);
      });

      it('is not taken over once it was given back', async () => {
        const stale = claimOf();
        const run = await claimed(stale);
        await catalog.release(run);
        expect(await catalog.takeOver({ ...stale, fence: run.fence }, claimOf(stale.clusterId))).toEqual({
          outcome: 'lost',
        });
      });

      it('remembers which run an execution is', async () => {
        const { executionArn, clusterId, runId } = await claimed();
        expect(await catalog.runOfExecution(executionArn)).toEqual({ clusterId, runId });
        expect(await catalog.runOfExecution(`${executionArn}x`)).toBeUndefined();
      });
    });

    it('gives a scheduled time to one run, as often as that asks', async () => {
      const { clusterId, runId } = claimOf();
      const other = claimOf().runId;
      const ask = (run: string, time = '2026-11-21T02:00:00Z') =>
        catalog.claimSchedule(clusterId, 'snapshot', time, run);
      expect(await ask(runId)).toEqual({ firstRunId: runId });
      expect(await ask(other)).toEqual({ firstRunId: runId });
      expect(await ask(runId)).toEqual({ firstRunId: runId });
      expect(await ask(other, '2026-11-22T02:00:00Z')).toEqual({ firstRunId: other });
      // However the time is written.
      expect(await ask(other, '2026-11-21T02:00:00.000Z')).toEqual({ firstRunId: runId });
      const claimed = (time: string, kind = 'snapshot') => catalog.isScheduleClaimed(clusterId, kind, time);
      expect(await claimed('2026-11-21T02:00:00.000Z')).toBe(true);
      expect(await claimed('2026-11-23T02:00:00Z')).toBe(false);
      expect(await claimed('2026-11-21T02:00:00Z', 'other')).toBe(false);
      expect(await catalog.newestSchedule(clusterId, 'snapshot')).toBe('2026-11-22T02:00:00.000Z');
      expect(await catalog.newestSchedule(clusterId, 'other')).toBeUndefined();
    });

    it('keeps how far a schedule was looked at', async () => {
      const { clusterId } = claimOf();
      const seen = { definition: '{"a":1}', checkedUntil: '2026-11-21T02:00:00.000Z' };
      expect(await catalog.readWatch(clusterId, 'daily')).toBeUndefined();
      await catalog.putWatch(clusterId, 'daily', { ...seen, definition: 'other' });
      await catalog.putWatch(clusterId, 'daily', seen);
      expect(await catalog.readWatch(clusterId, 'daily')).toEqual(seen);
      expect(await catalog.readWatch(clusterId, 'weekly')).toBeUndefined();
    });

    it('keeps what a cluster is registered as, and nothing over what a later run found', async () => {
      const [earlier, later] = [claimOf('registered').runId, claimOf('registered').runId];
      const time = '2026-11-21T02:00:00.000Z';
      const summary = (runId: string) => ({
        ...{ clusterId: 'registered', runId, state: 'registered' as const, registeredAt: time, seenAt: time },
        ...{
          clusterName: 'o’brien; "x"',
          nodes: 3,
          datacenters: ['dc1'],
          cassandraVersions: [],
          keyspaces: 2,
        },
      });
      expect(await catalog.readRegistration('registered')).toBeUndefined();
      await catalog.putRegistration(summary(earlier));
      expect(await catalog.readRegistration('registered')).toEqual(summary(earlier));
      await catalog.putRegistration({ clusterId: 'registered', runId: later, state: 'unregistered' });
      expect(await catalog.readRegistration('registered')).toBeUndefined();
      await catalog.putRegistration(summary(earlier));
      expect(await catalog.readRegistration('registered')).toBeUndefined();
    });

    describe('runs', () => {
      it('are read as they were put', async () => {
        const claim = claimOf();
        const run = await claimed(claim);
        const record = recordOf(claim, {
          request: { clusterId: claim.clusterId, requestedBy: 'o’brien; "x"\n' },
        });
        await catalog.putRun(run, record);
        await catalog.putRun(run, { ...record, error: { errorName: 'A', message: 'b', hint: 'c' } });
        expect(await catalog.readRun(claim.clusterId, claim.runId)).toEqual({
          ...record,
          error: { errorName: 'A', message: 'b', hint: 'c' },
        });
      });

      it('are not written once the lock is lost', async () => {
        const claim = claimOf();
        const run = await claimed(claim);
        await catalog.release(run);
        await expect(catalog.putRun(run, recordOf(claim))).rejects.toMatchObject({ name: 'LockLost' });
        await expect(catalog.putNode(run, node)).rejects.toMatchObject({ name: 'LockLost' });
        expect(await catalog.readRun(claim.clusterId, claim.runId)).toBeUndefined();
        expect(await catalog.listNodes(claim.runId)).toEqual([]);
      });

      it('keep the first end', async () => {
        const claim = claimOf();
        const run = await claimed(claim);
        const ended = recordOf(claim, { status: 'COMPLETED', endedAt: '2026-11-21T02:05:00.000Z' });
        await catalog.putEndedRun(ended);
        await catalog.putEndedRun({ ...ended, status: 'FAILED' });
        await catalog.putRun(run, recordOf(claim));
        expect(await catalog.readRun(claim.clusterId, claim.runId)).toEqual(ended);
        expect(await catalog.runOfExecution(claim.executionArn)).toMatchObject({ runId: claim.runId });
      });

      it('are told of later, by many at once, without losing a warning', async () => {
        const claim = claimOf();
        await catalog.putEndedRun(
          recordOf(claim, { workflow: 'restore', status: 'COMPLETED', undo: 'possible' }),
        );
        const amend = (warning: string) =>
          catalog.amendRun(claim.clusterId, claim.runId, { warnings: [warning] });
        await Promise.all(['a', 'b', 'c', 'a'].map(amend));
        await catalog.amendRun(claim.clusterId, claim.runId, { undo: 'undone' });
        const record = await catalog.readRun(claim.clusterId, claim.runId);
        expect(record?.warnings.sort()).toEqual(['a', 'b', 'c']);
        expect(record?.undo).toBe('undone');
        await catalog.amendRun(claim.clusterId, claimOf().runId, { warnings: ['of no run'] });
      });

      it('are listed newest first, filtered, and no more than asked', async () => {
        const claims = [claimOf(), claimOf(), claimOf(), claimOf()].map((claim) => ({
          ...claim,
          clusterId: 'listed',
        }));
        const workflows = ['backup', 'restore', 'backup', 'backup'] as const;
        for (const [index, claim] of claims.entries()) {
          const status = index === 0 ? 'FAILED' : 'COMPLETED';
          const kind = index > 1 ? { kind: 'snapshot' as const } : {};
          await catalog.putEndedRun(
            recordOf(claim, { workflow: workflows[index] ?? 'backup', status, ...kind }),
          );
        }
        const ids = claims.map((claim) => claim.runId);
        const list = async (filter?: Parameters<Catalog['listRuns']>[1]) =>
          (await catalog.listRuns('listed', filter)).map((run) => ids.indexOf(run.runId));
        expect(await list()).toEqual([3, 2, 1, 0]);
        expect(await list({ workflow: 'backup', limit: 2 })).toEqual([3, 2]);
        expect(await list({ status: 'FAILED' })).toEqual([0]);
        expect(await list({ kind: 'snapshot', workflow: 'backup' })).toEqual([3, 2]);
        expect(await list({ kind: 'snapshot', status: 'FAILED' })).toEqual([]);
      });

      it('may wait without a lock, until they are begun or ended', async () => {
        const claim = claimOf();
        const waiting = recordOf(claim, { status: 'INITIALIZED', kind: 'snapshot' });
        await catalog.putWaitingRun(waiting);
        await catalog.putWaitingRun(waiting);
        expect(await catalog.readRun(claim.clusterId, claim.runId)).toEqual(waiting);
        expect(await catalog.runOfExecution(claim.executionArn)).toMatchObject({ runId: claim.runId });
        const run = await claimed(claim);
        await catalog.putRun(run, recordOf(claim));
        await catalog.putWaitingRun(waiting);
        expect(await catalog.readRun(claim.clusterId, claim.runId)).toEqual(recordOf(claim));
      });

      it('are listed from a time on', async () => {
        const [before, first, second] = [1, 2, 3].map(() => claimOf('since'));
        for (const claim of [before, first, second]) {
          if (claim) await catalog.putEndedRun(recordOf(claim, { status: 'COMPLETED' }));
        }
        const since = startOfRun(first?.runId ?? '');
        const found = await catalog.listRuns('since', { since });
        expect(found.map(({ runId }) => runId)).toEqual([second?.runId, first?.runId]);
      });

      it('are listed by backup, and by node with what became of it', async () => {
        const claims = [1, 2, 3].map(() => claimOf('by-node'));
        const [first, second, third] = claims.map((claim) => claim.runId);
        const hostId = '5e2f0b60-c6d9-41f0-a1b2-c3d4e5f60718';
        const other = { ...node, instanceId: 'i-0123456789abcdef1', status: 'COMPLETED' as const };
        const own = { ...node, hostId, status: 'COMPLETED' as const, files: 7 };
        const nodes = [[own, other], [other], [{ ...own, status: 'FAILED' as const }, other]];
        for (const [index, claim] of claims.entries()) {
          const of =
            index === 2 ? { workflow: 'restore' as const, backupId: first } : { backupId: claim.runId };
          await catalog.putEndedRun(recordOf(claim, { status: 'COMPLETED', nodes: nodes[index], ...of }));
        }
        const list = async (filter: Parameters<Catalog['listRuns']>[1]) =>
          (await catalog.listRuns('by-node', filter)).map((run) => run.runId);
        expect(await list({ backupId: first })).toEqual([third, first]);
        expect(await list({ node: node.instanceId })).toEqual([third, first]);
        expect(await list({ node: hostId, limit: 1 })).toEqual([third]);
        expect(await list({ node: other.instanceId, workflow: 'backup' })).toEqual([second, first]);
        expect(await list({ node: 'i-0123456789abcdef9' })).toEqual([]);
        expect((await catalog.listRuns('by-node', { node: hostId })).map((run) => run.nodes)).toEqual([
          [{ ...own, status: 'FAILED' }],
          [own],
        ]);
        expect((await catalog.listRuns('by-node', { limit: 1 }))[0]?.nodes).toEqual([]);
      });

      it('are found by a node that works in them, by either ID', async () => {
        const claim = claimOf();
        const run = await claimed(claim);
        await catalog.putRun(run, recordOf(claim));
        const hostId = '5e2f0b60-c6d9-41f0-a1b2-c3d4e5f60718';
        await catalog.putNode(run, { ...node, status: 'INITIALIZED' });
        await catalog.putNode(run, { ...node, hostId });
        for (const named of [node.instanceId, hostId]) {
          const found = await catalog.listRuns(run.clusterId, { node: named, status: 'STARTED' });
          expect(found).toMatchObject([{ runId: run.runId, nodes: [{ hostId, status: 'STARTED' }] }]);
        }
      });

      it('are listed by backup before they have ended, and where they failed', async () => {
        const [failed, restore] = [claimOf('by-backup'), claimOf('by-backup')];
        await catalog.putEndedRun(recordOf(failed, { status: 'FAILED' }));
        const request = { clusterId: 'by-backup', backupId: failed.runId };
        await catalog.putEndedRun(recordOf(restore, { workflow: 'restore', status: 'FAILED', request }));
        const found = await catalog.listRuns('by-backup', { backupId: failed.runId });
        expect(found.map((run) => run.runId)).toEqual([restore.runId, failed.runId]);
      });
    });

    describe('nodes', () => {
      it('hold their newest phase, and the command where an outcome does not name one', async () => {
        const run = await claimed();
        await catalog.putNode(run, { ...node, phase: 'snapshot-1', files: 3, commandId: 'c1', attempt: 1 });
        await catalog.putNode(run, { ...node, commandId: 'c2', attempt: 2 });
        const error = { errorName: 'DataRot', message: 'm', hint: 'h' };
        await catalog.putNode(run, { ...node, status: 'FAILED', error });
        const { updatedAt, ...read } = (await catalog.readNode(run.runId, node.instanceId)) ?? {
          updatedAt: '',
        };
        expect(read).toEqual({ ...node, status: 'FAILED', error, commandId: 'c2', attempt: 2 });
        expect(Date.parse(updatedAt)).toBeGreaterThan(0);
      });

      it('keep when they were first begun, and are not called new again', async () => {
        const run = await claimed();
        const { phase: _, ...of } = node;
        const found = { ...of, status: 'INITIALIZED' as const, phase: 'discover' };
        const startedAt = '2026-11-21T02:00:01.000Z';
        await catalog.putNode(run, found);
        expect(await catalog.readNode(run.runId, node.instanceId)).toMatchObject(found);
        await catalog.putNode(run, { ...node, startedAt });
        await catalog.putNode(run, { ...node, phase: 'later', startedAt: '2026-11-21T02:09:00.000Z' });
        await catalog.putNode(run, found);
        expect(await catalog.readNode(run.runId, node.instanceId)).toMatchObject({
          ...{ status: 'STARTED', phase: 'later', startedAt },
        });
      });

      it('keep the host ID that was known of them', async () => {
        const run = await claimed();
        const hostId = '5e2f0b60-c6d9-41f0-a1b2-c3d4e5f60718';
        await catalog.putNode(run, { ...node, hostId, phase: 'place' });
        await catalog.putNode(run, { ...node, phase: 'describe-after', status: 'FAILED' });
        expect(await catalog.readNode(run.runId, node.instanceId)).toMatchObject({
          hostId,
          status: 'FAILED',
        });
      });

      it('keep an outcome that is final, and still the newest command', async () => {
        const claim = claimOf();
        const run = await claimed(claim);
        const done: NodeOutcome = { ...node, status: 'COMPLETED', files: 5, bytes: 6 };
        await catalog.putEndedRun(recordOf(claim, { status: 'COMPLETED', nodes: [done] }));
        await catalog.putNode(run, { ...node, phase: 'clear-snapshot', commandId: 'c9', attempt: 1 });
        await catalog.putNode(run, { ...node, phase: 'clear-snapshot' });
        expect(await catalog.listNodes(run.runId)).toEqual([
          { ...done, commandId: 'c9', attempt: 1, updatedAt: expect.any(String) },
        ]);
      });

      it('are listed by instance ID, and belong to their run alone', async () => {
        const run = await claimed();
        const other = await claimed();
        const named = (instanceId: string) => ({ ...node, instanceId });
        await Promise.all(
          ['i-00000003', 'i-00000001', 'i-00000002'].map((id) => catalog.putNode(run, named(id))),
        );
        await catalog.putNode(other, named('i-00000004'));
        expect((await catalog.listNodes(run.runId)).map((each) => each.instanceId)).toEqual([
          'i-00000001',
          'i-00000002',
          'i-00000003',
        ]);
        expect(await catalog.readNode(run.runId, 'i-00000004')).toBeUndefined();
      });

      it('are all written where 60 hosts write at the same time', async () => {
        const run = await claimed();
        const ids = Array.from({ length: 60 }, (_, index) => `i-${(index + 0x10000000).toString(16)}`);
        await Promise.all(ids.map((instanceId) => catalog.putNode(run, { ...node, instanceId })));
        expect(await catalog.listNodes(run.runId)).toHaveLength(60);
      });
    });
  });
}

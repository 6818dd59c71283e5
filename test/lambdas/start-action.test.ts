import { describe, expect, it } from 'vitest';
import { type ActionName, actionDocument } from '../../contracts/actions.ts';
import { actionIdOf } from '../../contracts/identifiers.ts';
import { SILENCE_RETRY, STEP_RETRY } from '../../contracts/limits.ts';
import type { StepInput } from '../../contracts/steps.ts';
import { startAction } from '../../lambdas/start-action.ts';
import { readDocument } from '../../lambdas/vault/documents.ts';
import { snapshot, USERS_ID } from './support/answers.ts';
import { plannedBackup, uploadedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, claimedRun, hosts, KMS_KEY, newWorld, type World } from './support/world.ts';

const policy = { heartbeatSeconds: 120, actionTimeoutSeconds: 3_600, hostsAtOnce: 10 };
const [host] = hosts;
if (!host) throw new Error('a host');

type Asked = Pick<StepInput<'StartAction'>, 'run' | 'action'> & Partial<StepInput<'StartAction'>>;
const ask = (asked: Asked): StepInput<'StartAction'> => ({
  ...{ host, phase: asked.action, parameters: {}, policy, taskToken: 'token-1' },
  ...asked,
});

function documentOf(world: World, runId: string, phase: string) {
  return readDocument(
    world,
    world.layout.action(host?.instanceArn ?? '', actionIdOf(runId, phase)),
    actionDocument,
  );
}

describe('StartAction', () => {
  it('writes the document, sends identifiers alone, and keeps the command', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await startAction(ask({ run, action: 'flush', phase: 'flush-1' }), world);
    const document = await documentOf(world, run.runId, 'flush-1');
    expect(document).toMatchObject({
      action: 'flush',
      attempt: 1,
      taskToken: 'token-1',
      input: {},
    });
    expect(document.deadline).toBe('2026-11-21T03:00:00.000Z');
    expect(world.hosts.sent).toEqual([
      {
        instanceId: host.instanceId,
        document: 'action',
        parameters: { runId: run.runId, actionId: `${run.runId}.flush-1` },
        comment: 'ringvault demo flush-1',
      },
    ]);
    expect(await world.catalog.readNode(run.runId, host.instanceId)).toMatchObject({
      ...{ status: 'STARTED', phase: 'flush-1', commandId: 'command-1', attempt: 1, hostId: host.hostId },
    });
  });

  it('keeps the phase before the command goes out, so that no stop is hidden', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    world.hosts.send = async () => {
      const node = await world.catalog.readNode(run.runId, host.instanceId);
      expect(node).toMatchObject({ status: 'STARTED', phase: 'flush-1', attempt: 1 });
      throw new Error('killed after sending');
    };
    await expect(startAction(ask({ run, action: 'flush', phase: 'flush-1' }), world)).rejects.toThrow(
      'killed after sending',
    );
  });

  it('gives a host that works on more time than the longest wait for its next token', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await startAction(ask({ run, action: 'flush' }), world);
    const { deadline, graceUntil } = await documentOf(world, run.runId, 'flush');
    const waits =
      STEP_RETRY.maxAttempts * STEP_RETRY.maxDelaySeconds +
      SILENCE_RETRY.maxAttempts * SILENCE_RETRY.maxDelaySeconds;
    expect(Date.parse(graceUntil) - Date.parse(deadline)).toBeGreaterThan(waits * 1_000);
  });

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const run = await claimedRun(world);
      const step = async (ports: World) => {
        await startAction(ask({ run, action: 'flush' }), ports);
      };
      return { world, step };
    }));

  it('counts attempts by token, under the same action ID', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await startAction(ask({ run, action: 'flush' }), world);
    await startAction(ask({ run, action: 'flush' }), world);
    expect(await documentOf(world, run.runId, 'flush')).toMatchObject({ attempt: 1 });
    await startAction(ask({ run, action: 'flush', taskToken: 'token-2' }), world);
    expect(await documentOf(world, run.runId, 'flush')).toMatchObject({ attempt: 2, taskToken: 'token-2' });
    expect(world.hosts.sent).toHaveLength(3);
  });

  it('sends nothing for a run that has ended, nor for one whose lock was taken over', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    const lock = await world.catalog.readLock(CLUSTER);
    if (!lock) throw new Error('a lock');
    await world.catalog.takeOver(lock, { ...lock, executionArn: `${lock.executionArn}x` });
    await expect(startAction(ask({ run, action: 'flush' }), world)).rejects.toMatchObject({
      name: 'RunEnded',
    });
    await world.catalog.release(run);
    await expect(startAction(ask({ run, action: 'flush' }), world)).rejects.toMatchObject({
      name: 'RunEnded',
    });
    expect(world.hosts.sent).toEqual([]);
  });

  it('installs by the document of the cluster’s architecture', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await startAction(ask({ run, action: 'prepare' }), world);
    expect(world.hosts.sent[0]?.document).toBe('prepare-x64');
    expect((await documentOf(world, run.runId, 'prepare')).input).toEqual({ architecture: 'x64' });
  });

  it('builds what the actions of a backup are given from plan, parameters and results', async () => {
    const world = newWorld();
    const { run, planKey } = await uploadedBackup(world);
    const inputOf = async (action: ActionName, phase: string = action, parameters = {}) => {
      await startAction(ask({ run, action, phase, planKey, parameters }), world);
      return (await documentOf(world, run.runId, phase)).input;
    };
    const tag = `ringvault-${run.runId}-1`;
    const at = '2026-11-21T02:00:20.000Z';
    expect(await inputOf('snapshot', 'snapshot-1', { at })).toEqual({ tag, at });
    expect(await inputOf('upload')).toMatchObject({
      ...{ backupId: run.runId, hostId: host.hostId, rack: 'r1', tag, times: snapshot(run).times },
      tables: [expect.anything(), { keyspace: 'app', table: 'users', tableId: USERS_ID }],
      encryption: { serverSideKeyArn: KMS_KEY },
    });
    expect(await inputOf('clear-snapshot')).toEqual({ tags: [tag] });
  });

  it('tells a host when the applications run again, and sends it nothing from then on', async () => {
    const world = newWorld();
    const { run, planKey } = await plannedBackup(world);
    const [at, notAfter] = ['2026-11-21T02:00:20.000Z', '2026-11-21T02:01:00.000Z'];
    const snapshot = (taskToken: string) =>
      startAction(
        ask({
          run,
          action: 'snapshot',
          phase: 'snapshot-1',
          planKey,
          taskToken,
          parameters: { at, notAfter },
        }),
        world,
      );
    await snapshot('token-1');
    expect((await documentOf(world, run.runId, 'snapshot-1')).input).toMatchObject({ at, notAfter });
    world.clock.advance(60_000);
    await expect(snapshot('token-2')).rejects.toMatchObject({ name: 'PauseExceeded' });
    expect(world.hosts.sent).toHaveLength(1);
  });

  it('ends a run by both its tags, whether or not that had a plan', async () => {
    const world = newWorld();
    const { run } = await plannedBackup(world);
    const parameters = { endedRunId: run.runId };
    await startAction(ask({ run, action: 'end-run', parameters }), world);
    const tags = [`ringvault-${run.runId}-1`, `ringvault-${run.runId}-2`];
    expect((await documentOf(world, run.runId, 'end-run')).input).toEqual({ endedRunId: run.runId, tags });
  });

  it('refuses an action without the plan or the parameter that it needs', async () => {
    const world = newWorld();
    const { run, planKey } = await plannedBackup(world);
    const started = (asked: Partial<Asked>) => startAction(ask({ run, action: 'snapshot', ...asked }), world);
    await expect(started({})).rejects.toThrow(/planKey/);
    await expect(started({ planKey })).rejects.toThrow(/got at undefined/);
    expect(world.hosts.sent).toEqual([]);
  });
});

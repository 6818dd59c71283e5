import { describe, expect, it } from 'vitest';
import { DataRot } from '../../contracts/errors.ts';
import type { StepInput } from '../../contracts/steps.ts';
import { failAction } from '../../lambdas/fail-action.ts';
import { completedBackup } from './support/backup.ts';
import { expectSameEndWhereverKilled } from './support/kills.ts';
import { CLUSTER, claimedRun, hosts, newWorld } from './support/world.ts';

const [host] = hosts;
if (!host) throw new Error('a host');
const hint = DataRot.traits.hint;

async function failed(
  error: StepInput<'FailAction'>['error'],
  command?: { status: string; detail: string; stderr: string },
) {
  const world = newWorld();
  const run = await claimedRun(world);
  const { instanceId } = host ?? { instanceId: '' };
  if (command) {
    await world.catalog.putNode(run, {
      instanceId,
      status: 'STARTED',
      phase: 'upload',
      commandId: 'c',
      attempt: 1,
    });
    world.hosts.outcomes.set('c', command);
  }
  const told = await failAction(
    { run, host: host ?? { instanceId, instanceArn: '' }, action: 'upload', phase: 'upload', error },
    world,
  );
  return { told, node: await world.catalog.readNode(run.runId, instanceId) };
}

describe('FailAction', () => {
  it('keeps what the host told, with its hint apart', async () => {
    const { told, node } = await failed({ Error: 'DataRot', Cause: `nb-1-big-Data.db\nis rotten\n${hint}` });
    expect(told).toEqual({ errorName: 'DataRot', message: 'nb-1-big-Data.db\nis rotten', hint });
    expect(node).toMatchObject({ status: 'FAILED', phase: 'upload', error: told });
  });

  it('reads what Lambda makes of a step’s error', async () => {
    const cause = { errorType: 'DataRot', errorMessage: `x\n${hint}`, trace: [] };
    const { told } = await failed({ Error: 'DataRot', Cause: JSON.stringify(cause) });
    expect(told).toEqual({ errorName: 'DataRot', message: 'x', hint });
  });

  it('keeps an unknown name in the message', async () => {
    const { told } = await failed({ Error: 'Sandbox.Timedout', Cause: '' });
    expect(told).toMatchObject({
      errorName: 'UnexpectedError',
      message: expect.stringContaining('Sandbox.Timedout'),
    });
  });

  const silent = { Error: 'States.HeartbeatTimeout', Cause: '' };
  it.each([
    ['Undeliverable', '', 'HostUnreachable'],
    ['AccessDenied', '', 'HostUnreachable'],
    ['InvalidPlatform', '', 'UnsupportedHost'],
    ['Failed', 'x\nUnsupportedHost: got glibc 2.17\n', 'UnsupportedHost'],
    ['Failed', 'bash: oops', 'ActionLost'],
    ['Success', '', 'ActionLost'],
  ])('asks SSM where the host did not say: %s %j', async (detail, stderr, name) => {
    const { told } = await failed(silent, { status: 'Failed', detail, stderr });
    expect(told.errorName).toBe(name);
    expect(told.message).toContain('was not heard of for 120 s');
  });

  it('says so where SSM knows nothing either', async () => {
    const { told } = await failed({ Error: 'States.Timeout', Cause: '' });
    expect(told).toMatchObject({
      errorName: 'ActionLost',
      message: expect.stringContaining('within 86400 s'),
    });
  });

  it('still tells the cause where the run was taken over', async () => {
    const world = newWorld();
    const run = await claimedRun(world);
    await world.catalog.release(run);
    const error = { Error: 'DataRot', Cause: 'x' };
    expect(await failAction({ run, host, action: 'upload', phase: 'upload', error }, world)).toMatchObject({
      errorName: 'DataRot',
    });
  });

  it.each(['clear-snapshot', 'release-increments'] as const)(
    'makes the failure of cleaning a warning, and leaves the node’s outcome: %s',
    async (action) => {
      const world = newWorld();
      const run = await completedBackup(world);
      const error = { Error: 'NodetoolFailed', Cause: 'exit 1' };
      await failAction({ run, host, action, phase: action, error }, world);
      expect((await world.catalog.readRun(CLUSTER, run.runId))?.warnings).toEqual([
        `${action} on ${host.instanceId}: NodetoolFailed: exit 1`,
      ]);
      expect(await world.catalog.readNode(run.runId, host.instanceId)).toMatchObject({ status: 'COMPLETED' });
    },
  );

  it('comes to the same end wherever it is killed', () =>
    expectSameEndWhereverKilled(async () => {
      const world = newWorld();
      const run = await claimedRun(world);
      const error = { Error: 'DataRot', Cause: 'x' };
      return {
        world,
        step: (ports) => failAction({ run, host, action: 'upload', phase: 'upload', error }, ports),
      };
    }));
});
